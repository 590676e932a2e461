"""Leans on the order book: buys when bids outweigh asks, sells when asks outweigh bids."""

import mainspring as ms


class Imbalance(ms.Strategy):
    """Holds one unit on the side that the top of the book leans to, and nothing when it is even."""

    threshold: float = 0.4
    """How far the book must lean, from 0 (not at all) to 1 (one side is empty)."""
    size: float = 0.01
    """Position to hold, in units of the base currency."""

    def on_book(self, m: ms.Market) -> None:
        """Called when the book has changed; `m` is valid inside the call only."""
        lean = m.features.imbalance
        if lean > self.threshold:
            m.target_position(self.size)
        elif lean < -self.threshold:
            m.target_position(-self.size)
        elif abs(lean) < self.threshold / 2:
            m.target_position(0)
