"""The order book alone."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from mainspring import _core
from mainspring.bench.registry import Session
from mainspring.bench.result import Measurement


def update(session: Session) -> Iterator[Measurement]:
    """A level update with a read of both best prices, beside a flat array with two cursors."""
    path = session.workload.event_file()
    pairs = [_core.time_book_updates(path) for _ in range(session.repeats)]
    ours, floor = (statistics.median(side) for side in zip(*pairs, strict=True))
    yield Measurement("book_update", "ns_per_update", "ns", ours, "floor", floor)
