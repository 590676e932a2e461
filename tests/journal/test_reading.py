"""Journals from Python: read, tailed from another process, with gaps, killed and full writers."""

from __future__ import annotations

import itertools
import json
import os
import resource
import signal
import subprocess
import sys
import textwrap
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pytest
from mainspring import _core, journal
from mainspring.errors import InvalidValue, MismatchError, NotFoundError
from mainspring.journal import KINDS, Gap, Journal, Record

SMALL = {"segment_bytes": 65_536, "reserve_bytes": 4_096, "sync": "process"}
NOTICE = next(code for code, name, _ in _core.journal_kinds() if name == "notice")


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Journal:
    """The journal of a made-up session."""
    return journal.rehearse(tmp_path_factory.mktemp("session") / "journal", records=6_000)


def records_of(found: object) -> list[Record]:
    return [item for item in found if isinstance(item, Record)]  # type: ignore[attr-defined]


def child(code: str, folder: Path) -> subprocess.Popen[str]:
    """A Python process that writes to a journal, and answers on its standard output."""
    begin = f"""
        import json, os, sys
        from mainspring import _core
        folder, options = {str(folder)!r}, json.dumps({SMALL!r})
    """
    program = textwrap.dedent(begin) + textwrap.dedent(code)
    return subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_records_come_in_order_and_name_what_they_follow_from(session: Journal) -> None:
    found = records_of(session)
    assert [record.sequence for record in found] == list(range(1, len(found) + 1))
    assert all(b.time_ns >= a.time_ns for a, b in itertools.pairwise(found))
    for record in found:
        is_input = KINDS[record.name]
        assert (record.cause == record.sequence) == is_input, record
        assert KINDS[found[record.cause - 1].name]
    names = {record.name for record in found}
    assert {"start", "market", "new_order", "step", "report", "fill", "equity"} <= names


def test_fields_of_fills_are_exact_and_agree_with_the_reports(session: Journal) -> None:
    reports = {
        record.sequence: record.fields
        for record in records_of(session.records(types=["report"]))
        if record.fields["report"] == "filled"
    }
    fills = records_of(session.records(types=["fill"]))
    assert len(fills) == len(reports) > 50
    position = 0
    for fill in fills:
        said, told = fill.fields, reports[fill.cause]
        assert said["order_id"] == told["order_id"]
        assert (said["price_ticks"], said["qty_lots"]) == (told["price_ticks"], told["qty_lots"])
        assert Decimal(said["price"]) == Decimal("0.1") * said["price_ticks"]
        assert Decimal(said["qty"]) == Decimal("0.001") * said["qty_lots"]
        rate = Decimal("0.0001") if said["maker"] else Decimal("0.0005")
        assert Decimal(said["fee"]) == Decimal(said["price"]) * Decimal(said["qty"]) * rate
        position += said["qty_lots"] * (1 if said["side"] == "buy" else -1)
        assert said["position_lots"] == position


def test_a_reader_begins_where_it_is_told_and_takes_what_it_wants(session: Journal) -> None:
    every = records_of(session)
    assert records_of(session.records(100))[0].sequence == 101
    assert records_of(session.records(len(every))) == []
    orders = [record for record in every if record.name in ("new_order", "order")]
    assert records_of(session.records(types=["new_order", "order"])) == orders
    cursor = session.cursor()
    assert cursor.position == 0
    assert [item.sequence for item in records_of(cursor.read(7))] == list(range(1, 8))
    assert cursor.position == 7
    with pytest.raises(NotFoundError, match="no records of type 'nonsense'"):
        session.cursor(types=["nonsense"])


def test_sources_are_those_of_the_session(session: Journal) -> None:
    sources = session.sources
    assert [one["symbol"] for one in sources.instruments] == ["BTCUSDT"]
    assert sources.config["run"]["deposits"] == [["USDT", "100000"]]
    assert sources.code["strategies"] == ["touch_maker"]


