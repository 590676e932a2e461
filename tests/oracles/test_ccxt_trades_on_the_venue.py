"""Orders by ccxt in live sessions: ccxt pro, unchanged but for its addresses, on the simulator."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import mainspring as ms
import pytest
from ccxt_clients import KINDS, SYMBOL, bybit, client, hyperliquid, okx
from mainspring.backtesting.reconciling import Reconcile
from mainspring.exchange import Faults, VenueServer
from mainspring.live import CcxtVenue, LiveSession, live, verify

pytestmark = pytest.mark.oracle

ccxt = pytest.importorskip("ccxt", reason="ccxt is not installed here")
pro = pytest.importorskip("ccxt.pro", reason="ccxt.pro is not installed here")


@pytest.fixture
def server() -> Iterator[VenueServer]:
    with VenueServer(markets=("btcusdt",), warm_up_s=30) as server:
        yield server


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAINSPRING_HOME", str(tmp_path / "home"))


def venue(server: VenueServer, kind: str, **settings: Any) -> CcxtVenue:
    """The venue by ccxt, looked at already."""
    name = "binance" if kind == "spot" else "binanceusdm"
    made = CcxtVenue(
        name, [SYMBOL[kind]], client=lambda: client(pro, kind, server), name="by_ccxt", **settings
    )
    check = made.check()
    assert check.passed, check.problems
    return made


class Theirs:
    """The account as another client of ccxt sees it, which has nothing to do with the session."""

    def __init__(self, server: VenueServer, kind: str) -> None:
        self.symbol, self.kind = SYMBOL[kind], kind
        self.client = client(ccxt, kind, server)
        self.client.load_markets()

    def open_orders(self) -> list[dict[str, Any]]:
        return list(self.client.fetch_open_orders(self.symbol))

    def position(self) -> float:
        if self.kind == "spot":
            return float(self.client.fetch_balance()["total"]["BTC"]) - 10.0
        (one,) = self.client.fetch_positions([self.symbol]) or [{"contracts": 0, "side": "long"}]
        return float(one["contracts"]) * (-1 if one["side"] == "short" else 1)


def until(what: str, check: Callable[[], bool], seconds: float = 90.0) -> None:
    begun = time.monotonic()
    while not check():
        assert time.monotonic() - begun < seconds, f"no {what}"
        time.sleep(0.1)


def wait_for(session: LiveSession, what: str, check: Callable[[Any], bool]) -> None:
    until(f"{what}: {session.status()} {session.venues()}", lambda: check(session.status()))


def held(session: LiveSession) -> float:
    return float(session.status().markets[0]["position_lots"]) / 1_000


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("amend", ["never", "always"])
def test_a_maker_trades(server: VenueServer, tmp_path: Path, kind: str, amend: Any) -> None:
    """Orders are placed, cancelled or changed, and filled; every position is the venue's."""
    maker = ms.native.TouchMaker(size="0.02", max_position="0.2", every="100ms")
    theirs, folder = Theirs(server, kind), tmp_path / "run"
    place, rules = venue(server, kind), Reconcile(amend=amend)
    with live(maker, folder, venues=place, size=1.0, reconcile=rules) as session:
        wait_for(session, "trading", lambda s: s.fills >= 4 and s.orders >= 6)
        if amend == "always":
            wait_for(session, "changes", lambda s: s.totals["amends"] >= 3)
        else:
            wait_for(session, "cancels", lambda s: s.cancels >= 2)
        (state,) = session.venues()
        assert (state.venue, state.up, state.fresh) == ("by_ccxt", True, True)
        assert any(note["topic"] == "slower" for note in state.notes)
        session.kill("enough")
        until("no orders there", lambda: theirs.open_orders() == [])
        wait_for(session, "no orders here", lambda s: s.open_orders == 0)
        until("the same position", lambda: abs(theirs.position() - held(session)) < 0.0006)
        outcome = session.stop()
    assert outcome.broken is None
    again = verify(folder)
    assert again.different == 0, again
    events = [one.fields["event"] for one in ms.journal.open(folder).records(types=["event"])]
    assert not {"position_mismatch", "foreign_order", "foreign_fill"} & set(events), events


