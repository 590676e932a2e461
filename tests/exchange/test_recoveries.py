"""Every fault on demand, met by our own session through sockets: book and orders recover."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mainspring as ms
import pytest
from dialect_side import UNITS, DialectSide
from mainspring.exchange import Faults, VenueServer
from mainspring.live import LiveSession, live
from sessions_on_dialects import place, ready, same_position, serve, until
from watching import Watcher, gaps, is_the_venues

pytestmark = pytest.mark.slow


@pytest.fixture
def server(venue: str) -> Iterator[VenueServer]:
    # A slow market, so that two looks at it can be compared.
    with serve(venue, speed=0.3) as server:
        yield server


@pytest.mark.parametrize(
    "venue", ["binance", "binance_usdm", "okx", "bybit", "hyperliquid", "dydx"]
)
@pytest.mark.parametrize("fault", ["gap", "duplicate", "reorder", "disconnect"])
def test_the_book_is_the_venues_again(
    server: VenueServer, tmp_path: Path, venue: str, fault: str
) -> None:
    side = DialectSide(server, venue)
    with live(Watcher, tmp_path / "run", venues=place(server, venue), size=1.0) as session:
        ready(session)
        until("the same book", lambda: is_the_venues(side), session)
        server.set_faults(**{fault: 0.3})
        if fault == "disconnect":
            until("lost connections", lambda: session.venues()[0].closed >= 2, session)
        elif fault == "gap" and venue != "hyperliquid":
            # Books of Hyperliquid come whole, so nothing is lost when one does not; those of the
            # others say what was missed.
            until("a gap", lambda: gaps(tmp_path / "run") + told(session) > 0, session)
        else:
            session.wait(3.0)
        server.set_faults(Faults())
        ready(session)
        until("the same book", lambda: is_the_venues(side), session)
        session.stop()


def told(session: LiveSession) -> int:
    return sum(note["topic"] == "gap" for note in session.venues()[0].notes)


ORDERS: dict[str, dict[str, Any]] = {
    "late answers": {"latency_ms": 80.0, "latency_log_sd": 0.8},
    "too many requests": {"too_many_requests": 0.3},
    "a ban": {"banned": 0.1},
    "server errors": {"server_error": 0.3},
    "unknown outcomes": {"unknown_outcome": 0.4},
    "partial fills": {"partial_fill": 1.0},
    "a clock that is off": {"clock_skew_ms": 3_000},
    "maintenance": {"maintenance": True},
}


def maker(venue: str) -> ms.native.TouchMaker:
    size, most = (f"{qty / UNITS.get(venue, 1.0):g}" for qty in (0.02, 0.2))
    return ms.native.TouchMaker(size=size, max_position=most, every="250ms")


@pytest.mark.parametrize("venue", ["binance_usdm", "okx"])
@pytest.mark.parametrize("fault", ORDERS)
def test_orders_and_position_are_the_venues_again(
    server: VenueServer, tmp_path: Path, venue: str, fault: str
) -> None:
    side = DialectSide(server, venue)
    with live(maker(venue), tmp_path / "run", venues=place(server, venue), size=1.0) as session:
        ready(session)
        until("orders", lambda: len(side.open_orders()) >= 1, session)
        server.set_faults(**ORDERS[fault])
        session.wait(3.0)
        server.set_faults(Faults())
        before = session.status().orders
        until("orders again", lambda: session.status().orders > before, session, 60)
        session.kill("the test compares")
        until("end of orders", lambda: session.status().open_orders == 0, session, 60)
        until("the venue's orders", lambda: side.open_orders() == [], session)
        until("the same position", lambda: same_position(session, side), session)
        session.stop()


@pytest.mark.parametrize("venue", ["binance_usdm", "okx", "bybit", "hyperliquid", "dydx"])
def test_a_liquidation_is_taken_in(server: VenueServer, tmp_path: Path, venue: str) -> None:
    side = DialectSide(server, venue)
    target = Holder(size=f"{0.05 / UNITS.get(venue, 1.0):g}")
    # Fills that the venue makes are booked where orders of others are adopted.
    orders = {"foreign": {"adopt": {"owner": "Holder"}}}
    there = place(server, venue)
    with live(target, tmp_path / "run", venues=there, size=1.0, orders=orders) as session:
        ready(session)
        until("position", lambda: side.position() > 0.04, session)
        until("the same position", lambda: same_position(session, side), session)
        server.liquidate(side.member.key)
        until("the liquidation", lambda: abs(side.position()) < 1e-9, session)
        until("the same position", lambda: same_position(session, side), session)
        session.stop()


class Holder(ms.Strategy, every="50ms"):
    """Buys once."""

    size: ms.Qty = "0.05"
    done: bool = False

    def on_book(self, m):
        if not self.done and m.bid is not None and m.ask is not None:
            self.done = True
            m.buy(self.size, m.asks(5)[-1][0], tif="ioc")


@pytest.mark.parametrize("venue", ["binance_usdm", "okx", "bybit", "hyperliquid", "dydx"])
def test_a_halt_of_the_venue_is_lived_through(
    server: VenueServer, tmp_path: Path, venue: str
) -> None:
    side = DialectSide(server, venue)
    with live(maker(venue), tmp_path / "run", venues=place(server, venue), size=1.0) as session:
        ready(session)
        until("orders", lambda: len(side.open_orders()) >= 1, session)
        server.halt()
        session.wait(1.5)
        server.open()
        until("orders", lambda: len(side.open_orders()) >= 1, session)
        session.kill("the test compares")
        until("end of orders", lambda: session.status().open_orders == 0, session)
        until("the same position", lambda: same_position(session, side), session)
        assert side.open_orders() == []
        session.stop()
