"""The journal on disk: appending, and recovering from it."""

from __future__ import annotations

import json
import shutil
import statistics
from collections.abc import Iterator
from pathlib import Path

from mainspring import _core
from mainspring.bench.registry import Session
from mainspring.bench.result import Measurement

PACE_NS = 4_000
"""Time between two appends: more than any venue sends, less than a disk could not keep up with."""

APPENDS = 1_000_000
RECORDS = 1_000_000

OPTIONS = {"sync": {"interval_ms": 100}}
"""The default policy: another thread writes to the disk while records are appended."""


def append(session: Session) -> Iterator[Measurement]:
    """Each append with its commit, timed by itself; the floor copies the same bytes to memory.

    The times contain the reading of the clock, which is nearly all of the floor. The slowest is
    that of the calls in which the system did not give the processor to another thread: waiting
    for the disk counts, a busy machine does not.
    """
    count = APPENDS // (100 if session.smoke else 1)
    ours, floor = [], []
    for _ in range(session.repeats):
        folder = _fresh(session.scratch / "journal")
        times = _core.time_journal_appends(folder, json.dumps(OPTIONS), count, PACE_NS)
        ours.append(times[0])
        floor.append(times[1])
        shutil.rmtree(folder)
    metrics = (("append_p50_ns", 1), ("append_p99_ns", 1), ("append_max_us", 1_000))
    for index, (metric, unit_ns) in enumerate(metrics):
        mine, least = (
            statistics.median(times[index] / unit_ns for times in side) for side in (ours, floor)
        )
        unit = metric.rpartition("_")[2]
        yield Measurement("journal", metric, unit, mine, "floor", least)


def recovery(session: Session) -> Iterator[Measurement]:
    """Every record is read, checked and followed; the floor reads and checks them."""
    folder = _fresh(session.scratch / "recovery")
    records = _core.write_bench_journal(folder, RECORDS // (100 if session.smoke else 1))
    pairs = [_core.time_recovery(folder) for _ in range(session.repeats)]
    ours, floor = (1e6 * statistics.median(side) / records for side in zip(*pairs, strict=True))
    shutil.rmtree(folder)
    yield Measurement("recovery", "seconds_per_million", "s", ours, "floor", floor)


def _fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    return folder
