"""Joins the side that the order book leans to."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from mainspring.errors import ConfigError
from mainspring.strategies._checks import positive
from mainspring.strategy import Qty, Strategy

if TYPE_CHECKING:
    from mainspring import Market


class Imbalance(Strategy):
    """Bids at the best bid while best-quantity imbalance is high, offers while it is low.

    Imbalance is ``(bid qty - ask qty) / (bid qty + ask qty)``, between -1 and 1.

    Parameters:
        size: quantity of each quote.
        max_position: quotes a side only while the position on it is below this.
        threshold: imbalance from which a side is joined, between 0 and 1.
    """

    size: Qty
    max_position: Qty
    threshold: float = 0.3

    _max_lots: int = 0

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        positive(self, "size", "max_position")
        if not 0 < self.threshold < 1:
            raise ConfigError(
                f"Imbalance: threshold is {self.threshold}; it must lie between 0 and 1"
            )

    def on_start(self, m: Market) -> None:
        """Reads the limit in lots."""
        self._max_lots = m.lots(self.max_position)

    def on_book(self, m: Market) -> None:
        """Quotes at most one side."""
        if math.isnan(m.mid):
            m.quote()
            return
        imbalance = (m.bid_lots - m.ask_lots) / (m.bid_lots + m.ask_lots)
        buy = imbalance > self.threshold and m.position_lots < self._max_lots
        sell = imbalance < -self.threshold and -m.position_lots < self._max_lots
        bids = ((m.bid, self.size),) if buy else ()
        asks = ((m.ask, self.size),) if sell else ()
        m.quote(bid=bids, ask=asks)
