"""Latency of requests: from us to the venue (entry), and of its answers back to us (response)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from mainspring.reference.vocabulary import RequestKind


class Latency(Protocol):
    """Where the latency of a request comes from; all times in nanoseconds."""

    def entry_ns(self, sent_ns: int, kind: RequestKind) -> int:
        """Time to the venue. A negative one is lost on the way: minus the time until we know."""

    def response_ns(self, exch_ns: int, kind: RequestKind) -> int:
        """Time from the venue's answer until we know it."""


@dataclass(frozen=True)
class ConstantLatency:
    """The same for every request; cancels and amends may have their own `(entry, response)`."""

    entry: int = 0
    response: int = 0
    cancel: tuple[int, int] | None = None
    amend: tuple[int, int] | None = None

    def _legs(self, kind: RequestKind) -> tuple[int, int]:
        own = {RequestKind.CANCEL: self.cancel, RequestKind.AMEND: self.amend}.get(kind)
        return own if own is not None else (self.entry, self.response)

    def entry_ns(self, sent_ns: int, kind: RequestKind) -> int:
        """See `Latency`."""
        del sent_ns
        return self._legs(kind)[0]

    def response_ns(self, exch_ns: int, kind: RequestKind) -> int:
        """See `Latency`."""
        del exch_ns
        return self._legs(kind)[1]


class TableLatency:
    """Interpolated between observed requests, flat outside them.

    Args:
        rows: `(sent, at the venue, answer here)` of each request, in order of sending. A venue
            time of zero or less says that the request was refused.

    Raises:
        ValueError: When no row was served.
    """

    def __init__(self, rows: Sequence[tuple[int, int, int]]) -> None:
        self.rows = list(rows)
        self.served = [row for row in self.rows if row[1] > 0]
        if not self.served:
            raise ValueError("a latency table needs a row that the venue served")

    def entry_ns(self, sent_ns: int, kind: RequestKind) -> int:
        """See `Latency`; next to a refused row it is minus the round trip."""
        del kind
        left, right = _around(self.rows, 0, sent_ns)
        refused = left[1] <= 0 or right[1] <= 0
        arrival = 2 if refused else 1
        legs = (left[0], left[arrival] - left[0]), (right[0], right[arrival] - right[0])
        latency = _between(*legs, sent_ns)
        return -latency if refused else latency

    def response_ns(self, exch_ns: int, kind: RequestKind) -> int:
        """See `Latency`."""
        del kind
        left, right = _around(self.served, 1, exch_ns)
        return _between((left[1], left[2] - left[1]), (right[1], right[2] - right[1]), exch_ns)


def _around(
    rows: list[tuple[int, int, int]], key: int, at: int
) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """The rows before and after a time; the same one twice outside the table."""
    after = bisect_right(rows, at, key=lambda row: row[key])
    left, right = max(after - 1, 0), min(after, len(rows) - 1)
    return (rows[left], rows[right]) if after > 0 else (rows[right], rows[right])


def _between(left: tuple[int, int], right: tuple[int, int], at: int) -> int:
    """Straight line through two points; the way from the left one is truncated towards zero."""
    (x1, y1), (x2, y2) = left, right
    if x1 == x2:
        return y1
    return y1 + int(Fraction((y2 - y1) * (at - x1), x2 - x1))
