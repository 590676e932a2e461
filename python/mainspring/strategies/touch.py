"""Joins both touches: the simplest market maker there is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from mainspring.strategies._checks import positive
from mainspring.strategy import Qty, Strategy

if TYPE_CHECKING:
    from mainspring import Market


class TouchMaker(Strategy):
    """Bids at the best bid and offers at the best ask while the position allows.

    Parameters:
        size: quantity of each quote.
        max_position: quotes a side only while the position on it is below this.
    """

    size: Qty
    max_position: Qty

    # Whole lots, so that positions are compared exactly.
    _max_lots: int = 0

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        positive(self, "size", "max_position")

    def on_start(self, m: Market) -> None:
        """Reads the limit in lots."""
        self._max_lots = m.lots(self.max_position)

    def on_book(self, m: Market) -> None:
        """Quotes what the position allows; the engine keeps what already rests there."""
        if math.isnan(m.mid):
            m.quote()
            return
        bids = ((m.bid, self.size),) if m.position_lots < self._max_lots else ()
        asks = ((m.ask, self.size),) if -m.position_lots < self._max_lots else ()
        m.quote(bid=bids, ask=asks)
