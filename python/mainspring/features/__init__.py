"""Features of the market, over stored data and by hand.

`compute` gives the features that strategies see, row by row of a data set, `book` the levels they
are made of; `fit_microprice` fits the table that the feature `microprice` prices with. The
estimators behind them work on arrays: volatility, price impact, spreads and toxicity.
"""

from __future__ import annotations

from mainspring.features.impact import (
    KyleLambda,
    SpreadComponents,
    bulk_volume_classification,
    kyle_lambda,
    roll_spread,
    spread_components,
    vpin,
)
from mainspring.features.scan import Microprice, book, compute, fit_microprice
from mainspring.features.volatility import (
    Belief,
    Garch,
    ParticleFilter,
    RangeVariance,
    RealizedMeasures,
    ewma_variance,
    fit_garch,
    range_variance,
    realized_measures,
)

__all__ = [
    "Belief",
    "Garch",
    "KyleLambda",
    "Microprice",
    "ParticleFilter",
    "RangeVariance",
    "RealizedMeasures",
    "SpreadComponents",
    "book",
    "bulk_volume_classification",
    "compute",
    "ewma_variance",
    "fit_garch",
    "fit_microprice",
    "kyle_lambda",
    "range_variance",
    "realized_measures",
    "roll_spread",
    "spread_components",
    "vpin",
]
