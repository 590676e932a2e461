"""Where records come from: a journal, a run, or memory. Each reader has its own place."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, Protocol

from mainspring.journal import Gap as Missing
from mainspring.journal import Journal, Record

if TYPE_CHECKING:
    from mainspring.backtesting.run import Run

__all__ = ["Cursor", "JournalSource", "Memory", "Missing", "Record", "RunLog", "Source"]

BLOCK = 65_536
"""Records of a run that are decoded at once."""


class Cursor(Protocol):
    """One reader's place."""

    def read(self, limit: int = 1_024, timeout: float = 0.0) -> Sequence[Record | Missing]:
        """What comes next, at most `limit`; waits up to `timeout` seconds for the first."""
        ...

    @property
    def position(self) -> int:
        """Sequence of the last record that was read or passed over; 0 before the first."""
        ...


class Source(Protocol):
    """Something that records can be read from, by any number of readers."""

    @property
    def instruments(self) -> Sequence[Mapping[str, Any]]:
        """The instruments in the order of their ids: `symbol`, `venue`, `lot`, `grids`."""
        ...

    @property
    def config(self) -> Mapping[str, Any]:
        """What the engine was configured with, in its own form."""
        ...

    @property
    def newest(self) -> int:
        """The sequence of the newest record, 0 without any."""
        ...

    @property
    def finished(self) -> bool:
        """Whether nothing will come behind the newest record."""
        ...

    def cursor(self, after: int | None = None, *, types: Iterable[str] | None = None) -> Cursor:
        """A reader that begins behind the record `after`; at the oldest that is there without it.

        It is given records of these `types` only, of all without it.
        """
        ...

    def snapshot(self) -> Mapping[str, Any] | None:
        """The state at a record `sequence` of now, for readers that missed what led to it."""
        ...


class JournalSource:
    """The journal of a session, in this process or another."""

    def __init__(self, journal: Journal | str | PathLike[str]) -> None:
        self._journal = journal if isinstance(journal, Journal) else Journal(journal)
        self.finished = False

    @property
    def instruments(self) -> Sequence[Mapping[str, Any]]:
        """As the newest records name them."""
        return self._journal.sources.instruments

    @property
    def config(self) -> Mapping[str, Any]:
        """As the newest records name it."""
        return self._journal.sources.config

    @property
    def newest(self) -> int:
        """The sequence of the newest record."""
        return self._journal.cursor(-1).position

    def cursor(self, after: int | None = None, *, types: Iterable[str] | None = None) -> Cursor:
        """A reader of its own."""
        return self._journal.cursor(after, types=types)

    def snapshot(self) -> Mapping[str, Any]:
        """Orders, positions and money as the newest records leave them."""
        return self._journal.state()


class RunLog:
    """The output records of a run, numbered from 1. A run keeps no inputs: causes are 0."""

    def __init__(self, run: Run) -> None:
        self.instruments: Sequence[Mapping[str, Any]] = run.instruments
        self.config: Mapping[str, Any] = run.facts.config
        self.newest: int = run.facts.records
        self.finished = True
        self._log = run.log_bytes
        self._instruments_json = json.dumps(run.instruments)

    def cursor(
        self, after: int | None = None, *, types: Iterable[str] | None = None
    ) -> _RunLogCursor:
        """A reader of its own."""
        return _RunLogCursor(self, after or 0, _wanted(types))

    def snapshot(self) -> None:
        """A run's log is whole: nothing is missed."""

    def block(self, after: int) -> list[Record]:
        """Some records behind `after`; none at the end."""
        from mainspring import _core

        found = _core.log_records(self._log, self._instruments_json, after, BLOCK)
        return [
            Record(name, sequence, time_ns, 0, json.loads(said))
            for sequence, (name, time_ns, said) in enumerate(found, after + 1)
        ]


class _RunLogCursor:
    def __init__(self, log: RunLog, after: int, wanted: frozenset[str] | None) -> None:
        self.position = after
        self._log = log
        self._wanted = wanted
        self._block: list[Record] = []
        self._at = 0

    def read(self, limit: int = 1_024, timeout: float = 0.0) -> Sequence[Record | Missing]:
        del timeout  # what is not there now never comes
        while self.position < self._log.newest:
            if self._at >= len(self._block):
                self._block, self._at = self._log.block(self.position), 0
            found = self._block[self._at : self._at + limit]
            self._at += len(found)
            self.position = found[-1].sequence
            if kept := _only(found, self._wanted):
                return kept
        return ()


