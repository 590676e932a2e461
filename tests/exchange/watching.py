"""A strategy that only looks, and what it saw: the book of a session beside the venue's."""

from __future__ import annotations

from pathlib import Path

import mainspring as ms
import pytest
from dialect_side import DialectSide
from mainspring.journal import Record

DEPTH = 3

# What the strategy saw last: best bids, best asks.
SEEN: list[list[tuple[float, float]]] = []


class Watcher(ms.Strategy, every="20ms"):
    """Looks at the book and does nothing."""

    def on_start(self, m):
        SEEN.clear()

    def on_book(self, m):
        SEEN[:] = [m.bids(DEPTH), m.asks(DEPTH)]


def is_the_venues(side: DialectSide) -> bool:
    """Whether the session sees the book as the venue has it; both move: it may take some looks."""
    there = side.book(DEPTH)
    return len(SEEN) == 2 and all(
        list(map(pytest.approx, ours)) == theirs for ours, theirs in zip(SEEN, there, strict=True)
    )


def gaps(folder: Path) -> int:
    """Gaps that the session marked in its market data."""
    records = ms.journal.open(folder).records(types=["market"])
    rows = [row for one in records if isinstance(one, Record) for row in one.fields["rows"]]
    return sum(row["kind"] == "gap" for row in rows)