def test_the_state_at_a_moment_is_what_the_records_until_then_say(session: Journal) -> None:
    every = records_of(session)
    for at in (every[0], every[len(every) // 3], every[-1]):
        state = session.state(at.time_ns)
        lots = fees = Decimal(0)
        working: dict[int, str] = {}
        for record in every:
            if record.time_ns > at.time_ns:
                break
            said = record.fields
            if record.name == "fill":
                lots = Decimal(said["position_lots"])
                fees += Decimal(said["fee"])
            elif record.name == "order":
                working[said["order_id"]] = said["state"]
        over = {"filled", "cancelled", "rejected", "expired", "risk_rejected"}
        open_orders = {number for number, name in working.items() if name not in over}
        assert {order["order_id"] for order in state["orders"]} == open_orders
        held = sum(Decimal(one["position_lots"]) for one in state["positions"])
        assert held == lots
        assert Decimal(state["money"]["USDT"]["fees"]) == fees
    # The whole state, also of what has no record of its own.
    assert session.state() == session.state(every[-1].time_ns)


def test_a_journal_is_tailed_while_another_process_writes_it(tmp_path: Path) -> None:
    writer = child(
        f"""
        writer = _core.JournalWriter(folder, options)
        for line in sys.stdin:
            for n in range(int(line)):
                writer.append({NOTICE}, n, 0, b"text %d" % n)
            writer.commit()
            print(writer.next_sequence - 1, flush=True)
        writer.close()
        """,
        tmp_path,
    )
    assert writer.stdin is not None
    assert writer.stdout is not None
    total = 0
    tail = None
    for count in (1, 10, 5_000, 1):
        writer.stdin.write(f"{count}\n")
        writer.stdin.flush()
        total += count
        assert int(writer.stdout.readline()) == total
        tail = tail or journal.Cursor(tmp_path)
        found: list[Record | Gap] = []
        while len(found) < count:
            found += tail.read(timeout=10)
        assert [item.fields["text"] for item in records_of(found)] == [
            f"text {n}" for n in range(count)
        ]
    assert tail is not None
    assert tail.read(timeout=0.05) == []
    with pytest.raises(MismatchError, match=f"process {writer.pid}"):
        _core.JournalWriter(tmp_path)
    writer.stdin.close()
    assert writer.wait(20) == 0
    # With a timeout a tail ends by itself.
    opened = journal.open(tmp_path)
    assert len(list(opened.tail(None, timeout=0.05))) == total
    assert list(opened.tail(timeout=0.05)) == []


def test_what_a_killed_writer_had_committed_is_there(tmp_path: Path) -> None:
    writer = child(
        f"""
        writer = _core.JournalWriter(folder, options)
        while True:
            number = writer.append({NOTICE}, 1, 0, b"x" * 50)
            writer.commit()
            os.write(1, b"%d\\n" % number)
        """,
        tmp_path,
    )
    assert writer.stdout is not None
    for _ in range(3_000):
        writer.stdout.readline()
    writer.send_signal(signal.SIGKILL)
    told = [line for line in writer.stdout.read().splitlines() if line]
    writer.wait(20)
    committed = int(told[-1]) if told else 3_000
    found = records_of(journal.open(tmp_path))
    assert found[-1].sequence >= committed
    assert journal.open(tmp_path).verify()["records"] >= committed
    writer_again = _core.JournalWriter(tmp_path, json.dumps(SMALL))
    assert writer_again.next_sequence == found[-1].sequence + 1
    writer_again.close()


def test_a_reader_behind_what_was_removed_is_given_a_gap(tmp_path: Path) -> None:
    options = {**SMALL, "retain_bytes": 131_072, "keep_snapshots": 1}
    writer = _core.JournalWriter(tmp_path, json.dumps(options))
    behind = None
    for n in range(8_000):
        writer.append(NOTICE, n, 0, b"y" * 60)
        if n % 100 == 99:
            writer.commit()
            behind = behind or journal.Cursor(tmp_path)
        if n % 2_000 == 1_999:
            assert writer.snapshot(n, b"{}")
            assert writer.wait_for_snapshot(20.0)
    assert behind is not None
    found: list[Record | Gap] = []
    while part := behind.read():
        found += part
    gaps = [item for item in found if isinstance(item, Gap)]
    assert len(gaps) == 1
    assert 1 < gaps[0].expected < gaps[0].next
    sequences = [item.sequence for item in records_of(found)]
    assert sequences == [*range(1, gaps[0].expected), *range(gaps[0].next, 8_001)]
    writer.close()
    # A state of before what was removed cannot be had, and that is told.
    with pytest.raises(MismatchError):
        journal.open(tmp_path).state(0)


def test_a_full_disk_is_an_error_and_never_a_fault(tmp_path: Path) -> None:
    writer = child(
        f"""
        import resource
        from mainspring.errors import StorageError
        writer = _core.JournalWriter(folder, options)
        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, resource.RLIM_INFINITY))
        last = 0
        try:
            while True:
                last = writer.append({NOTICE}, 1, 0, b"z" * 100)
                writer.commit()
        except StorageError as full:
            print(last, full, flush=True)
        """,
        tmp_path,
    )
    said, _ = writer.communicate(timeout=60)
    assert writer.returncode == 0
    last, _, message = said.partition(" ")
    assert "no room for another segment" in message
    found = records_of(journal.open(tmp_path))
    assert [record.sequence for record in found] == list(range(1, int(last) + 1))
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 30_000


def test_a_folder_without_a_journal_and_a_bad_rehearsal_are_refused(
    tmp_path: Path, session: Journal
) -> None:
    with pytest.raises(NotFoundError, match="holds no journal"):
        journal.open(tmp_path)
    with pytest.raises(InvalidValue, match="holds a journal already"):
        journal.rehearse(session.path)
    with pytest.raises(InvalidValue, match="positive"):
        journal.rehearse(tmp_path, records=0)


def test_causes_lead_from_every_fill_to_an_input(session: Journal) -> None:
    every = records_of(session)
    followers: dict[int, list[str]] = defaultdict(list)
    for record in every:
        followers[record.cause].append(record.name)
    for record in every:
        if record.name == "new_order":
            assert "intents" in followers[record.cause]
            assert "step" in followers[record.cause]
    assert os.path.isdir(session.path)
