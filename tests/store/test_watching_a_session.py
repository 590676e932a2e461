"""Events, state and store beside a session on real time: they agree with it and with each other."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import mainspring as ms
from mainspring.events import Bus, CounterSubscriber, Event, JournalSource, OrderFilled, replay
from mainspring.live import LiveSession, PaperVenue, Status, paper
from mainspring.state import StateStore
from mainspring.store import Store, StoreWriter, rebuild

FAST = PaperVenue(speed=20)
MAKER = ms.native.TouchMaker(size="0.01", max_position="0.1", every="20ms")


def wait_for(session: LiveSession, until: Callable[[Status], bool]) -> None:
    begun = time.monotonic()
    while not until(session.status()):
        assert time.monotonic() - begun < 30, session.status()
        time.sleep(0.005)


def content(path: Path) -> list[str]:
    connection = sqlite3.connect(path)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


def test_everything_that_watches_a_session_agrees_with_it(tmp_path: Path) -> None:
    folder, database = tmp_path / "session", tmp_path / "a.db"
    counters = CounterSubscriber()
    slow: list[Event] = []

    def slow_one(event: Event) -> None:
        time.sleep(0.002)
        slow.append(event)

    with paper(MAKER, folder, venue=FAST) as session:
        wait_for(session, lambda s: s.fills > 0)
        source = JournalSource(folder)
        holder = sqlite3.connect(database, isolation_level=None)
        with (
            Bus(source) as bus,
            StateStore(folder) as state,
            StoreWriter(source, database, flush_every_s=0.02) as writer,
        ):
            counting = bus.subscribe(counters)
            bus.subscribe(slow_one, types=[OrderFilled])
            assert writer.wait(1)
            holder.execute("BEGIN EXCLUSIVE")
            before = session.status().fills
            # The database is locked and a subscriber sleeps: trading goes on.
            wait_for(session, lambda s: s.fills > before + 5)
            snapshot = state.get_snapshot()
            assert snapshot.market_data["BTCUSDT"].mid_price is not None
            outcome = session.stop()
            holder.execute("ROLLBACK")
            holder.close()
            newest = source.newest
            assert outcome.status.sequence <= newest
            assert counting.wait(newest)
            assert state.wait(newest)
            assert writer.wait(newest)
            last = state.get_snapshot()
    fills = outcome.status.fills
    assert counters.counts()["OrderFilled"] == fills
    assert not last.open_orders
    lots = outcome.status.markets[0]["position_lots"]
    assert int(last.position("BTCUSDT") * 1_000) == lots
    rebuild(source, tmp_path / "b.db")
    assert content(database) == content(tmp_path / "b.db")
    with Store(database) as store:
        assert len(store.rows("fills")) == fills
        assert store.rows("positions")[0]["position_lots"] == lots
        assert {one["state"] for one in store.rows("orders")} <= {
            "filled", "cancelled", "rejected", "risk_rejected"
        }  # fmt: skip


def test_a_session_that_goes_on_with_other_limits_is_followed_through(tmp_path: Path) -> None:
    folder = tmp_path / "session"
    for limit in ("0.1", "0.08"):
        with paper(MAKER, folder, venue=FAST, limits=ms.Limits(max_position=limit)) as session:
            before = session.status().fills
            wait_for(session, lambda s, before=before: s.fills > before + 3)
            outcome = session.stop()
        source = JournalSource(folder)
        with StateStore(folder) as state:
            assert state.wait(source.newest)
            snapshot = state.get_snapshot()
            lots = outcome.status.markets[0]["position_lots"]
            assert int(snapshot.position("BTCUSDT") * 1_000) == lots
            metrics = state.risk_metrics(next(iter(snapshot.accounts)))
            assert str(metrics.max_position_size) == limit
    names = [event.name for event in replay(JournalSource(folder))]
    assert names.count("SessionStarted") == names.count("SessionStopped") == 2


def test_a_session_whose_beginning_was_archived_is_followed_from_its_snapshot(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "session"
    for _ in range(2):
        with paper(MAKER, folder, venue=FAST) as session:
            before = session.status().fills
            wait_for(session, lambda s, before=before: s.fills > before + 3)
            session.snapshot()
            outcome = session.stop()
    with StateStore(folder) as state:
        assert state.wait(JournalSource(folder).newest)
        whole = state.get_snapshot()
    segments = sorted(one for one in folder.rglob("*") if one.suffix == ".segment")
    assert len(segments) > 1, list(folder.rglob("*"))
    segments[0].unlink()
    with StateStore(folder) as state:
        assert state.wait(JournalSource(folder).newest)
        found = state.get_snapshot()
    assert (found.sequence, found.accounts) == (whole.sequence, whole.accounts)
    assert found.positions == whole.positions
    assert outcome.status.sequence <= found.sequence