class Memory:
    """Records in memory, the last `retention` of them: a source for tests and for one process.

    Appending never waits for a reader. A reader that falls behind what is retained finds a
    `Missing`.
    """

    def __init__(
        self,
        instruments: Sequence[Mapping[str, Any]] = (),
        retention: int = 65_536,
        config: Mapping[str, Any] | None = None,
        snapshot: Callable[[], Mapping[str, Any]] | None = None,
    ) -> None:
        self.instruments = instruments
        self._snapshot = snapshot
        self.config: Mapping[str, Any] = config or {}
        self.newest = 0
        self.finished = False
        self._records: deque[Record] = deque(maxlen=retention)
        self._changed = threading.Condition()

    def append(
        self, name: str, time_ns: int, fields: Mapping[str, Any], cause: int | None = None
    ) -> int:
        """Appends a record and returns its sequence; without a `cause` it is an input."""
        with self._changed:
            sequence = self.newest + 1
            of = sequence if cause is None else cause
            self._records.append(Record(name, sequence, time_ns, of, dict(fields)))
            self.newest = sequence
            self._changed.notify_all()
            return sequence

    def snapshot(self) -> Mapping[str, Any] | None:
        """What the owner of the records says the state is; None without one that does."""
        return None if self._snapshot is None else self._snapshot()

    def finish(self) -> None:
        """Says that nothing more comes."""
        with self._changed:
            self.finished = True
            self._changed.notify_all()

    def cut(self, last: int) -> None:
        """Takes the records behind `last` away, as a recovery does with damaged ones."""
        with self._changed:
            while self._records and self._records[-1].sequence > last:
                self._records.pop()
            self.newest = last

    def cursor(
        self, after: int | None = None, *, types: Iterable[str] | None = None
    ) -> _MemoryCursor:
        """A reader of its own."""
        with self._changed:
            first = self._records[0].sequence if self._records else self.newest + 1
        return _MemoryCursor(self, first if after is None else after + 1, _wanted(types))

    def read(self, next_: int, limit: int, timeout: float) -> Sequence[Record | Missing]:
        """Records from the sequence `next_` on."""
        until = time.monotonic() + timeout
        with self._changed:
            while self.newest + 1 == next_ and not self.finished:
                left = until - time.monotonic()
                if left <= 0:
                    return ()
                self._changed.wait(left)
            if self.newest + 1 < next_:
                return (Missing(next_, self.newest + 1),)
            if self.newest < next_:
                return ()
            first = self._records[0].sequence
            if next_ < first:
                return (Missing(next_, first),)
            start = next_ - first
            return [self._records[i] for i in range(start, min(start + limit, len(self._records)))]


class _MemoryCursor:
    def __init__(self, memory: Memory, next_: int, wanted: frozenset[str] | None) -> None:
        self._memory = memory
        self._next = next_
        self._wanted = wanted

    @property
    def position(self) -> int:
        return self._next - 1

    def read(self, limit: int = 1_024, timeout: float = 0.0) -> Sequence[Record | Missing]:
        until = time.monotonic() + timeout
        while found := self._memory.read(self._next, limit, max(until - time.monotonic(), 0.0)):
            last = found[-1]
            self._next = last.next if isinstance(last, Missing) else last.sequence + 1
            if kept := _only(found, self._wanted):
                return kept
        return ()


def records_of(
    source: Source, after: int | None = None, *, types: Iterable[str] | None = None
) -> Iterator[Record | Missing]:
    """What is there now, in order."""
    cursor = source.cursor(after, types=types)
    newest = source.newest
    while (found := cursor.read()) or cursor.position < newest:
        if not found and cursor.position == 0:
            return
        yield from found


def _wanted(types: Iterable[str] | None) -> frozenset[str] | None:
    return None if types is None else frozenset(types)


def _only(
    found: Sequence[Record | Missing], wanted: frozenset[str] | None
) -> Sequence[Record | Missing]:
    """The records of these types; what is missing concerns everyone."""
    if wanted is None:
        return found
    return [one for one in found if isinstance(one, Missing) or one.name in wanted]
