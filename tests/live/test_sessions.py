"""Paper sessions: the strategies of backtests on a market that goes on."""

from __future__ import annotations

import threading
from pathlib import Path

import mainspring as ms
import pytest
from live_sessions import FAST, until, wait_for
from mainspring.errors import ConfigError, MismatchError, StrategyError
from mainspring.live import Keep, PaperVenue, paper, shadow, verify
from mainspring.simulation import write_journal

MAKER = ms.native.TouchMaker(size="0.01", max_position="0.1", every="20ms")


class Maker(ms.Strategy, every="20ms"):
    size: ms.Qty = "0.01"
    max_position: ms.Qty = "0.1"

    def on_book(self, m):
        if m.bid is None or m.ask is None:
            return
        held = m.position
        bid = ((m.bid, self.size),) if held < self.max_position - 1e-9 else ()
        ask = ((m.ask, self.size),) if held > -self.max_position + 1e-9 else ()
        m.quote(bid=bid, ask=ask)


def test_a_native_strategy_trades_and_ends_in_order(tmp_path: Path) -> None:
    with paper(MAKER, tmp_path, venue=FAST) as session:
        assert not session.resumed
        wait_for(session, "fills", lambda s: s.fills > 3)
        outcome = session.stop()
    assert outcome.broken is None
    assert outcome.status.open_orders == 0
    assert 0 < outcome.stop_ns < 10_000_000_000, "milliseconds, where nothing else runs"


def test_a_python_strategy_trades_on_its_worker(tmp_path: Path) -> None:
    with paper(Maker, tmp_path, venue=FAST) as session:
        wait_for(session, "fills", lambda s: s.fills > 3)
        outcome = session.stop()
    assert (outcome.broken, outcome.status.open_orders) == (None, 0)
    kinds = {record.name for record in ms.journal.open(tmp_path).records()}
    assert {"start", "market", "wishes", "order", "fill", "stop"} <= kinds


def test_a_restart_goes_on_with_position_and_declared_state(tmp_path: Path) -> None:
    class Counter(Maker):
        calls: int = 0

        def on_book(self, m):
            self.calls += 1
            super().on_book(m)

    first = Counter()
    with paper(first, tmp_path, venue=FAST) as session:
        wait_for(session, "a position", lambda s: s.markets[0]["position_lots"] != 0)
        held = session.stop().status.markets[0]["position_lots"]
    assert first.calls > 0
    again = Counter()
    with paper(again, tmp_path, venue=FAST) as session:
        assert session.resumed
        wait_for(session, "a picture", lambda s: s.rows > 0)
        until("more calls", lambda: again.calls >= first.calls)
        after = session.stop().status.markets[0]["position_lots"]
    # What the second life held at first: its end less what it traded itself.
    records = list(ms.journal.open(tmp_path).records(types=["resume", "fill"]))
    resumed = next(one.sequence for one in records if one.name == "resume")
    own = [one.fields for one in records if one.name == "fill" and one.sequence > resumed]
    traded = sum(one["qty_lots"] * (1 if one["side"] == "buy" else -1) for one in own)
    assert after - traded == held


def test_a_kill_stays_over_a_restart_until_a_person_lifts_it(tmp_path: Path) -> None:
    with paper(MAKER, tmp_path, venue=FAST) as session:
        wait_for(session, "orders", lambda s: s.open_orders > 0)
        session.kill("a test")
        wait_for(session, "halt", lambda s: s.halted and s.open_orders == 0)
        assert session.halted == ("command", "a test")
    with paper(MAKER, tmp_path, venue=FAST) as session:
        wait_for(session, "market data", lambda s: s.rows > 100)
        assert session.status().orders == 0
        with pytest.raises(ConfigError, match="say why"):
            session.rearm(" ")
        session.rearm("looked at it")
        wait_for(session, "orders", lambda s: s.orders > 0)


def test_the_kill_file_halts(tmp_path: Path) -> None:
    with paper(MAKER, tmp_path, venue=FAST) as session:
        wait_for(session, "orders", lambda s: s.open_orders > 0)
        (tmp_path / "KILL").write_text("enough")
        wait_for(session, "halt", lambda s: s.halted and s.open_orders == 0)
        assert session.halted is not None
        assert session.halted[0] == "file"


