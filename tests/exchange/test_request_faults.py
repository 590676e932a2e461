"""Requests that fail on the way, at every venue: the session finds out what became of its orders.

The faults are planned for the next requests about orders, so that each is met, once, whatever the
machine does.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import mainspring as ms
import pytest
from dialect_side import UNITS, DialectSide
from mainspring.exchange import VenueServer
from mainspring.exchange.server import RequestFault
from mainspring.live import LiveSession, live
from sessions_on_dialects import place, ready, same_position, until

SPEED = 0.3
"""How fast the served market goes."""

VENUES = ("binance", "binance_usdm", "okx", "bybit", "hyperliquid", "dydx")
FAULTS: tuple[RequestFault, ...] = get_args(RequestFault)
SIZE = 0.04
REST = 1
# A refusal may hold everything back for a second or two; a ban for longer than anybody waits here.
KNOWN = {"too_many_requests", "server_error", "unknown_outcome"}


class Scripted(ms.Strategy, every="20ms"):
    """Places an order that rests, or cancels all, once for each step."""

    size: ms.Qty = "0.04"
    step: int = 0
    done: int = 0

    def on_book(self, m):
        if self.step == self.done or m.bid is None or m.ask is None:
            return
        self.done = self.step
        if self.step % 2 == REST:
            m.buy(self.size, m.bids(20)[-1][0])
        else:
            m.cancel_all()


def cases() -> Iterator[object]:
    """The outcome that nobody knows is the one that loses money: it is tried in every run."""
    for venue, fault in itertools.product(VENUES, sorted(KNOWN)):
        marks = () if fault == "unknown_outcome" else (pytest.mark.slow,)
        yield pytest.param(venue, fault, marks=marks, id=f"{venue}-{fault}")


@pytest.mark.parametrize(("venue", "fault"), list(cases()))
def test_orders_are_the_venues_whatever_became_of_a_request(
    server: VenueServer, tmp_path: Path, venue: str, fault: RequestFault
) -> None:
    side = DialectSide(server, venue)
    strategy = Scripted(size=str(SIZE / UNITS.get(venue, 1.0)))
    with live(strategy, tmp_path / "run", venues=place(server, venue), size=1.0) as session:
        ready(session)

        def step(number: int) -> None:
            session.set_parameters({"step": number})

        def agree() -> bool:
            return len(side.open_orders()) == session.status().open_orders

        server.fail_next(fault)
        step(REST)
        until("the fault", lambda: server.planned_faults == 0, session)
        # An outcome that is not known was an order; of the others nothing is left.
        wanted = int(fault == "unknown_outcome")
        until("agreement", lambda: session.status().open_orders == wanted and agree(), session)
        if wanted == 0:
            again = itertools.count(REST + 2, 2)
            until("an order", lambda: placed(session, next(again), step), session)
        until("the order", lambda: len(side.open_orders()) >= 1 and agree(), session)

        server.fail_next(fault)
        step(1_000)
        until("the fault", lambda: server.planned_faults == 0, session)
        until("the cancel", lambda: side.open_orders() == [] and agree(), session)
        until("the same position", lambda: same_position(session, side), session)
        outcome = session.stop()
    assert (outcome.broken, outcome.status.open_orders) == (None, 0)


def placed(session: LiveSession, number: int, step: object) -> bool:
    """Whether an order rests; one is asked for while the venue takes none for a while."""
    if session.status().open_orders == 0:
        step(number)  # type: ignore[operator]
        session.wait(0.3)
    return session.status().open_orders >= 1


@pytest.mark.parametrize("venue", ["binance", "binance_usdm", "bybit"])
def test_a_ban_is_kept_to(server: VenueServer, tmp_path: Path, venue: str) -> None:
    """Nothing reaches a venue that has banned us, and the log says for how long."""
    side = DialectSide(server, venue)
    strategy = Scripted(size=str(SIZE / UNITS.get(venue, 1.0)))
    with live(strategy, tmp_path / "run", venues=place(server, venue), size=1.0) as session:
        ready(session)
        server.fail_next("banned", 2)
        session.set_parameters({"step": 1})
        until("the fault", lambda: server.planned_faults == 1, session)
        until("the log", lambda: any("banned" in n["text"] for n in notes(session)), session)
        # What is asked for now is refused here, one order after the other.
        for number in range(3, 13, 2):
            before = session.status().orders
            session.set_parameters({"step": number})
            until("an order", lambda before=before: session.status().orders > before, session)
            until("its end", lambda: session.status().open_orders == 0, session)
        assert server.planned_faults == 1, "the next fault met nobody"
        assert side.open_orders() == []
        session.stop()


def notes(session: LiveSession) -> list[dict[str, object]]:
    return list(session.venues()[0].notes)
