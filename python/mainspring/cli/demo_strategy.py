"""The strategy of `mainspring demo`: a two-sided market maker in plain Python."""

from __future__ import annotations

import mainspring as ms


class MarketMaker(ms.Strategy, every="1s"):
    """Quotes both sides around the mid price, and leans away from what it holds."""

    size: ms.Qty = ms.Qty("0.01")
    """Quantity of each quote, in units of the base."""
    half_spread_bps: float = 3.0
    """Distance of a quote from its centre."""
    skew_bps: float = 0.5
    """How far the centre moves against each `size` held."""
    max_quotes: int = 5
    """Most multiples of `size` to hold."""

    def on_book(self, m: ms.Market) -> None:
        """Moves the quotes to where they should be now; the engine finds the orders for that."""
        held = m.position / self.size
        mid = (m.bid + m.ask) / 2
        centre = mid * (1 - self.skew_bps * 1e-4 * held)
        distance = mid * self.half_spread_bps * 1e-4
        # Never through the other side: a quote is there to be taken, not to take.
        bid = min(centre - distance, m.bid)
        ask = max(centre + distance, m.ask)
        m.quote(
            bid=((bid, self.size),) if held < self.max_quotes else (),
            ask=((ask, self.size),) if held > -self.max_quotes else (),
        )


class PaperMarketMaker(MarketMaker, every="20ms"):
    """The same at fifty times the speed: a second of that market is 20 ms here."""
