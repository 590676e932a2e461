"""The smart order router."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from mainspring import _core
from mainspring.bench.registry import Session
from mainspring.bench.result import Measurement

VENUES = 10
"""Venues of a route."""


def routes(session: Session) -> Iterator[Measurement]:
    """A route over ten books with fees: sizes up to some twenty levels, and the best alone."""
    count = 200 if session.smoke else 20_000
    pairs = [_core.time_routes(VENUES, count) for _ in range(session.repeats)]
    best, mixed = (statistics.median(side) for side in zip(*pairs, strict=True))
    yield Measurement("router", "ns_per_route", "ns", mixed)
    yield Measurement("router", "ns_best_venue", "ns", best)
