"""Stops of a session wait at the venue, wherever it keeps them, and go when they are to go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mainspring as ms
import pytest
from dialect_side import UNITS, DialectSide
from mainspring.exchange import VenueServer
from mainspring.live import live, verify
from sessions_on_dialects import place, ready, until

VENUES = ("binance_usdm", "okx", "bybit", "bybit_spot", "hyperliquid")
# In the base currency; where sizes are contracts it is as many of them.
SIZE = 0.04


class Stops(ms.Strategy, every="20ms"):
    """Keeps as many stops as the step says, and cancels the first when told to."""

    size: ms.Qty = "0.04"
    wanted: int = 0
    placed: int = 0
    cancels: bool = False
    first: int = 0

    def on_book(self, m: Any) -> None:
        if m.bid is None:
            return
        if self.placed < self.wanted:
            self.placed += 1
            far = m.bids(20)[-1][0] - 2_000 - 10 * self.placed
            order = m.sell(self.size, kind="stop", trigger=far)
            self.first = self.first or order
        if self.cancels and self.first:
            m.cancel(self.first)
            self.first, self.cancels = 0, False


def waiting(side: DialectSide) -> int:
    """How many orders wait for their trigger."""
    match side.venue:
        case "binance_usdm":
            return len(side._binance("/fapi/v1/openAlgoOrders", symbol=side.symbol))
        case "okx":
            kinds = (f"ordType={kind}&instId={side.symbol}" for kind in ("trigger", "conditional"))
            return sum(len(side._okx(f"/api/v5/trade/orders-algo-pending?{one}")) for one in kinds)
        case "hyperliquid":
            return len(side._info("frontendOpenOrders"))
        case _:
            return len(side.open_orders())


@pytest.fixture(params=VENUES)
def venue(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_stops_are_cancelled_one_by_one_and_by_a_kill(
    server: VenueServer, venue: str, tmp_path: Path
) -> None:
    side, unit = DialectSide(server, venue), UNITS.get(venue, 1.0)
    folder = tmp_path / "run"
    strategy = Stops(size=str(SIZE / unit))
    with live(strategy, folder, venues=place(server, venue), size=1.0) as session:
        ready(session)
        session.set_parameters({"wanted": 3})
        until("stops", lambda: waiting(side) == 3, session)
        until("their acceptance", lambda: session.status().open_orders == 3, session)
        session.set_parameters({"cancels": True})
        until("a cancel", lambda: waiting(side) == 2, session)
        until("its end here", lambda: session.status().open_orders == 2, session)
        session.kill("the test ends")
        until("the kill", lambda: waiting(side) == 0, session)
        until("their end here", lambda: session.status().open_orders == 0, session)
        outcome = session.stop()
    assert (outcome.broken, outcome.status.open_orders) == (None, 0)
    again = verify(folder, Stops(size=str(SIZE / unit)))
    assert (again.same > 0, again.different) == (True, 0), again
