"""What trading costs and moves: impact, spreads, toxicity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mainspring import _core

Numbers = npt.ArrayLike
"""One dimension of numbers."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class KyleLambda:
    """A line through price changes over signed volume.

    Attributes:
        intercept: change at no volume.
        slope: change of price per unit bought: Kyle's lambda.
        slope_stderr: its standard error.
        r2: share of the variance explained.
    """

    intercept: float
    slope: float
    slope_stderr: float
    r2: float

    @property
    def t_stat(self) -> float:
        """Slope over its standard error."""
        return self.slope / self.slope_stderr


def kyle_lambda(signed_volume: Numbers, price_change: Numbers) -> KyleLambda:
    """Price impact by least squares. Kyle (1985), Econometrica 53.

    Args:
        signed_volume: bought less sold by takers, one value a bar.
        price_change: change of the mid over the bar.

    Raises:
        InvalidValue: different lengths, fewer than three bars, volume that does not vary.
    """
    return KyleLambda(*_core.kyle_lambda(signed_volume, price_change))


def roll_spread(prices: Numbers) -> float:
    """Spread implied by the bounce of trade prices; zero when changes do not alternate.

    ``2 sqrt(-cov)`` of successive changes. Roll (1984), Journal of Finance 39.

    Raises:
        InvalidValue: fewer than four prices.
    """
    return _core.roll_spread(prices)[1]


@dataclass(frozen=True, slots=True)
class SpreadComponents:
    """Basis points of the mid, weighted by quantity: ``effective = realised + impact``."""

    effective_bps: float
    realised_bps: float
    impact_bps: float


def spread_components(
    side: Numbers, price: Numbers, qty: Numbers, mid: Numbers, mid_after: Numbers
) -> SpreadComponents:
    """What takers paid, what makers kept, and how far the market moved.

    Huang and Stoll (1996), Journal of Financial Economics 41.

    Args:
        side: +1 where the taker bought, -1 where it sold.
        price: of each trade.
        qty: of each trade.
        mid: just before each trade.
        mid_after: at the horizon after each trade.

    Raises:
        InvalidValue: different lengths or no quantity.
    """
    return SpreadComponents(*_core.spread_components(side, price, qty, mid, mid_after))


def vpin(signed_volumes: Numbers, *, bucket: float, window: int = 50) -> Floats:
    """Volume-synchronised probability of informed trading after each whole bucket.

    The first value comes with bucket number `window`. Easley, Lopez de Prado and O'Hara (2012),
    Review of Financial Studies 25.

    Args:
        signed_volumes: volume of each trade, positive where the taker bought.
        bucket: volume of a bucket.
        window: buckets in an average.

    Raises:
        InvalidValue: a bucket or window that is not positive, a volume that is not finite.
    """
    return np.asarray(_core.vpin(signed_volumes, bucket, window))


def bulk_volume_classification(closes: Numbers, volumes: Numbers) -> tuple[Floats, Floats]:
    """Volume bought and sold in bars whose trades have no side, by their price changes.

    The share bought is ``Phi(change / sd(changes))``. Easley et al. (2012), eq. 9.

    Returns:
        (bought, sold), one value a bar after the first.

    Raises:
        InvalidValue: different lengths, fewer than three bars, or a price that never changes.
    """
    bought, sold = _core.bulk_volume_classification(closes, volumes)
    return np.asarray(bought), np.asarray(sold)
