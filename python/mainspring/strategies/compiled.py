"""The shipped strategies as machine code: the same classes, marked `@compiled`.

Any strategy whose callbacks keep to numbers can be had in both forms like this.
"""

from __future__ import annotations

from mainspring.strategies import grid, imbalance, market_makers, touch
from mainspring.strategy.compiled import compiled


@compiled
class AvellanedaStoikov(market_makers.AvellanedaStoikov):
    """`mainspring.strategies.AvellanedaStoikov`, compiled."""


@compiled
class Glft(market_makers.Glft):
    """`mainspring.strategies.Glft`, compiled."""


@compiled
class Grid(grid.Grid):
    """`mainspring.strategies.Grid`, compiled."""


@compiled
class Imbalance(imbalance.Imbalance):
    """`mainspring.strategies.Imbalance`, compiled."""


@compiled
class TouchMaker(touch.TouchMaker):
    """`mainspring.strategies.TouchMaker`, compiled."""
