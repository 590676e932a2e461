"""The store: the same from any way of following, and in nobody's way."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mainspring.errors import InvalidValue, NotFoundError, StorageError
from mainspring.events import JournalSource, Memory, OrderFilled, RunLog, replay
from mainspring.store import TABLES, Store, StoreWriter, rebuild, schema
from session_records import Scribe, small_session


def content(path: Path) -> list[str]:
    """Everything in a database, as text."""
    connection = sqlite3.connect(path)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


def followed(source: Any, path: Path, **options: Any) -> None:
    with StoreWriter(source, path, flush_every_s=0.01, **options) as writer:
        assert writer.wait()


def test_the_store_of_a_small_session(tmp_path: Path) -> None:
    scribe = small_session()
    followed(scribe.memory, tmp_path / "a.db")
    with Store(tmp_path / "a.db") as store:
        orders = store.rows("orders")
        assert [(one["order_id"], one["state"], one["filled"]) for one in orders] == [
            (1, "filled", "0.010"), (2, "cancelled", "0.000"), (3, "unknown", "0.000")
        ]  # fmt: skip
        assert orders[0]["price"] == "100.0"
        steps = store.rows("transitions", order_id=1)
        assert [(one["old"], one["new"]) for one in steps] == [
            (None, "created"), ("created", "submitted"), ("submitted", "open"),
            ("open", "partially_filled"), ("partially_filled", "filled"),
        ]  # fmt: skip
        assert [one["after_ns"] for one in steps] == [0, 0, 10**9, 2 * 10**9, 10**9]
        assert [one["qty"] for one in store.rows("fills")] == ["0.004", "0.006"]
        assert [one["position"] for one in store.rows("positions")] == ["0.010"]
        assert [one["equity"] for one in store.rows("equity")] == ["100000"]
        assert [one["decision"] for one in store.rows("risk_decisions")] == [
            "command_kill", "halted", "emergency_liquidation"
        ]  # fmt: skip
        assert store.rows("counters", name="OrderFilled")[0]["value"] == 2
        assert store.position == scribe.memory.newest


def test_the_store_agrees_with_the_events(simulated_journal: Path, tmp_path: Path) -> None:
    source = JournalSource(simulated_journal)
    rebuild(source, tmp_path / "a.db")
    events = list(replay(source))
    with Store(tmp_path / "a.db") as store:
        rows = store.rows("events", limit=10**6)
        assert [(r["sequence"], r["part"], r["event"]) for r in rows] == [
            (e.sequence, e.part, e.name) for e in events
        ]
        assert json.loads(rows[-1]["payload"]).keys() == events[-1].payload().keys()
        counts = {one["name"]: one["value"] for one in store.rows("counters")}
        assert counts == Counter(event.name for event in events)
        fills = [event for event in events if isinstance(event, OrderFilled)]
        assert len(fills) > 50
        sums = store.query("SELECT fee, realised, side, qty_lots FROM fills")
        assert sum(Decimal(one["fee"]) for one in sums) == sum(one.fee for one in fills)
        position = sum(one["qty_lots"] * (1 if one["side"] == "buy" else -1) for one in sums)
        assert store.rows("positions")[0]["position_lots"] == position == fills[-1].position_lots


def test_a_store_that_was_followed_is_the_one_that_is_rebuilt(
    simulated_journal: Path, tmp_path: Path
) -> None:
    source = JournalSource(simulated_journal)
    assert rebuild(source, tmp_path / "rebuilt.db") == source.newest
    for batch in (1_000, 97):
        followed(source, tmp_path / f"{batch}.db", batch=batch)
        assert content(tmp_path / f"{batch}.db") == content(tmp_path / "rebuilt.db")
    # Deleted and made again, in place of what is there.
    rebuild(source, tmp_path / "97.db")
    assert content(tmp_path / "97.db") == content(tmp_path / "rebuilt.db")
    assert not list(tmp_path.glob("*.new*")), "nothing half-made is left"


actions = st.lists(
    st.one_of(
        st.tuples(st.just("order"), st.integers(1, 4)),
        st.tuples(st.just("fill"), st.integers(1, 4)),
        st.tuples(st.just("sample"), st.integers(1, 4)),
        st.tuples(st.just("end"), st.integers(1, 4)),
        st.tuples(st.just("restart"), st.integers(1, 9)),
    ),
    max_size=40,
)


@given(actions)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_restarts_of_the_writer_leave_no_trace(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    folder = tmp_path_factory.mktemp("restarts")
    scribe = Scribe()
    scribe.input("start")
    for action, number in steps:
        if action == "order" and number not in scribe.orders:
            scribe.market()
            scribe.new_order(number)
            scribe.order(number, "submitted")
        elif action == "fill" and number in scribe.orders:
            scribe.fill(number, number)
        elif action == "sample":
            scribe.sample(number)
        elif action == "end" and number in scribe.orders:
            scribe.input("report", order_id=number)
            scribe.order(number, "cancelled", reason="requested")
        elif action == "restart":
            followed(scribe.memory, folder / "a.db", batch=number)
    followed(scribe.memory, folder / "a.db")
    rebuild(scribe.memory, folder / "b.db")
    assert content(folder / "a.db") == content(folder / "b.db")


def test_a_locked_database_delays_nothing_and_loses_nothing(tmp_path: Path) -> None:
    scribe, path = Scribe(), tmp_path / "a.db"
    scribe.input("start")
    with StoreWriter(scribe.memory, path, flush_every_s=0.01) as writer:
        assert writer.wait()
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
        slowest = 0.0
        for number in range(1, 2_001):
            began = time.perf_counter()
            scribe.market()
            scribe.new_order(number)
            slowest = max(slowest, time.perf_counter() - began)
        assert not writer.wait(timeout_s=1.5)
        assert writer.written <= 1
        assert writer.lag > 3_000
        assert writer.retries > 0
        assert "locked" in str(writer.last_error)
        holder.execute("ROLLBACK")
        holder.close()
        assert writer.wait()
        assert writer.lag == 0
        assert writer.last_error is None
    rebuild(scribe.memory, tmp_path / "b.db")
    assert content(path) == content(tmp_path / "b.db")
    assert slowest < 1.0


def test_a_writer_ends_in_time_while_the_database_is_locked(tmp_path: Path) -> None:
    scribe, path = small_session(), tmp_path / "a.db"
    followed(scribe.memory, path)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    scribe.market()
    scribe.new_order(9)
    writer = StoreWriter(scribe.memory, path, flush_every_s=0.01)
    writer.start()
    assert not writer.wait(timeout_s=0.5)
    began = time.monotonic()
    assert writer.close()
    assert time.monotonic() - began < 3
    assert writer.lag > 0
    holder.close()
    followed(scribe.memory, path)
    rebuild(scribe.memory, tmp_path / "b.db")
    assert content(path) == content(tmp_path / "b.db")


def test_readers_are_not_in_the_writers_way(tmp_path: Path) -> None:
    scribe, path = Scribe(), tmp_path / "a.db"
    scribe.input("start")
    with StoreWriter(scribe.memory, path, flush_every_s=0.01) as writer:
        assert writer.wait()
        with Store(path) as store:
            store._connection.execute("BEGIN")
            assert store.query("SELECT COUNT(*) AS n FROM orders") == [{"n": 0}]
            scribe.market()
            scribe.new_order(1)
            assert writer.wait(timeout_s=10)
            # A reader's moment does not move under it.
            assert store.query("SELECT COUNT(*) AS n FROM orders") == [{"n": 0}]
            store._connection.execute("COMMIT")
            assert store.query("SELECT COUNT(*) AS n FROM orders") == [{"n": 1}]
        assert writer.retries == 0


def test_rows_of_records_that_a_recovery_cut_away_go(tmp_path: Path) -> None:
    scribe, path = Scribe(), tmp_path / "a.db"
    scribe.market()
    scribe.new_order(1)
    scribe.fill(1, 4)
    kept = scribe.memory.newest
    scribe.fill(1, 6)
    with StoreWriter(scribe.memory, path, flush_every_s=0.01) as writer:
        assert writer.wait()
        scribe.memory.cut(kept)
        scribe.orders[1]["filled_lots"], scribe.position = 4, 4
        until = time.monotonic() + 10
        while writer.written != kept and time.monotonic() < until:
            time.sleep(0.01)
        scribe.fill(1, 5)
        assert writer.wait()
    rebuild(scribe.memory, tmp_path / "b.db")
    assert content(path) == content(tmp_path / "b.db")
    with Store(path) as store:
        assert [one["qty_lots"] for one in store.rows("fills")] == [4, 5]


def test_what_was_cut_away_while_nobody_wrote_goes_as_well(tmp_path: Path) -> None:
    scribe, path = small_session(), tmp_path / "a.db"
    followed(scribe.memory, path)
    scribe.memory.cut(20)
    followed(scribe.memory, path)
    rebuild(scribe.memory, tmp_path / "b.db")
    assert content(path) == content(tmp_path / "b.db")


def test_the_store_of_another_journal_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    followed(small_session().memory, path)
    other = Scribe()
    other.now = 10**15
    other.market()
    other.new_order(77)
    followed(other.memory, path)
    with Store(path) as store:
        assert [one["order_id"] for one in store.rows("orders")] == [77]


def test_rows_of_records_that_were_archived_stay(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    scribe = Scribe(retention=40)
    scribe.market()
    scribe.new_order(1)
    followed(scribe.memory, path)
    for number in range(2, 52):
        scribe.new_order(number)
    followed(scribe.memory, path)
    with Store(path) as store:
        numbers = [one["order_id"] for one in store.rows("orders")]
    assert numbers == [1, *range(12, 52)]


def test_the_log_of_a_run_makes_a_store(tmp_path: Path) -> None:
    import mainspring as ms

    run = ms.backtest(
        ms.native.TouchMaker(size="0.01", max_position="0.1"), ms.sample("btcusdt", hours=0.05)
    )
    rebuild(RunLog(run), tmp_path / "a.db")
    with Store(tmp_path / "a.db") as store:
        fills = store.rows("fills")
        assert [one["price_ticks"] for one in fills] == run.fills["price_ticks"].tolist()
        assert [float(one["fee"]) for one in fills] == pytest.approx(run.fills["fee"].tolist())
        assert len(store.rows("equity")) == len(run.equity)
        assert {one["order_type"] for one in store.rows("orders")} == {"limit"}


def test_a_newer_store_is_refused_and_an_older_one_migrated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scribe, path = small_session(), tmp_path / "a.db"
    followed(scribe.memory, path)
    before = content(path)
    newer = (*schema.MIGRATIONS, "ALTER TABLE fills ADD COLUMN liquidity TEXT")
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", newer)
        with pytest.raises(StorageError, match="rebuild it from the journal"):
            Store(path)
        connection = sqlite3.connect(path, isolation_level=None)
        schema.migrate(connection)
        assert schema.version(connection) == len(newer)
        assert connection.execute("SELECT liquidity FROM fills").fetchall() == [(None,), (None,)]
        connection.close()
    with pytest.raises(StorageError, match="use the newer build, or delete the file"):
        followed(scribe.memory, path)
    rebuild(scribe.memory, path)
    assert content(path) == before


def test_a_migration_that_fails_leaves_the_tables_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.db"
    followed(small_session().memory, path)
    before = content(path)
    broken = (*schema.MIGRATIONS, "CREATE TABLE half (x); CREATE TABLE fills (x)")
    monkeypatch.setattr(schema, "MIGRATIONS", broken)
    connection = sqlite3.connect(path, isolation_level=None)
    with pytest.raises(sqlite3.Error, match="already exists"):
        schema.migrate(connection)
    connection.close()
    assert content(path) == before


def test_a_file_that_is_no_store_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(b"this is not a database, but long enough to be looked at" * 50)
    with pytest.raises(StorageError, match=r"a\.db"):
        Store(path)
    writer = StoreWriter(Memory(), path)
    writer.start()
    with pytest.raises(StorageError, match="delete the file"):
        writer.wait(1, timeout_s=10)
    with pytest.raises(NotFoundError, match="store rebuild"):
        Store(tmp_path / "absent.db")


def test_questions_and_what_cannot_be_asked(tmp_path: Path) -> None:
    scribe, path = small_session(), tmp_path / "a.db"
    followed(scribe.memory, path)
    with Store(path) as store:
        assert [one["order_id"] for one in store.rows("orders", state="filled")] == [1]
        assert [one["sequence"] for one in store.rows("fills", last=1)] == [
            store.rows("fills")[-1]["sequence"]
        ]
        assert len(store.rows("events", limit=3)) == 3
        first = store.rows("fills")[0]
        assert store.rows("fills", until_ns=first["time_ns"]) == []
        assert store.rows("fills", since_ns=first["time_ns"])[0] == first
        for table in TABLES:
            assert store.rows(table), table
        with pytest.raises(NotFoundError, match="there are orders"):
            store.rows("nothing")
        with pytest.raises(NotFoundError, match="cannot be asked by 'price'"):
            store.rows("fills", price="1")
        with pytest.raises(NotFoundError, match="have no time"):
            store.rows("counters", since_ns=1)
        for sql in ("DELETE FROM fills", "DROP TABLE fills", "SELECT nothing", "x; y", ""):
            if sql:
                with pytest.raises(InvalidValue):
                    store.query(sql)
        assert len(store.rows("fills")) == 2


@given(st.text(max_size=40), st.lists(st.none() | st.integers(0, 9) | st.text(), max_size=2))
@settings(max_examples=200)
def test_no_text_is_anything_but_an_answer_or_a_typed_error(
    tmp_path_factory: pytest.TempPathFactory, sql: str, values: list[Any]
) -> None:
    path = tmp_path_factory.getbasetemp() / "asked.db"
    if not path.exists():
        followed(small_session().memory, path)
    with Store(path) as store:
        with contextlib.suppress(InvalidValue):
            store.query(sql, values)
        assert len(store.rows("fills")) == 2