@pytest.mark.parametrize("kind", KINDS)
def test_what_nobody_knows_is_found_out(server: VenueServer, tmp_path: Path, kind: str) -> None:
    """Answers that are lost, refusals of all requests, cuts: in the end both sides say the same."""
    maker = ms.native.TouchMaker(size="0.02", max_position="0.2", every="100ms")
    theirs, folder = Theirs(server, kind), tmp_path / "run"
    place = venue(server, kind, timeout="3s")
    often = {"patience": {"reconcile_ns": 2_000_000_000}}
    with live(maker, folder, venues=place, size=1.0, orders=often) as session:
        wait_for(session, "trading", lambda s: s.fills >= 1)
        server.set_faults(
            Faults(
                unknown_outcome=0.15, server_error=0.05, too_many_requests=0.02, disconnect=0.005
            )
        )
        until("answers to questions", lambda: count(folder, "answer") >= 5)
        server.set_faults(Faults())
        before = session.status().orders
        wait_for(session, "trading again", lambda s: s.orders > before + 2)
        session.kill("enough")
        until("no orders there", lambda: theirs.open_orders() == [])
        wait_for(session, "no orders here", lambda s: s.open_orders == 0)
        until("the same position", lambda: abs(theirs.position() - held(session)) < 0.0006)
        assert session.stop().broken is None
    assert verify(folder).different == 0


def count(folder: Path, kind: str) -> int:
    return sum(1 for _ in ms.journal.open(folder).records(types=[kind]))


@dataclass(frozen=True)
class Elsewhere:
    """A venue of another dialect: how its client is made, what is traded, and how."""

    made: Callable[..., Any]
    kind: str
    symbol: str
    size: str = "0.02"
    amends: Literal["in_place"] | None = "in_place"


ELSEWHERE = {
    "okx-swap": Elsewhere(okx, "swap", "BTC/USDT:USDT", size="2"),
    "okx-spot": Elsewhere(okx, "spot", "BTC/USDT"),
    "bybit-swap": Elsewhere(bybit, "swap", "BTC/USDT:USDT"),
    "bybit-spot": Elsewhere(bybit, "spot", "BTC/USDT"),
    "hyperliquid-swap": Elsewhere(hyperliquid, "swap", "BTC/USDC:USDC", amends=None),
}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_maker_trades_in_other_dialects(tmp_path: Path, name: str) -> None:
    """Contracts of a hundredth of a coin, passphrases, wallets, batches, and orders changed."""
    how, exchange = ELSEWHERE[name], name.partition("-")[0]
    most = str(10 * Decimal(how.size))
    maker = ms.native.TouchMaker(size=how.size, max_position=most, every="100ms")
    with VenueServer(exchange, markets=("btcusdt",), warm_up_s=30) as server:
        place = CcxtVenue(
            exchange, [how.symbol], client=lambda: how.made(pro, server, how.kind),
            amends=how.amends,
        )  # fmt: skip
        check = place.check()
        assert check.passed, check.problems
        theirs = how.made(ccxt, server, how.kind)
        theirs.load_markets()
        rules, folder = Reconcile(amend="always"), tmp_path / "run"
        with live(maker, folder, venues=place, size=1.0, reconcile=rules) as session:
            changes = 0 if how.amends is None else 2
            wait_for(session, "trading", lambda s: s.fills >= 3 and s.totals["amends"] >= changes)
            session.kill("enough")
            until("no orders there", lambda: theirs.fetch_open_orders(how.symbol) == [])
            wait_for(session, "no orders here", lambda s: s.open_orders == 0)
            assert session.stop().broken is None
    assert verify(folder).different == 0
    events = [one.fields["event"] for one in ms.journal.open(folder).records(types=["event"])]
    assert not {"position_mismatch", "foreign_order", "foreign_fill"} & set(events), events


