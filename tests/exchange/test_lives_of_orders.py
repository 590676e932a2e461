"""Our own adapters live an order's whole life on every dialect, over sockets."""

from __future__ import annotations

from pathlib import Path

import mainspring as ms
import pytest
from dialect_side import DIALECTS, UNITS, DialectSide
from mainspring.exchange import Faults, VenueServer
from mainspring.journal import Record
from mainspring.live import LiveSession, live, verify
from sessions_on_dialects import place, ready, same_position, until

VENUES = tuple(DIALECTS)
# In the base currency; where sizes are contracts it is as many of them.
SIZE = 0.04


class Scripted(ms.Strategy, every="20ms"):
    """Does what the step says, once."""

    size: ms.Qty = "0.04"
    step: int = 0
    done: int = 0
    order: int = 0
    price: float = 0.0

    def on_book(self, m):
        if self.step == self.done or m.bid is None or m.ask is None:
            return
        self.done = self.step
        # Where the market does not come to while a slow machine looks.
        far, near = m.bids(20)[-1][0] * 0.97, m.asks(8)[-1][0]
        if self.step == REST:
            self.price = far
            self.order = m.buy(self.size, self.price)
        elif self.step == AMEND:
            m.amend(self.order, self.price, self.size / 2)
        elif self.step == CANCEL:
            m.cancel(self.order)
        elif self.step == TAKE:
            self.order = m.buy(self.size, near)
        elif self.step == TWO:
            for share in (0.96, 0.97):
                m.buy(self.size, m.bids(20)[-1][0] * share)
        elif self.step == CANCEL_ALL:
            m.cancel_all()


REST, AMEND, CANCEL, TAKE, TWO, CANCEL_ALL = range(1, 7)


@pytest.fixture(params=VENUES)
def venue(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def was_filled_in_part(session: LiveSession) -> bool:
    told = ms.journal.open(session.folder).records(types=["order"])
    orders = [one.fields for one in told if isinstance(one, Record)]
    return any(0 < one["filled_lots"] < one["qty_lots"] for one in orders)


def test_an_order_lives_from_place_to_kill(server: VenueServer, venue: str, tmp_path: Path) -> None:
    side = DialectSide(server, venue)
    unit = UNITS.get(venue, 1.0)
    strategy = Scripted(size=str(SIZE / unit))
    with live(strategy, tmp_path / "run", venues=place(server, venue), size=1.0) as session:
        ready(session)

        def step(number: int) -> None:
            if venue == "dydx" and number in {TAKE, TWO}:
                session.wait(1.5)  # two lasting orders a block are taken
            session.set_parameters({"step": number})

        step(REST)
        until("order", lambda: len(side.open_orders()) == 1, session)
        (resting,) = side.open_orders()
        assert (resting.qty, resting.filled) == (pytest.approx(SIZE), 0)

        step(AMEND)
        until("amend", lambda: [o.qty for o in side.open_orders()] == [SIZE / 2], session)

        step(CANCEL)
        until("cancel", lambda: side.open_orders() == [], session)
        until("end of the order", lambda: session.status().open_orders == 0, session)

        before = side.position()
        server.set_faults(partial_fill=1.0)
        step(TAKE)
        until("partial fill", lambda: was_filled_in_part(session), session)
        server.set_faults(Faults())
        until("position", lambda: side.position() >= before + SIZE / 2 - 1e-9, session)

        step(TWO)
        until("two orders", lambda: len(side.open_orders()) >= 2, session)
        step(CANCEL_ALL)
        until("cancel of all", lambda: side.open_orders() == [], session)
        until("end of orders", lambda: session.status().open_orders == 0, session)

        step(TWO)
        until("two orders", lambda: len(side.open_orders()) == 2, session)
        session.kill("the test ends")
        until("cancels of the kill", lambda: side.open_orders() == [], session)
        until("the same position", lambda: same_position(session, side), session)
        outcome = session.stop()
    assert (outcome.broken, outcome.status.open_orders) == (None, 0)
    again = verify(tmp_path / "run", Scripted(size=str(SIZE / unit)))
    assert (again.same > 0, again.different) == (True, 0), again


def maker(venue: str) -> ms.native.TouchMaker:
    unit = UNITS.get(venue, 1.0)
    size, most = (f"{qty / unit:g}" for qty in (0.02, 0.2))
    # The chain takes two lasting orders a block of a second.
    every = "2s" if venue == "dydx" else "500ms"
    return ms.native.TouchMaker(size=size, max_position=most, every=every)


@pytest.mark.slow
def test_lost_connections_are_made_up_for(server: VenueServer, venue: str, tmp_path: Path) -> None:
    side = DialectSide(server, venue)
    with live(maker(venue), tmp_path / "run", venues=place(server, venue), size=1.0) as session:
        ready(session)
        until("orders", lambda: len(side.open_orders()) >= 1, session)
        server.set_faults(disconnect=0.05)
        until("lost connections", lambda: session.venues()[0].closed >= 2, session)
        server.set_faults(Faults())
        ready(session)
        before = session.status().orders
        until("orders again", lambda: session.status().orders > before, session)
        session.kill("the test compares")
        until("end of orders", lambda: session.status().open_orders == 0, session)
        until("the same position", lambda: same_position(session, side), session)
        assert side.open_orders() == []
        session.stop()
