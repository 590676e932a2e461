"""Orders through ccxt: what a session asks of a client of it, and what it makes of the answers.

The client and its venue are in `ccxt_side`, so that these tests need no ccxt; the real one trades
on the simulator in `tests/oracles/test_ccxt_trades_on_the_venue.py`.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mainspring as ms
import pytest
from ccxt_side import (
    SYMBOL,
    After,
    AuthenticationError,
    Before,
    Blocks,
    Client,
    ExchangeNotAvailable,
    Hangs,
    InsufficientFunds,
    NetworkError,
    RateLimitExceeded,
    RequestTimeout,
    Side,
    error,
)
from live_sessions import until, wait_for
from mainspring.backtesting.reconciling import Reconcile
from mainspring.cli import main
from mainspring.cli.exits import Exit
from mainspring.errors import ConfigError
from mainspring.exchange import VenueServer
from mainspring.live import (
    CcxtVenue,
    Credentials,
    Hedge,
    LiveSession,
    LiveVenue,
    live,
    verify,
)
from mainspring.live.ccxt_words import failure_words, id_text, our_id, plain, snapped, status_of
from mainspring.live.ccxt_worker import CcxtWorker

KEY, SECRET = "the-key-of-a-test", "the-secret-of-a-test"
OFTEN = {"patience": {"reconcile_ns": 300_000_000}}


class Bids(ms.Strategy, every="20ms"):
    """Some orders that rest below the market, each once."""

    wanted: int = 1
    placed: int = 0

    def on_book(self, m: ms.Market) -> None:
        if m.mid > 0 and self.placed < self.wanted:
            self.placed += 1
            m.buy(0.02, m.bid - 100 - self.placed, post_only=True)


def somewhere(side: Side, **settings: Any) -> CcxtVenue:
    """The venue, looked at already."""
    client = settings.pop("made", lambda: Client(side))
    keys = Credentials(key=KEY, secret=SECRET)
    how = {"timeout": "5s", "poll": "20ms", "on_disconnect": "keep", **settings}
    venue = CcxtVenue("somewhere", [SYMBOL], credentials=keys, client=client, **how)
    check = venue.check()
    assert check.passed, check.problems
    return venue


def begin(
    side: Side, folder: Path, *, wanted: int = 1, orders: Any = None, **settings: Any
) -> LiveSession:
    venue = somewhere(side, **settings)
    return live(Bids(wanted=wanted), folder, venues=venue, size=1.0, orders=orders)


def held(session: LiveSession) -> float:
    return float(session.status().markets[0]["position_lots"]) / 1e4


def rest(session: LiveSession, side: Side, count: int) -> list[dict[str, Any]]:
    """Waits until so many orders are open, here and there."""
    until(f"{count} there", lambda: len(side.open_orders()) == count)
    wait_for(session, f"{count} orders", lambda s: s.open_orders == count)
    return side.open_orders()


def told(session: LiveSession, text: str) -> Callable[[], bool]:
    """Whether a note of the venue says so."""
    return lambda: any(text in f"{n['level']} {n['text']}" for n in session.venues()[0].notes)


def fields(folder: Path, kind: str) -> list[dict[str, Any]]:
    return [one.fields for one in ms.journal.open(folder).records(types=[kind])]


def ends_well(session: LiveSession, folder: Path, **strategy: Any) -> None:
    assert session.stop().broken is None
    again = verify(folder, Bids(**strategy))
    assert again.different == 0, again


@pytest.fixture
def side() -> Side:
    return Side()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "run"


@pytest.mark.parametrize("streams", [True, False])
def test_an_order_is_placed_acknowledged_and_filled_in_parts(
    side: Side, folder: Path, streams: bool
) -> None:
    clients: list[Client] = []

    def made() -> Client:
        clients.append(Client(side, streams=streams))
        return clients[-1]

    with begin(side, folder, made=made) as session:
        (order,) = rest(session, side, 1)
        assert (order["price"], order["amount"]) == (49_898.9, 0.02)
        assert order["clientOrderId"].startswith("ms")
        side.fill(order["id"], 0.005)
        wait_for(session, "a part", lambda s: s.fills == 1)
        assert (held(session), session.status().open_orders) == (0.005, 1)
        side.fill(order["id"], 0.015)
        wait_for(session, "the rest", lambda s: s.fills == 2 and s.open_orders == 0)
        assert held(session) == 0.02
        assert told(session, "milliseconds an order")(), "that it is slower is said"
        ends_well(session, folder)
    assert clients[-1].closed
    assert side.calls.count("create_order") == 1


def test_orders_are_cancelled_and_kill_lets_nothing_new_out(side: Side, folder: Path) -> None:
    with begin(side, folder, wanted=2) as session:
        rest(session, side, 2)
        session.cancel_all()
        wait_for(session, "no order", lambda s: s.open_orders == 0)
        assert side.open_orders() == []
        session.stop()
    with begin(side, folder.with_name("second"), wanted=3) as session:
        rest(session, side, 3)
        session.kill("a test")
        until("none there", lambda: side.open_orders() == [])
        wait_for(session, "no order", lambda s: s.open_orders == 0)
        assert session.halted is not None
        assert "cancel_all_orders" not in side.calls, "orders of others were left alone"
        session.stop()


def test_everything_is_cleared_where_that_is_wanted(side: Side, folder: Path) -> None:
    by_hand = side.place("buy", 40_000.0, 0.01)
    with begin(side, folder, cancel_all=True) as session:
        until("ours and theirs", lambda: len(side.open_orders()) == 2)
        session.kill("a test")
        until("none there", lambda: side.open_orders() == [])
        session.stop()
    assert side.orders[by_hand["id"]]["status"] == "canceled"
    assert "cancel_all_orders" in side.calls


def test_a_refusal_ends_an_order(side: Side, folder: Path) -> None:
    side.plan("create_order", Before(InsufficientFunds("not that much")))
    with begin(side, folder) as session:
        until("the refusal", told(session, "refused (InsufficientFunds): not that much"))
        wait_for(session, "its end", lambda s: s.orders == 1 and s.open_orders == 0)
        ends_well(session, folder)
    assert side.calls.count("create_order") == 1
    (said,) = [one for one in fields(folder, "report") if one["report"] == "rejected"]
    assert said["reason"] == "insufficient_margin"


@pytest.mark.parametrize(
    "step",
    [
        After(NetworkError("cut")),
        After(ExchangeNotAvailable("502")),
        After(KeyError("a bug of the library")),
        Hangs(),
    ],
)
def test_an_order_whose_answer_was_lost_is_found(
    side: Side, folder: Path, step: After | Hangs
) -> None:
    side.plan("create_order", step)
    patience = "2s" if isinstance(step, Hangs) else "5s"
    with begin(side, folder, timeout=patience) as session:
        until("the question", lambda: "answer" in names(folder))
        (order,) = rest(session, side, 1)
        side.fill(order["id"], 0.02)
        wait_for(session, "the fill", lambda s: s.fills == 1)
        ends_well(session, folder)
    answers = [one["answer"] for one in fields(folder, "answer")]
    assert "working" in answers
    assert side.calls.count("create_order") == 1, "nothing is sent twice"


def test_an_order_that_never_came_is_not_found(side: Side, folder: Path) -> None:
    side.plan("create_order", Before(RequestTimeout("too late")))
    with begin(side, folder) as session:
        wait_for(session, "its end", lambda s: s.orders == 1 and s.open_orders == 0)
        ends_well(session, folder)
    assert {one["answer"] for one in fields(folder, "answer")} == {"not_found"}
    assert side.orders == {}
    assert side.calls.count("create_order") == 1


def names(folder: Path) -> set[str]:
    return {record.name for record in ms.journal.open(folder).records()}


def test_too_many_requests_stop_all_but_for_the_time_that_the_venue_says(
    side: Side, folder: Path
) -> None:
    clients: list[Client] = []

    def made() -> Client:
        clients.append(Client(side))
        clients[-1].last_response_headers = {"Retry-After": "1"}
        return clients[-1]

    side.plan("create_order", Before(RateLimitExceeded("slow down")))
    with begin(side, folder, wanted=1, made=made) as session:
        until("the limit", told(session, "nothing is sent for 1000 ms"))
        wait_for(session, "its end", lambda s: s.orders == 1 and s.open_orders == 0)
        ends_well(session, folder)
    (said,) = [one for one in fields(folder, "report") if one["report"] == "rejected"]
    assert said["reason"] == "overloaded"


def test_a_key_that_is_not_taken_is_told_and_never_shown(
    side: Side, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    text = f"GET https://x.test/order?apiKey={KEY}&signature=0123456789 {SECRET} is wrong"
    side.plan("create_order", Before(AuthenticationError(text)))
    clients: list[Client] = []

    def made() -> Client:
        clients.append(Client(side))
        return clients[-1]

    with caplog.at_level(logging.DEBUG), begin(side, folder, made=made) as session:
        until("the refusal", told(session, "not authenticated"))
        wait_for(session, "its end", lambda s: s.orders == 1 and s.open_orders == 0)
        client: Any = clients[-1]
        assert (client.apiKey, client.secret) == (KEY, SECRET), "the client has it"
        # As ccxt writes each of its requests.
        client.logger.debug("Request: %s", client.apiKey)
        client.logger.error("Request: %s", client.secret)
        shown = f"{session.venues()} {session!r} {somewhere(side)!r} {caplog.text}"
        session.stop()
    shown += "".join(path.read_text(errors="replace") for path in folder.rglob("*.json"))
    raw = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    for hidden in (KEY, SECRET, "0123456789"):
        assert hidden not in shown
        assert hidden.encode() not in raw


def test_a_look_that_fails_says_why_and_shows_nothing(side: Side, tmp_path: Path) -> None:
    side.plan("fetch_balance", Before(AuthenticationError(f"no such key {KEY}")))
    client = Client(side)
    keys = Credentials(key=KEY, secret=SECRET)
    venue = CcxtVenue("somewhere", [SYMBOL], credentials=keys, client=lambda: client)
    with pytest.raises(ConfigError, match="never looked at"):
        live(Bids(), tmp_path / "run", venues=venue, size=1.0)
    check = venue.check()
    assert not check.passed
    assert any("no such key ***" in problem for problem in check.problems), check.problems
    with pytest.raises(ConfigError, match="found problems"):
        live(Bids(), tmp_path / "run", venues=venue, size=1.0)


def test_what_happened_while_nobody_listened_is_found_out_at_the_return(
    side: Side, folder: Path
) -> None:
    with begin(side, folder, wanted=3, stale="2s") as session:
        first, second, _ = rest(session, side, 3)
        side.down = True
        until("the loss", lambda: not session.venues()[0].up)
        side.fill(first["id"], 0.02)
        side.cancel(second["id"])
        assert session.status().open_orders == 3, "nothing is assumed while nobody listens"
        side.down = False
        wait_for(session, "the return", lambda s: s.open_orders == 1 and s.fills == 1)
        until("the venue", lambda: session.venues()[0].up)
        assert held(session) == 0.02
        ends_well(session, folder, wanted=3)
    assert side.calls.count("create_order") == 3
    assert {"query", "answer"} <= names(folder)


def test_orders_are_cancelled_when_the_venue_is_lost_where_that_is_wanted(
    side: Side, folder: Path
) -> None:
    with begin(side, folder, wanted=2, on_disconnect="cancel", stale="2s") as session:
        rest(session, side, 2)
        side.down = True
        until("the loss", lambda: not session.venues()[0].up)
        side.down = False
        wait_for(session, "no order", lambda s: s.open_orders == 0)
        until("none there", lambda: side.open_orders() == [])
        session.stop()


@pytest.mark.parametrize("ids", ["text", "uuid"])
def test_a_session_that_comes_back_finds_its_orders(side: Side, folder: Path, ids: Any) -> None:
    venue = somewhere(side, ids=ids)
    with live(Bids(wanted=3), folder, venues=venue, size=1.0) as session:
        rest(session, side, 3)
        session.stop(cancel=False)
    first, second, third = side.open_orders()
    assert (len(first["clientOrderId"]), first["clientOrderId"].count("-")) == {
        "text": (26, 0),
        "uuid": (36, 4),
    }[ids]
    side.fill(first["id"], 0.005)
    side.fill(first["id"], 0.005)
    side.fill(first["id"], 0.01)
    side.cancel(second["id"])
    with live(Bids(wanted=3), folder, venues=venue, size=1.0) as session:
        assert session.resumed
        wait_for(session, "what is left", lambda s: s.open_orders == 1 and s.totals["fills"] == 3)
        assert held(session) == 0.02
        # It is ours again: it can be cancelled.
        session.cancel_all()
        until("none there", lambda: side.open_orders() == [])
        wait_for(session, "no order", lambda s: s.open_orders == 0)
        ends_well(session, folder, wanted=3)
    assert side.orders[third["id"]]["status"] == "canceled"
    assert side.calls.count("create_order") == 3
    events = [one["event"] for one in fields(folder, "event")]
    assert "position_mismatch" not in events


def test_orders_of_others_are_adopted_and_those_that_vanish_are_asked_about(
    side: Side, folder: Path
) -> None:
    before = side.place("buy", 40_000.0, 0.01)
    orders = {**OFTEN, "foreign": "adopt"}
    with begin(side, folder, orders=orders) as session:
        rest(session, side, 2)
        side.place("sell", 60_000.0, 0.01, "web_1234")
        wait_for(session, "one that came later", lambda s: s.open_orders == 3)
        side.fill(before["id"], 0.01)
        wait_for(session, "its fill", lambda s: s.fills == 1 and s.open_orders == 2)
        assert held(session) == 0.01
        # Ours goes, and no stream says so.
        (ours,) = [one for one in side.open_orders() if one["clientOrderId"].startswith("ms")]
        side.cancel(ours["id"], told=False)
        wait_for(session, "what is left", lambda s: s.open_orders == 1)
        session.cancel_all()
        until("none there", lambda: side.open_orders() == [])
        session.stop()
    events = [one["event"] for one in fields(folder, "event")]
    assert events.count("order_adopted") == 2


def test_a_client_that_hangs_does_not_hold_up_the_session(side: Side, folder: Path) -> None:
    hangs = Blocks()
    side.plan("create_order", hangs)
    with begin(side, folder) as session:
        assert hangs.begun.wait(60)
        # Nothing of this client goes on until it is let go: commands are carried out all the same.
        sequence = session.status().sequence
        session.set_limits(ms.Limits(), reason="a test")
        session.snapshot()
        wait_for(session, "records", lambda s: s.sequence > sequence)
        assert not hangs.go.is_set()
        assert session.halted is None, "the kernel was never stuck"
        hangs.go.set()
        wait_for(session, "the order", lambda s: s.open_orders == 1)
        session.stop()


class Endless:
    """A relay that always has something to do, which is nothing, and counts what was taken."""

    taken = 0

    def next(self, timeout_s: float) -> tuple[str, int, str]:
        self.taken += 1
        return "ping", 1, ""


def test_what_is_asked_of_a_client_that_hangs_is_left_where_it_is_bounded(side: Side) -> None:
    worker, endless = CcxtWorker(somewhere(side)), Endless()
    hangs, go = threading.Event(), threading.Event()

    def hang() -> None:
        hangs.set()
        go.wait(60)

    relay: Any = worker.relay
    try:
        worker._loop.call(hang)
        assert hangs.wait(60)
        worker.relay = endless  # type: ignore[assignment]
        until("something taken", lambda: endless.taken > 0)
        ends = time.monotonic() + 0.5
        while time.monotonic() < ends and endless.taken < 3:
            time.sleep(0.01)
        assert endless.taken == 1, "one thing is handed to the loop, which hangs, and no more"
        go.set()
        until("the rest taken", lambda: endless.taken > 100)
    finally:
        go.set()
        worker.relay = relay
        worker.close()


def test_a_request_that_was_given_up_while_the_client_hung_is_not_done_late(side: Side) -> None:
    worker = CcxtWorker(somewhere(side))
    try:
        side.calls.clear()
        worker._loop.hand(worker._do, "call", 7, '{"do":"balances"}').wait(60)
        for _ in range(20):
            worker._loop.run(asyncio.sleep(0), 60)
        assert side.calls == [], "nobody waits for that answer"
    finally:
        worker.close()


class Together(ms.Strategy, every="20ms"):
    """Three bids at once, and nothing more."""

    placed: bool = False

    def on_book(self, m: ms.Market) -> None:
        if m.mid > 0 and not self.placed:
            self.placed = True
            for away in (100, 200, 300):
                m.buy(0.02, m.bid - away, post_only=True)


def in_batches(side: Side, **settings: Any) -> Client:
    client = Client(side)
    client.features = {"createOrders": {"max": 3}}
    for name, value in settings.items():
        setattr(client, name, value)
    return client


def together(side: Side, folder: Path, **settings: Any) -> LiveSession:
    venue = somewhere(side, made=lambda: in_batches(side, **settings))
    return live(Together(), folder, venues=venue, size=1.0)


def test_what_goes_together_is_one_request_and_each_order_has_its_outcome(
    side: Side, folder: Path
) -> None:
    with together(side, folder, refused_price=49_799.9) as session:
        rest(session, side, 2)
        until("the refusal", told(session, "refused (-2010): no room at 49799.9"))
        assert {one["price"] for one in side.open_orders()} == {49_899.9, 49_699.9}
        session.cancel_all()
        until("none there", lambda: side.open_orders() == [])
        wait_for(session, "no order", lambda s: s.open_orders == 0)
        assert session.stop().broken is None
    assert (side.calls.count("create_orders"), side.calls.count("create_order")) == (1, 0)
    assert (side.calls.count("cancel_orders"), side.calls.count("cancel_order")) == (1, 0)
    assert verify(folder, Together()).different == 0


@pytest.mark.parametrize("step", [After(NetworkError("cut")), After(error("InvalidOrder")("one"))])
def test_a_batch_that_fails_may_have_come_in_part(side: Side, folder: Path, step: After) -> None:
    side.plan("create_orders", step)
    with together(side, folder) as session:
        rest(session, side, 3)
        side.plan("cancel_orders", After(error("BadRequest")("some were not there")))
        session.cancel_all()
        until("none there", lambda: side.open_orders() == [])
        wait_for(session, "no order", lambda s: s.open_orders == 0)
        assert session.stop().broken is None
    assert side.calls.count("create_orders") == 1, "nothing is sent twice"
    assert len(side.orders) == 3
    assert verify(folder, Together()).different == 0


def working(folder: Path) -> set[int]:
    """Orders that the venue was asked about and that are there."""
    answers = fields(folder, "answer")
    return {one["order_id"] for one in answers if one["answer"] == "working"}


def test_orders_that_a_batch_does_not_name_are_found(side: Side, folder: Path) -> None:
    with together(side, folder, nameless=True) as session:
        rest(session, side, 3)
        until("answers", lambda: len(working(folder)) == 3)
        session.cancel_all()
        wait_for(session, "no order", lambda s: s.open_orders == 0)
        assert session.stop().broken is None
    assert len(side.orders) == 3


class Stops(ms.Strategy, every="20ms"):
    """A stop, a stop with a limit and a take-profit, each once."""

    placed: bool = False

    def on_book(self, m: ms.Market) -> None:
        if m.mid > 0 and not self.placed:
            self.placed = True
            m.sell(0.02, trigger=49_000.0)
            m.buy(0.02, 51_000.5, trigger=51_000.0)
            m.sell(0.02, kind="take_profit", trigger=52_000.0)


def test_stops_go_to_venues_that_keep_them_among_their_orders(side: Side, folder: Path) -> None:
    def made() -> Client:
        client = Client(side)
        client.id = "binance"
        return client

    with live(Stops(), folder, venues=somewhere(side, made=made), size=1.0) as session:
        rest(session, side, 3)
        said = [{name: one[name] for name in one if name != "clientOrderId"} for one in side.params]
        assert sorted(said, key=str) == [
            {"stopLossPrice": 49_000.0},
            {"stopLossPrice": 51_000.0},
            {"takeProfitPrice": 52_000.0},
        ]
        session.cancel_all()
        wait_for(session, "no order", lambda s: s.open_orders == 0)
        session.stop()
    with live(Stops(), folder.with_name("second"), venues=somewhere(side), size=1.0) as session:
        until("the reason", told(session, "hold stops in the engine"))
        session.stop()
    assert len(side.params) == 3, "elsewhere nothing is sent"


def test_the_venue_counts_down_where_that_is_wanted(side: Side, folder: Path) -> None:
    with begin(side, folder, countdown="20s", on_disconnect="cancel") as session:
        rest(session, side, 1)
        until("the countdown", lambda: side.countdowns[:1] == [20_000])
        session.stop()
    with pytest.raises(ConfigError, match="no countdown"):
        somewhere(side, countdown="20s", made=lambda: Client(side, lacks=("cancelAllOrdersAfter",)))


@pytest.mark.parametrize("amends", ["in_place", "replaced", None])
def test_orders_are_changed_as_the_venue_does_it_or_anew(
    side: Side, folder: Path, amends: Any
) -> None:
    client = Client(side)
    client.has["editOrder"] = amends is not None
    venue = somewhere(side, made=lambda: client, amends=amends)
    rules = Reconcile(amend="always")
    with live(Walks(), folder, venues=venue, size=1.0, reconcile=rules) as session:
        until("another price", lambda: [o["price"] for o in side.open_orders()] == [49_000.0])
        wait_for(session, "one order", lambda s: s.open_orders == 1)
        (order,) = side.open_orders()
        side.fill(order["id"], 0.02)
        wait_for(session, "its fill", lambda s: s.fills == 1 and s.open_orders == 0)
        session.stop()
    edits = {"in_place": 1, "replaced": 1, None: 0}[amends]
    assert side.calls.count("edit_order") == edits
    placed = {"in_place": 1, "replaced": 1, None: 2}[amends]
    assert side.calls.count("create_order") == placed
    assert len({order["id"] for order in side.orders.values()}) == (
        1 if amends == "in_place" else 2
    )


class Walks(ms.Strategy, every="50ms"):
    """A bid that moves once it is there, and stays away once it has traded."""

    moved: bool = False

    def on_book(self, m: ms.Market) -> None:
        if m.mid <= 0:
            return
        if m.position:
            m.quote()
            return
        self.moved = self.moved or any(order.state == "open" for order in m.orders())
        m.quote(bid=((49_000.0 if self.moved else 49_400.0, 0.02),))


def test_a_venue_that_fails_at_the_start_is_asked_again(side: Side, folder: Path) -> None:
    class Stumbles(Client):
        loads = 0

        async def load_markets(self, _reload: bool = False) -> dict[str, Any]:
            self.loads += 1
            # The client's own, that of the look, and the session's.
            if self.loads == 3:
                raise NetworkError("not now")
            return await super().load_markets(_reload)

    with begin(side, folder, made=lambda: Stumbles(side)) as session:
        rest(session, side, 1)
        session.stop()


def test_it_is_one_venue_beside_those_of_the_engine(side: Side, folder: Path) -> None:
    """A loss of the one is none of the other."""
    keys = Credentials(key="simulator-key", secret="simulator-secret")
    with VenueServer("binance", markets=("btcusdt",), warm_up_s=10) as server:
        other = LiveVenue("binance", ["BTCUSDT"], credentials=keys, url=server.url)
        assert other.check().passed
        for number, venues in enumerate(([other, somewhere(side)], [somewhere(side), other])):
            where = folder.with_name(f"run{number}")
            with live(ms.native.Noop(), where, venues=venues, size=1.0) as session:
                until("both", lambda s=session: all(v.up and v.fresh for v in s.venues()))
                assert [one.venue for one in session.venues()] == [one.name for one in venues]
                symbols = [one["symbol"] for one in session.status().markets]
                assert symbols == [one.symbols[0] for one in venues]
                side.down = True
                until(
                    "the loss", lambda s=session: sorted(v.up for v in s.venues()) == [False, True]
                )
                side.down = False
                until("the return", lambda s=session: all(v.up for v in s.venues()))
                session.stop()


# What is refused, and in which words


def test_what_ccxt_does_not_have_is_refused_with_the_reason(side: Side, folder: Path) -> None:
    venue = somewhere(side, made=lambda: Client(side, lacks=("createPostOnlyOrder",)))
    with live(Bids(), folder, venues=venue, size=1.0) as session:
        until("the reason", told(session, "no post-only orders here"))
        wait_for(session, "its end", lambda s: s.open_orders == 0)
        session.stop()
    assert "create_order" not in side.calls
    with pytest.raises(ConfigError, match="it has no fetchMyTrades there"):
        somewhere(side, made=lambda: Client(side, lacks=("fetchMyTrades",)))
    with pytest.raises(ConfigError, match="changes no orders"):
        somewhere(side, amends="in_place")


def test_a_venue_that_cannot_be_is_refused(side: Side, tmp_path: Path) -> None:
    def of(**settings: Any) -> CcxtVenue:
        return CcxtVenue("somewhere", [SYMBOL], client=lambda: Client(side), **settings)

    with pytest.raises(ConfigError, match="no ETH/EUR"):
        CcxtVenue("somewhere", ["ETH/EUR"], client=lambda: Client(side)).check()
    with pytest.raises(ConfigError, match="name the symbols"):
        CcxtVenue("somewhere", [], client=lambda: Client(side)).to_engine(1)
    with pytest.raises(ConfigError, match="orders need a key"):
        live(Bids(), tmp_path, venues=CcxtVenue("kraken", [SYMBOL]), size=1.0)
    assert of().check().passed
    with pytest.raises(ConfigError, match="lease"):
        live(Bids(), tmp_path / "run", venues=of(), size=1.0, lease="10s")
    hedge = Hedge(on={SYMBOL: "elsewhere:BTC"})
    with pytest.raises(ConfigError, match="not traded here"):
        live(Bids(), tmp_path / "run", venues=of(on_disconnect=hedge), size=1.0)


def test_the_command_line_looks_and_trades(
    side: Side, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given: list[dict[str, Any]] = []

    def somewhere(config: dict[str, Any]) -> Client:
        given.append(config)
        return Client(side)

    pro = SimpleNamespace(somewhere=somewhere, exchanges=["somewhere"])
    monkeypatch.setitem(sys.modules, "ccxt.pro", pro)
    monkeypatch.setenv("MAINSPRING_SOMEWHERE_KEY", KEY)
    monkeypatch.setenv("MAINSPRING_SOMEWHERE_SECRET", SECRET)
    where = ["--symbol", SYMBOL]
    trade = ["live", "native:Noop", "--venue", "ccxt:somewhere", *where, "--size", "0.5"]
    trade += ["--out", str(folder), "--seconds", "1"]
    assert main(trade) == Exit.CONFIG, "not before a look"
    assert main(["connect", "ccxt:somewhere", "--check", *where]) == Exit.OK
    assert main(trade) == Exit.OK
    shown = capsys.readouterr()
    assert "ccxt, in Python" in shown.err, "that it is slower is said"
    assert KEY not in shown.out + shown.err
    assert SECRET not in shown.out + shown.err
    assert given[-1] == {"enableRateLimit": True}, "keys go in apart"
    assert side.open_orders() == []
    assert main(["connect", "ccxt:nowhere", "--check", "--credentials", "none"]) == Exit.CONFIG
    assert main([*trade, "--url", "http://127.0.0.1:1"]) == Exit.USAGE


def test_exceptions_become_five_classes() -> None:
    def of(error: Exception) -> tuple[str, str | None]:
        words = failure_words(error, [])
        return words["class"], words.get("reason")

    would_take = error("OrderImmediatelyFillable", error("InvalidOrder"))
    assert of(InsufficientFunds()) == ("refused", "insufficient_margin")
    assert of(would_take()) == ("refused", "post_only_would_take")
    assert of(RateLimitExceeded())[0] == "rate_limited"
    assert of(AuthenticationError())[0] == "authentication"
    assert of(error("OnMaintenance", ExchangeNotAvailable)())[0] == "venue_down"
    for unknown in (
        NetworkError(),
        RequestTimeout(),
        error("OfTheVenue", NetworkError)(),
        KeyError("id"),
        Exception(),
    ):
        assert of(unknown)[0] == "unknown", "what may have been done is asked about"
    assert failure_words(RateLimitExceeded(), [], 2_000)["wait_ms"] == 2_000


def test_numbers_states_and_ids() -> None:
    from decimal import Decimal

    assert snapped(0.1 + 0.2, Decimal("0.1")) == "0.3"
    assert snapped(0.25, Decimal("0.1")) == "0.25", "what is off the grid is not moved"
    assert (plain(1e-9), plain(0.1 + 0.2), plain(None)) == ("0.000000001", "0.3", None)
    assert plain(123_456_789.125) == "123456789.125"
    states = {
        "open": {"status": "open", "filled": 0},
        "armed": {"status": "open", "filled": 0, "triggerPrice": 7},
        "part": {"status": "open", "filled": 1, "amount": 2},
        "filled": {"status": "closed", "filled": 2, "amount": 2},
        "cancelled": {"status": "closed", "filled": 1, "amount": 2},
        "expired": {"status": "expired"},
        "received": {"status": "a new word"},
    }
    assert {status_of(order) for order in states.values()} == set(states)
    assert all(status_of(order) == name for name, order in states.items())
    assert status_of({}) == "open", "what ccxt tells no state of was taken"
    ours = "ms" + "0123456789abcdef01234567"
    assert our_id(id_text(ours, "text"), "text") == ours
    assert our_id(f"t-{ours}r0001", "text") == f"{ours}r0001"
    assert our_id("web_1234", "text") == "web_1234"
    assert our_id("0X00006D73" + "0" * 24, "hex") == "0x00006d73" + "0" * 24
    number = "0x00006d73" + "0123456789abcdef01234567"
    assert id_text(number, "uuid") == "00006d73-0123-4567-89ab-cdef01234567"
    assert our_id(id_text(number, "uuid"), "uuid") == number
