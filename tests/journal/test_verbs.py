"""`mainspring journal`, `recover` and `state`."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from mainspring import journal
from mainspring.errors import MismatchError


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a sound journal; copy it before it is changed."""
    folder = tmp_path_factory.mktemp("made") / "journal"
    journal.rehearse(folder, records=3_000)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A journal to be damaged."""
    return Path(shutil.copytree(made, tmp_path / "journal"))


def run(*words: object) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "mainspring", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def damage(folder: Path, offset: int) -> Path:
    """Flips one bit; a negative offset counts from the end."""
    segment = min(folder.glob("*.segment"))
    content = bytearray(segment.read_bytes())
    content[offset] ^= 4
    segment.write_bytes(content)
    return segment


def test_a_sound_journal_verifies_with_its_hash(folder: Path) -> None:
    code, out, err = run("journal", "verify", folder)
    assert (code, err) == (0, "")
    found = json.loads(run("journal", "verify", folder, "--json")[1])
    assert found["findings"] == []
    assert found["records"] >= 3_000
    assert found["hash"][:40] in out.replace("\n", "").replace(" ", "")
    again = json.loads(run("journal", "verify", folder, "--json")[1])
    assert again == found


def test_damage_is_told_with_file_and_offset_and_exits_8(folder: Path) -> None:
    segment = damage(folder, 100_000)
    code, _, err = run("journal", "verify", folder)
    assert code == 8
    place = next(line for line in err.splitlines() if "damage" in line and "record" in line)
    offset = int(place.split("offset ")[1].split(":")[0])
    assert str(segment) in place
    assert offset <= 100_000 < offset + 1_000


def test_records_are_printed_for_people_and_for_programs(folder: Path) -> None:
    code, out, _ = run("journal", "dump", folder, "--from", 100, "--limit", 50)
    lines = out.splitlines()
    assert code == 0
    assert len(lines) == 50
    assert lines[0].split()[0] == "100"
    assert lines[0].split()[1].endswith("Z")
    code, out, _ = run("journal", "dump", folder, "--json", "--type", "fill", "--type", "report")
    found = [json.loads(line) for line in out.splitlines()]
    assert {one["type"] for one in found} == {"fill", "report"}
    opened = journal.open(folder)
    assert [one["sequence"] for one in found] == [
        record.sequence
        for record in opened.records(types=["fill", "report"])
        if isinstance(record, journal.Record)
    ]
    code, _, err = run("journal", "dump", folder, "--type", "nonsense")
    assert code == 2
    assert "there are" in err


def test_no_verb_reads_over_damage(folder: Path, tmp_path: Path) -> None:
    opened = journal.open(folder)
    shutil.rmtree(folder / "snapshots")
    segment = damage(folder, 100_000)
    good = [record for record in until_damage(opened) if isinstance(record, journal.Record)]
    last = good[-1]
    code, out, err = run("journal", "dump", folder)
    assert code == 8
    assert f"{segment}: offset" in err
    assert [int(line.split()[0]) for line in out.splitlines()] == [one.sequence for one in good]
    file = tmp_path / "session.parquet"
    code, _, err = run("journal", "export", folder, file)
    assert code == 8
    assert f"{segment}: offset" in err
    assert not file.exists()
    for words in (("state", folder), ("state", folder, "--at", last.time_ns + 10**9)):
        code, out, err = run(*words)
        assert (code, out) == (8, "")
        assert f"{segment}: offset" in err
        assert f"up to record {last.sequence}" in err
    code, out, _ = run("state", folder, "--at", last.time_ns, "--json")
    assert code == 0
    assert json.loads(out)["sequence"] == last.sequence


def until_damage(opened: journal.Journal) -> Iterator[journal.Record | journal.Gap]:
    """The records in front of the first that cannot be read."""
    with suppress(MismatchError):
        yield from opened


def test_recovery_cuts_tells_and_leaves_a_sound_journal(folder: Path) -> None:
    before = journal.open(folder).verify()["last_sequence"]
    damage(folder, -500)
    code, out, err = run("recover", folder, "--dry-run")
    assert code == 7
    assert "offset" in err
    assert run("journal", "verify", folder)[0] == 8, "a dry run changes nothing"
    code, out, _ = run("recover", folder, "--json")
    found = json.loads(out)
    assert code == 7
    assert 0 < before - found["report"]["last_sequence"] < 20
    assert found["report"]["cut_bytes"] > 0
    assert found["state"]["sequence"] == found["report"]["last_sequence"]
    assert len(list((folder / "damaged").iterdir())) == 1
    assert run("journal", "verify", folder)[0] == 0
    code, out, _ = run("recover", folder)
    assert code == 0
    assert "last good record" in out


def test_the_state_is_shown_as_of_a_moment(folder: Path) -> None:
    opened = journal.open(folder)
    middle = next(item for item in opened.records(1_500) if isinstance(item, journal.Record))
    found = json.loads(run("state", folder, "--at", middle.time_ns, "--json")[1])
    assert found == opened.state(middle.time_ns)
    code, out, _ = run("state", folder)
    assert code == 0
    assert all(word in out for word in ("open orders", "positions", "money", "USDT"))
    code, _, err = run("state", folder, "--at", "yesterday")
    assert code == 2
    assert "no ISO 8601 time" in err


def test_a_journal_is_exported_to_parquet(folder: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    file = tmp_path / "session.parquet"
    code, _, err = run("journal", "export", folder, file)
    assert code == 0, err
    rows = parquet.read_table(file).to_pylist()
    records = [item for item in journal.open(folder) if isinstance(item, journal.Record)]
    assert [row["sequence"] for row in rows] == [record.sequence for record in records]
    for row, record in zip(rows, records, strict=True):
        assert (row["type"], row["cause"]) == (record.name, record.cause)
        assert json.loads(row["fields"]) == record.fields
        if record.name == "fill":
            assert row["price"] == float(record.fields["price"])
            assert row["order_id"] == record.fields["order_id"]
    assert not list(tmp_path.glob("*.part"))


def test_a_folder_without_a_journal_is_a_usage_error(tmp_path: Path) -> None:
    for words in (("journal", "verify"), ("journal", "dump"), ("recover",), ("state",)):
        code, _, err = run(*words, tmp_path)
        assert code == 2
        assert "holds no journal" in err
