"""Strategies in plain Python, to be read, changed and run.

Each sends the same orders as its native twin in `ms.native`. Those in
`mainspring.strategies.compiled` are the same classes run as machine code.
"""

from mainspring.strategies.grid import Grid
from mainspring.strategies.imbalance import Imbalance
from mainspring.strategies.market_makers import AvellanedaStoikov, Glft
from mainspring.strategies.moving_average import MovingAverageCross
from mainspring.strategies.touch import TouchMaker

__all__ = [
    "AvellanedaStoikov",
    "Glft",
    "Grid",
    "Imbalance",
    "MovingAverageCross",
    "TouchMaker",
]
