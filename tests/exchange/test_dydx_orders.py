"""Lasting and short-term orders of dYdX over sockets: few of the ones, many of the others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import mainspring as ms
import pytest
from dialect_side import DialectSide
from mainspring.errors import ConfigError
from mainspring.exchange import VenueServer
from mainspring.live import LiveVenue, live
from sessions_on_dialects import place, ready, same_position, serve, until


class Restless(ms.Strategy, every="50ms"):
    """One order far below the market, placed anew again and again."""

    order: int = 0
    resting: bool = False

    def on_book(self, m):
        if m.bid is None:
            return
        if self.resting:
            m.cancel(self.order)
        else:
            self.order = m.buy(0.01, m.bids(20)[-1][0])
        self.resting = not self.resting


@pytest.fixture
def server() -> Iterator[VenueServer]:
    with serve("dydx", speed=0.3) as server:
        yield server


def flags(side: DialectSide) -> set[str]:
    """Kinds of the orders that the indexer has: 0 is short-term, 64 lasts."""
    found = side._ask(f"/v4/orders?{side._whose()}&ticker={side.symbol}", {})
    return {str(one["orderFlags"]) for one in found}


def test_short_term_orders_go_where_lasting_ones_have_run_out(
    server: VenueServer, tmp_path: Path
) -> None:
    side = DialectSide(server, "dydx")
    there = place(server, "dydx", short_term=True)
    with live(Restless, tmp_path / "run", venues=there, size=1.0) as session:
        ready(session)
        # The chain takes twenty lasting ones in a hundred blocks of a second.
        until("many orders", lambda: session.status().cancels >= 40, session)
        assert flags(side) == {"0"}
        # For us a cancelled one is leaving until its last block is over: a fill may still come.
        session.kill("the test compares")
        until("the venue's orders", lambda: side.open_orders() == [], session)
        until("the same position", lambda: same_position(session, side), session)
        notes = [note["topic"] for note in session.venues()[0].notes]
        session.stop()
    assert "rate_limit" not in notes


def test_lasting_orders_that_have_run_out_are_refused_here_and_cancels_go_on(
    server: VenueServer, tmp_path: Path
) -> None:
    side = DialectSide(server, "dydx")
    with live(Restless, tmp_path / "run", venues=place(server, "dydx"), size=1.0) as session:
        ready(session)
        until("orders that are refused", lambda: overloaded(tmp_path / "run") >= 5, session)
        assert flags(side) == {"64"}
        session.kill("the test compares")
        until("the venue's orders", lambda: side.open_orders() == [], session)
        until("end of orders", lambda: session.status().open_orders == 0, session)
        notes = [note["topic"] for note in session.venues()[0].notes]
        session.stop()
    assert "rate_limit" not in notes, "the chain itself never had to say no"


def overloaded(folder: Path) -> int:
    """Orders that were refused because the budget has nothing left for them."""
    told = ms.journal.open(folder).records(types=["order"])
    return sum("verload" in str(one.fields.get("reason")) for one in told)


def test_no_other_venue_has_short_term_orders() -> None:
    with pytest.raises(ConfigError, match="dydx alone"):
        LiveVenue("okx", ["BTC-USDT"], short_term=True).to_engine(1)
