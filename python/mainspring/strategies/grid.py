"""A grid of quotes on fixed prices around the market."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mainspring.errors import ConfigError
from mainspring.strategies._checks import positive
from mainspring.strategy import Qty, Strategy

if TYPE_CHECKING:
    from mainspring import Market


class Grid(Strategy):
    """Quotes `levels` a side on multiples of `spacing_ticks`, from the touch outwards.

    Grid prices do not move with the market: an order that is filled on one side is answered one
    step away on the other.

    Parameters:
        size: quantity of each level.
        max_position: quotes a side only while the position on it is below this.
        levels: levels a side, 1 to 16.
        spacing_ticks: ticks between levels.
    """

    size: Qty
    max_position: Qty
    levels: int = 5
    spacing_ticks: int = 10

    _max_lots: int = 0

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        positive(self, "size", "max_position", "spacing_ticks")
        if not 1 <= self.levels <= 16:
            raise ConfigError(f"Grid: levels is {self.levels}; give 1 to 16")

    def on_start(self, m: Market) -> None:
        """Reads the limit in lots."""
        self._max_lots = m.lots(self.max_position)

    def on_book(self, m: Market) -> None:
        """Quotes the grid lines nearest to the market."""
        if m.bid_ticks is None or m.ask_ticks is None:
            m.quote()
            return
        step = self.spacing_ticks
        first_bid = m.bid_ticks // step * step
        first_ask = -(-m.ask_ticks // step) * step
        bids = []
        asks = []
        for i in range(self.levels):
            if m.position_lots < self._max_lots:
                bids.append(((first_bid - i * step) * m.tick, self.size))
            if -m.position_lots < self._max_lots:
                asks.append(((first_ask + i * step) * m.tick, self.size))
        m.quote(bid=bids, ask=asks)