class Stops(ms.Strategy, every="100ms"):
    """Three orders that wait far away, and stops on both sides of a market that comes to one."""

    placed: bool = False
    below: int = 0
    above: int = 0

    def on_book(self, m: ms.Market) -> None:
        if m.mid <= 0:
            return
        if not self.placed:
            self.placed = True
            m.sell(0.02, trigger=m.bid - 2_000)
            m.sell(0.02, kind="take_profit", trigger=m.ask + 2_000)
            m.buy(0.02, m.ask + 2_005, trigger=m.ask + 2_000)
        # One is refused where the market was there before it.
        here = {order.id for order in m.orders()}
        if m.position == 0 and self.below not in here:
            self.below = m.sell(0.02, trigger=m.bid - 1.0)
        if m.position == 0 and self.above not in here:
            self.above = m.buy(0.02, trigger=m.ask + 1.0)


@pytest.mark.parametrize("exchange", ["binance", "bybit"])
def test_stops_wait_trade_and_are_cancelled(tmp_path: Path, exchange: str) -> None:
    kind = {"binance": "spot", "bybit": "swap"}[exchange]
    maker = client if exchange == "binance" else (lambda module, _, at: bybit(module, at))
    folder = tmp_path / "run"
    with VenueServer(exchange, markets=("btcusdt",), warm_up_s=30) as server:
        place = CcxtVenue(exchange, [SYMBOL[kind]], client=lambda: maker(pro, kind, server))
        check = place.check()
        assert check.passed, check.problems
        theirs = maker(ccxt, kind, server)
        theirs.load_markets()

        def waiting() -> int:
            return len(theirs.fetch_open_orders(SYMBOL[kind]))

        # A stop whose end nobody told of is asked about.
        often = {"patience": {"reconcile_ns": 2_000_000_000}}
        with live(Stops(), folder, venues=place, size=1.0, orders=often) as session:
            wait_for(session, "a stop", lambda s: s.fills >= 1 and s.open_orders >= 3)
            assert waiting() >= 3
            session.kill("enough")
            until("none there", lambda: waiting() == 0)
            wait_for(session, "none here", lambda s: s.open_orders == 0)
            assert session.stop().broken is None
    assert verify(folder, Stops()).different == 0


class Four(ms.Strategy, every="100ms"):
    """Two orders, one of which will trade, and two that rest far away; nothing more."""

    placed: bool = False

    def on_book(self, m: ms.Market) -> None:
        if m.mid > 0 and not self.placed:
            self.placed = True
            for away in (1, 2_000):
                # The market may have come to the nearer ones before they are there.
                m.buy(0.01, m.bid - away, post_only=away > 1)
                m.sell(0.01, m.ask + away, post_only=away > 1)


def at_the_venue(folder: Path) -> set[int]:
    """Orders that are or were there: a fill may be told before the answer."""
    reports = ms.journal.open(folder).records(types=["report"])
    said = ("accepted", "filled")
    return {one.fields["order_id"] for one in reports if one.fields["report"] in said}


@pytest.mark.parametrize("kind", KINDS)
def test_a_session_that_comes_back_finds_its_orders(
    server: VenueServer, tmp_path: Path, kind: str
) -> None:
    theirs, folder = Theirs(server, kind), tmp_path / "run"
    place = venue(server, kind)
    with live(Four, folder, venues=place, size=1.0) as session:
        until("four orders", lambda: len(at_the_venue(folder)) == 4)
        session.stop(cancel=False)
    # What becomes of them while nobody listens: one trades, one is cancelled.
    until("a fill", lambda: len(theirs.open_orders()) < 4)
    gone = min(theirs.open_orders(), key=lambda one: float(one["price"]))
    theirs.client.cancel_order(gone["id"], theirs.symbol)
    with live(Four, folder, venues=place, size=1.0) as session:
        assert session.resumed
        until("what is left", lambda: session.status().open_orders == len(theirs.open_orders()))
        wait_for(session, "the fill", lambda s: s.totals["fills"] >= 1)
        until("the same position", lambda: abs(theirs.position() - held(session)) < 0.0006)
        session.cancel_all()
        until("none there", lambda: theirs.open_orders() == [])
        wait_for(session, "none here", lambda s: s.open_orders == 0)
        assert session.status().totals["orders"] == 4, "nothing was placed anew"
        assert session.stop().broken is None
    assert verify(folder, Four()).different == 0
