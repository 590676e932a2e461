"""Changes of orders that a session did not place and has adopted: by the venue's id, in place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mainspring as ms
import pytest
from live_sessions import notices, until, wait_for
from mainspring.exchange import Member, VenueServer
from mainspring.live import live
from test_adoption import ADOPT
from test_outside import place
from venue_side import VenueSide


@pytest.fixture
def server() -> Iterator[VenueServer]:
    with VenueServer("binance", port=0, markets=("btcusdt",), members=(Member(),)) as server:
        yield server


class Mover(ms.Strategy, every="1h"):
    """Moves the first order that it is told of, and asks for more of it."""

    moved: bool = False

    def on_order(self, m: Any, order: Any) -> None:
        if not self.moved and order.state == "open":
            self.moved = True
            m.amend(order.id, order.price + 7, 0.03)


ORDERS = {**ADOPT, "foreign": {"adopt": {"owner": "Mover"}}}


def test_an_adopted_order_is_changed_in_place(server: VenueServer, tmp_path: Path) -> None:
    side = VenueSide(server.url, "binance_usdm")
    venue = place(server, "binance_usdm")
    with live(Mover, tmp_path / "run", venues=venue, size=1.0, orders=ORDERS) as session:
        wait_for(session, "the link", lambda s: s.rows > 0)
        placed = side.place("BUY", "30000", "0.02")
        until("the change", lambda: float(side.open_orders()[0]["price"]) == 30_007.0)
        (changed,) = side.open_orders()
        assert changed["orderId"] == placed["orderId"]
        assert float(changed["origQty"]) == 0.03
        assert "replace_requested" in steps(tmp_path / "run")
        session.cancel_all()
        wait_for(session, "its end", lambda s: s.open_orders == 0)
        session.stop()
    assert side.open_orders() == []


def test_where_the_venue_replaces_it_is_refused_and_said(
    server: VenueServer, tmp_path: Path
) -> None:
    side = VenueSide(server.url, "binance")
    venue = place(server, "binance")
    with live(Mover, tmp_path / "run", venues=venue, size=1.0, orders=ORDERS) as session:
        wait_for(session, "the link", lambda s: s.rows > 0)
        side.place("BUY", "30000", "0.02")
        wanted = "cancel it and place a new one"
        until("the refusal", lambda: any(wanted in note for note in said(session)))
        wait_for(session, "the order as it was", lambda s: s.open_orders == 1)
        assert float(side.open_orders()[0]["price"]) == 30_000.0
        session.stop()
    assert not any("is not known" in text for text in notices(tmp_path / "run"))


def said(session: ms.live.LiveSession) -> list[str]:
    return [str(note) for venue in session.venues() for note in venue.notes]


def steps(folder: Path) -> list[str]:
    found = ms.journal.open(folder).records(types=["step"])
    return [str(record.fields["step"]) for record in found]