def test_a_strategy_in_an_endless_loop_delays_nobody_and_is_stopped(tmp_path: Path) -> None:
    release = threading.Event()

    class Hangs(Maker):
        def on_book(self, m):
            super().on_book(m)
            if m.orders:
                while not release.is_set():
                    pass

    session = paper([Hangs(), MAKER], tmp_path, venue=FAST, keep=Keep(strategy="300ms"))
    try:
        until("the watch", lambda: any(e[1] == "strategy_hung" for e in session.entries))
        before = session.status()
        # The other strategy and the market go on.
        wait_for(session, "a market that goes on", lambda s: s.rows > before.rows + 100)
        session.kill("while it hangs")
        wait_for(session, "halt", lambda s: s.halted and s.open_orders == 0)
        assert session.stop().broken is None
    finally:
        release.set()


def test_an_error_stops_the_strategy_and_not_the_session(tmp_path: Path) -> None:
    class Fails(Maker):
        def on_book(self, m):
            super().on_book(m)
            if m.orders:
                raise ValueError("planted")

    session = paper([Fails(), MAKER], tmp_path, venue=FAST)
    status = wait_for(session, "orders", lambda s: s.orders > 2)
    wait_for(session, "a market that goes on", lambda s: s.rows > status.rows + 200)
    place = r"test_sessions\.py:\d+ in on_book: ValueError: planted"
    with pytest.raises(StrategyError, match=place):
        session.stop()
    stops = list(ms.journal.open(tmp_path).records(types=["command"]))
    assert [one.fields["command"] for one in stops] == ["stop_strategy"]


def test_state_that_a_restart_would_lose_is_refused(tmp_path: Path) -> None:
    class Forgets(Maker):
        def on_book(self, m):
            self.last = m.bid

    with pytest.raises(ConfigError, match=r"changes self\.last, which a restart would lose"):
        paper(Forgets, tmp_path)

    class Keeps(Forgets):
        def save_state(self):
            return getattr(self, "last", None)

        def load_state(self, state):
            self.last = state

    paper(Keeps, tmp_path, venue=FAST).stop()


def test_a_folder_in_use_and_another_session_are_refused(tmp_path: Path) -> None:
    with (
        paper(MAKER, tmp_path, venue=FAST),
        pytest.raises(MismatchError, match="being written"),
    ):
        paper(MAKER, tmp_path, venue=FAST)
    with pytest.raises(MismatchError):
        paper([MAKER, MAKER], tmp_path, venue=FAST)


@pytest.mark.parametrize(
    ("venue", "keep", "message"),
    [
        (PaperVenue(markets=("nothing",)), Keep(), "nothing"),
        (PaperVenue(speed=0), Keep(), "speed"),
        (PaperVenue(entry="soon"), Keep(), "entry latency"),
        (PaperVenue(), Keep(sync="never"), "sync"),
    ],
)
def test_settings_that_cannot_be_used_are_named(
    tmp_path: Path, venue: PaperVenue, keep: Keep, message: str
) -> None:
    with pytest.raises(ms.errors.MainspringError, match=message):
        paper(MAKER, tmp_path, venue=venue, keep=keep)


def test_strategies_that_run_again_ask_for_the_same(tmp_path: Path) -> None:
    for _ in range(2):
        with paper([Maker(), MAKER], tmp_path, venue=FAST) as session:
            wait_for(session, "fills", lambda s: s.fills > 3)
    found = verify(tmp_path, [Maker(), MAKER])
    assert found.same > 5
    assert (found.different, found.difference) == (0, None)
    # The journal names the strategies itself.
    assert verify(tmp_path) == found


def test_another_version_decides_differently_and_is_told_where(tmp_path: Path) -> None:
    with paper([Maker(), MAKER], tmp_path, venue=FAST) as session:
        wait_for(session, "orders", lambda s: s.orders > 40)
    smaller = ms.native.TouchMaker(size="0.005", max_position="0.1", every="20ms")
    found = shadow(tmp_path, [Maker(), smaller])
    assert found.different > 5
    assert found.difference is not None
    assert found.difference.strategy == 1
    assert found.difference.recorded != found.difference.again
    assert "first difference at record" in str(found)
    assert verify(tmp_path, [Maker(), smaller]).different == 1
    assert shadow(tmp_path, [Maker(size="0.02"), MAKER]).difference.strategy == 0


def test_where_no_code_is_told_nothing_is_said_to_be_the_same(tmp_path: Path) -> None:
    write_journal(tmp_path, steps=50)
    with pytest.raises(MismatchError, match="give the strategies"):
        verify(tmp_path)
