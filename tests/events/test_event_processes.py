"""Events of a session in another process, whose journal moves its oldest files to an archive."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import mainspring as ms
from mainspring.events import Bus, Event, Gap
from mainspring.events.sources import JournalSource

CHILD = """
import sys
import mainspring as ms
from mainspring.live import Keep, PaperVenue, paper
folder, archive = sys.argv[1:]
keep = Keep(segment_mib=1, retain_mib=1, archive=archive, snapshot="200ms", sync="process")
maker = ms.native.TouchMaker(size="0.02", max_position="0.2")
with paper(maker, folder, venue=PaperVenue(speed=100), keep=keep) as session:
    print("started", flush=True)
    sys.stdin.read()
    session.stop()
"""


def until(what: str, check: Callable[[], bool], seconds: float = 60.0) -> None:
    begun = time.monotonic()
    while not check():
        assert time.monotonic() - begun < seconds, f"no {what}"
        time.sleep(0.02)


def oldest(folder: Path) -> int:
    """The first record that the journal still has."""
    found = ms.journal.open(folder).cursor().read(1)
    return found[0].sequence if found else 0


def test_a_reader_that_fell_behind_what_is_kept_gets_a_gap_with_the_state(tmp_path: Path) -> None:
    folder, archive = tmp_path / "session", tmp_path / "archive"
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder), str(archive)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdin is not None
    assert child.stdout is not None
    got: list[Event] = []
    release = threading.Event()

    def slow(event: Event) -> None:
        got.append(event)
        release.wait(60)

    try:
        assert child.stdout.readline().strip() == "started"
        with Bus(JournalSource(folder)) as bus:
            one = bus.subscribe(slow)
            until("first event", lambda: len(got) > 0)
            # Two files on: the one that is read is held open, the one after it is gone.
            until("archived files", lambda: len(list(archive.glob("*"))) >= 4)
            assert oldest(folder) > got[0].sequence + 2_000
            release.set()
            until("gap", lambda: any(isinstance(event, Gap) for event in got))
            gap = next(event for event in got if isinstance(event, Gap))
            at = got.index(gap)
            until("events behind the gap", lambda: len(got) > at + 20)
            behind = got[at + 1 : at + 21]
            assert one.gaps >= 1
    finally:
        child.stdin.close()
        assert child.wait(30) == 0
    assert gap.last >= gap.first > got[0].sequence
    state = gap.snapshot
    assert state is not None, one.last_error
    assert state["sequence"] >= gap.last, "the state is of what was missed, or newer"
    assert [event.sequence for event in behind] == sorted(event.sequence for event in behind)
    assert all(event.sequence > gap.last for event in behind)
    # Moved back, the journal is whole again: nothing between two records is missing.
    for file in archive.iterdir():
        file.rename(folder / file.name)
    records = list(ms.journal.open(folder).cursor().read(1_000))
    assert [one.sequence for one in records] == list(range(1, len(records) + 1))
