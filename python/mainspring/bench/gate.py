"""The risk gate alone."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from mainspring import _core
from mainspring.bench.registry import Session
from mainspring.bench.result import Measurement


def checks(session: Session) -> Iterator[Measurement]:
    """A check of an order that passes, every limit in force on every branch, beside one comparison.

    `ns_per_order` is the check with what follows from it: the order is counted, opened and closed.
    """
    runs = [_core.time_gate_checks() for _ in range(session.repeats)]
    ours, floor, whole = (statistics.median(side) for side in zip(*runs, strict=True))
    yield Measurement("gate", "ns_per_check", "ns", ours, "floor", floor)
    yield Measurement("gate", "ns_per_order", "ns", whole, "floor", floor)
