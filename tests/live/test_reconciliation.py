"""What happened at a venue while nobody listened, found out at the return; nothing is assumed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import mainspring as ms
import pytest
from gate import Gate
from live_sessions import until, wait_for
from mainspring.exchange import Member, VenueServer
from mainspring.live import Credentials, LiveVenue, live, verify
from test_outside import OTHER
from venue_side import KEY, SECRET, VenueSide


@pytest.fixture
def server() -> Iterator[VenueServer]:
    # Nothing moves but by hand.
    members = (Member(), OTHER)
    with VenueServer("binance", markets=("btcusdt",), warm_up_s=10, members=members) as server:
        yield server


class Three(ms.Strategy, every="100ms"):
    """Three orders that rest far below the market, and nothing more."""

    placed: bool = False

    def on_book(self, m: ms.Market) -> None:
        if m.mid > 0 and not self.placed:
            self.placed = True
            for n in range(3):
                m.buy(0.01, m.bid - 2_000 - n, post_only=True)


def test_orders_that_are_missing_after_a_loss_are_asked_about(
    server: VenueServer, tmp_path: Path
) -> None:
    side = VenueSide(server.url, "binance_usdm")
    with Gate(server.port) as gate:
        venue = LiveVenue(
            "binance_usdm", ["BTCUSDT"], credentials=Credentials(key=KEY, secret=SECRET),
            url=gate.url, on_disconnect="keep",
        )  # fmt: skip
        assert venue.check().passed
        with live(Three, tmp_path / "run", venues=venue, size=1.0) as session:
            wait_for(session, "three orders", lambda s: s.open_orders == 3)
            until("three there", lambda: len(side.open_orders()) == 3)
            gate.shut()
            until("the loss", lambda: not session.venues()[0].up)
            gone, *left = side.open_orders()
            side.ask("DELETE", "/fapi/v1/order", symbol="BTCUSDT", orderId=gone["orderId"])
            session.wait(0.5)
            assert session.status().open_orders == 3, "nothing is assumed while nobody listens"
            gate.open()
            wait_for(session, "what is left", lambda s: s.open_orders == 2)
            assert session.venues()[0].up
            still = {one["orderId"] for one in side.open_orders()}
            assert still == {one["orderId"] for one in left}, "nothing else was touched"
            session.wait(0.3)
            assert session.status().orders == 3, "nothing was placed anew"
            session.stop()
    names = [record.name for record in ms.journal.open(tmp_path / "run").records()]
    assert "query" in names, "it was asked about"
    assert "answer" in names, "and the answer is in the journal"
    again = verify(tmp_path / "run", Three())
    assert again.different == 0, again


def test_reconciliation_goes_on_by_itself(server: VenueServer, tmp_path: Path) -> None:
    """Ours and the venue's are compared at the start, and again and again."""
    venue = LiveVenue(
        "binance_usdm", ["BTCUSDT"], credentials=Credentials(key=KEY, secret=SECRET), url=server.url
    )
    assert venue.check().passed
    orders = {"patience": {"reconcile_ns": 300_000_000}}
    with live(Three, tmp_path / "run", venues=venue, size=1.0, orders=orders) as session:
        wait_for(session, "three orders", lambda s: s.open_orders == 3)
        until("positions", lambda: told(tmp_path / "run", "positions") >= 3)
        until("open orders", lambda: told(tmp_path / "run", "open_orders") >= 3)
        session.stop()
    events = ms.journal.open(tmp_path / "run").records(types=["event"])
    assert [record.fields for record in events] == [], "and nothing differed"


def told(folder: Path, name: str) -> int:
    return sum(1 for _ in ms.journal.open(folder).records(types=[name]))
