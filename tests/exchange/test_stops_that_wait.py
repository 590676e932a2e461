"""Stops of a session wait at the venue, wherever it keeps them, and go when they are to go."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mainspring as ms
import pytest
from dialect_side import UNITS, DialectSide
from mainspring.exchange import VenueServer
from mainspring.journal import Record
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


def stops_of_okx(side: DialectSide) -> list[dict[str, Any]]:
    """Orders that wait for their trigger, as OKX lists them."""
    kinds = (f"ordType={kind}&instId={side.symbol}" for kind in ("trigger", "conditional"))
    return [row for one in kinds for row in side._okx(f"/api/v5/trade/orders-algo-pending?{one}")]


def questions(folder: Path) -> int:
    """How often the engine has asked the venue what became of an order, or of all."""
    return sum(1 for _ in ms.journal.open(folder).records(types=["query"]))


@pytest.mark.parametrize("venue", ["okx", "okx_spot"])
def test_a_stop_that_somebody_cancels_is_over_here_without_a_question(
    server: VenueServer, venue: str, tmp_path: Path
) -> None:
    side, unit = DialectSide(server, venue), UNITS.get(venue, 1.0)
    folder = tmp_path / "run"
    strategy = Stops(size=str(SIZE / unit))
    with live(strategy, folder, venues=place(server, venue), size=1.0) as session:
        ready(session)
        session.set_parameters({"wanted": 2})
        until("stops", lambda: len(stops_of_okx(side)) == 2, session)
        until("their acceptance", lambda: session.status().open_orders == 2, session)
        asked = questions(folder)
        by_hand = {"algoId": stops_of_okx(side)[0]["algoId"], "instId": side.symbol}
        side._okx("/api/v5/trade/cancel-algos", json.dumps([by_hand]))
        until("its end here", lambda: session.status().open_orders == 1, session)
        assert questions(folder) == asked
        session.kill("the test ends")
        until("the kill", lambda: stops_of_okx(side) == [], session)
        until("its end here", lambda: session.status().open_orders == 0, session)
        outcome = session.stop()
    assert (outcome.broken, outcome.status.open_orders) == (None, 0)
    again = verify(folder, Stops(size=str(SIZE / unit)))
    assert (again.same > 0, again.different) == (True, 0), again


class PushedStop(ms.Strategy, every="500ms"):
    """Keeps a stop a little below the market, and sells until the market comes to it."""

    size: ms.Qty = "0.04"
    stop: int = 0
    at: float = 0.0
    over: bool = False

    def on_book(self, m: Any) -> None:
        if m.bid is None or self.over:
            return
        bids = m.bids(20)
        if not self.stop:
            self.at = bids[4][0]
            self.stop = m.sell(self.size, kind="stop", trigger=self.at)
            return
        # All that is above the trigger, and a little of what is not.
        above = sum(qty for price, qty in bids if price > self.at)
        reached = [price for price, _ in bids if price <= self.at]
        if above > 50 * float(self.size) or not reached:
            # The market has gone away from it.
            self.at = bids[4][0]
            m.amend(self.stop, self.at, float(self.size))
        else:
            m.sell(above + float(self.size), reached[0], tif="ioc")

    def on_order(self, m: Any, order: Any) -> None:
        if order.id != self.stop:
            return
        self.over = self.over or order.filled > 0
        if order.state == "rejected":
            # The market was there before it: another one.
            self.stop = 0


@pytest.mark.parametrize("venue", ["okx", "okx_spot"])
def test_a_stop_that_is_triggered_is_told_as_such(
    server: VenueServer, venue: str, tmp_path: Path
) -> None:
    side, unit = DialectSide(server, venue), UNITS.get(venue, 1.0)
    folder = tmp_path / "run"
    strategy = PushedStop(size=str(SIZE / unit))

    def told() -> set[str]:
        reports = ms.journal.open(folder).records(types=["report"])
        return {str(one.fields["report"]) for one in reports if isinstance(one, Record)}

    with live(strategy, folder, venues=place(server, venue), size=1.0) as session:
        ready(session)
        until("a stop", lambda: strategy.stop != 0, session)
        until("word of its trigger", lambda: "triggered" in told(), session)
        until("what it sold", lambda: strategy.over, session)
        until("its end", lambda: session.status().open_orders == 0, session)
        assert stops_of_okx(side) == []
        outcome = session.stop()
    assert (outcome.broken, outcome.status.open_orders) == (None, 0)
    again = verify(folder, PushedStop(size=str(SIZE / unit)))
    assert (again.same > 0, again.different) == (True, 0), again


class MovedStop(ms.Strategy, every="20ms"):
    """Keeps one stop, and moves it down when told to."""

    size: ms.Qty = "0.04"
    moves: bool = False
    stop: int = 0
    at: float = 0.0

    def on_book(self, m: Any) -> None:
        if m.bid is None:
            return
        if not self.stop:
            self.at = m.bids(20)[-1][0] - 2_000
            self.stop = m.sell(self.size, kind="stop", trigger=self.at)
        if self.moves:
            self.moves, self.at = False, self.at - 10
            m.amend(self.stop, self.at, float(self.size) / 2)


@pytest.mark.parametrize("venue", ["okx", "okx_spot"])
def test_a_stop_is_moved_where_it_waits(server: VenueServer, venue: str, tmp_path: Path) -> None:
    side, unit = DialectSide(server, venue), UNITS.get(venue, 1.0)
    folder = tmp_path / "run"
    strategy = MovedStop(size=str(SIZE / unit))

    def is_told() -> bool:
        reports = ms.journal.open(folder).records(types=["report"])
        return any(one.fields["report"] == "amended" for one in reports if isinstance(one, Record))

    with live(strategy, folder, venues=place(server, venue), size=1.0) as session:
        ready(session)
        until("a stop", lambda: len(stops_of_okx(side)) == 1, session)
        until("its acceptance", lambda: session.status().open_orders == 1, session)
        (before,) = stops_of_okx(side)
        session.set_parameters({"moves": True})
        until("the change", lambda: stops_of_okx(side)[0]["sz"] != before["sz"], session)
        (after,) = stops_of_okx(side)
        assert after["algoId"] == before["algoId"]
        assert float(after["sz"]) == pytest.approx(float(before["sz"]) / 2)
        moved = float(after["triggerPx"]) - float(before["triggerPx"])
        assert moved == pytest.approx(-10)
        until("word of it", is_told, session)
        session.kill("the test ends")
        until("the kill", lambda: stops_of_okx(side) == [], session)
        until("its end here", lambda: session.status().open_orders == 0, session)
        outcome = session.stop()
    assert (outcome.broken, outcome.status.open_orders) == (None, 0)
    again = verify(folder, MovedStop(size=str(SIZE / unit)))
    assert (again.same > 0, again.different) == (True, 0), again
