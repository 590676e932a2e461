"""The writer of the store: one thread that follows the journal and writes what it says in batches.

The journal is the queue. The writer has a cursor on it, so that a slow or locked database makes the
writer late and nothing else: nobody waits for it, nothing is dropped, and it goes on where it was.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Self

from mainspring.errors import StorageError
from mainspring.events.decoding import TYPES
from mainspring.events.sources import Cursor, Missing, Record, Source
from mainspring.events.terms import RiskTerms
from mainspring.store import schema
from mainspring.store.projection import SQL, Projection

BATCH = 1_000
"""Most records in one transaction."""

FLUSH_EVERY_S = 0.25
"""How long a record may wait for its transaction."""

LOCK_PATIENCE_S = 0.25
"""How long the database is waited for before the writer looks whether it is to stop."""

RETRY_S = 0.25
"""The wait after the database refused a transaction."""


class StoreWriter:
    """Follows a source and keeps the database of it.

    What is in the database is looked at when the writer starts: it goes on behind it, or begins
    anew where it was made of another journal or of records that a recovery has cut away since.

    Args:
        source: the journal of a session, or another source of records.
        path: the database; it is made when it is not there.
        batch: most records in one transaction.
        flush_every_s: how long a record may wait for its transaction.
    """

    def __init__(
        self,
        source: Source,
        path: str | PathLike[str],
        *,
        batch: int = BATCH,
        flush_every_s: float = FLUSH_EVERY_S,
    ) -> None:
        self.path = Path(path)
        self.written = 0
        """Sequence of the last record whose rows are in the database."""
        self.transactions = 0
        """Transactions since the start."""
        self.retries = 0
        """How often the database refused one, locked or full."""
        self.last_error: Exception | None = None
        """Why the last transaction was refused; None since one went through."""
        self._source = source
        self._batch = batch
        self._flush_every_s = flush_every_s
        self._stopping = threading.Event()
        self._progress = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._failure: Exception | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Begins to write."""
        self._thread.start()

    def close(self, timeout_s: float = 5.0) -> bool:
        """Writes what was read and ends; false when the database does not let it in time.

        Raises:
            StorageError: the writer ended before, because of this.
        """
        self._stopping.set()
        self._thread.join(timeout_s)
        if self._failure is not None:
            raise self._failure
        return not self._thread.is_alive()

    @property
    def lag(self) -> int:
        """How many records the database is behind."""
        return max(self._source.newest - self.written, 0)

    def wait(self, sequence: int | None = None, timeout_s: float = 30.0) -> bool:
        """Waits until the record `sequence`, or all that are there now, are in the database.

        Raises:
            StorageError: the writer has ended because of this.
        """
        wanted = self._source.newest if sequence is None else sequence
        with self._progress:
            done = self._progress.wait_for(
                lambda: self.written >= wanted or self._failure is not None, timeout_s
            )
        if self._failure is not None:
            raise self._failure
        return done

    def _run(self) -> None:
        try:
            with closing(self._connect()) as connection:
                self._follow(connection)
        except Exception as error:
            self._failure = error
        finally:
            with self._progress:
                self._progress.notify_all()

    def _connect(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            connection = sqlite3.connect(self.path, timeout=LOCK_PATIENCE_S, isolation_level=None)
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")
                connection.execute("PRAGMA cache_size = -2000")
                schema.migrate(connection)
            except sqlite3.OperationalError as error:
                connection.close()
                self._refused(error)
                if self._stopping.wait(RETRY_S):
                    raise StorageError(f"{self.path}: {error}") from None
            except sqlite3.DatabaseError as error:
                connection.close()
                raise StorageError(
                    f"{self.path}: {error}; delete the file, it is rebuilt from the journal"
                ) from None
            else:
                return connection

    def _follow(self, connection: sqlite3.Connection) -> None:
        while not self._stopping.is_set():
            try:
                self._follow_from_the_start(connection)
            except _CutAwayError:
                # Rows of records that are none any more: what is left is projected anew.
                self._transact(connection, lambda: schema.clear(connection))
                self.written = 0
            else:
                return

    def _follow_from_the_start(self, connection: sqlite3.Connection) -> None:
        # Which instruments there are is known with the first record.
        while self._source.newest == 0 and not self._source.finished:
            if self._stopping.wait(min(self._flush_every_s, 0.05)):
                return
        cursor = self._source.cursor(types=TYPES)
        terms = RiskTerms.of(self._source.config)
        projection = Projection(self._source.instruments, terms)
        known = _Known.of(connection)
        for batch in self._batches(cursor):
            for record in batch:
                if isinstance(record, Missing):
                    _check(record)
                    continue
                if known is not None and known.is_past(record):
                    projection.forget()
                    known = None
                projection.take(record)
            if known is None:
                self._write(connection, projection, cursor.position)
                continue
            projection.forget()
            if not batch:
                known.check_end(cursor.position)
                known = None
                self._reached(cursor.position)

    def _batches(self, cursor: Cursor) -> Iterator[list[Record | Missing]]:
        """What comes, in pieces that are written together; an empty one when nothing comes."""
        while not self._stopping.is_set():
            found = list(cursor.read(self._batch, self._flush_every_s))
            until = time.monotonic() + self._flush_every_s
            # A few records are waited for a little, so that a quiet market is few transactions.
            while found and len(found) < self._batch and not self._stopping.is_set():
                more = cursor.read(self._batch - len(found), max(until - time.monotonic(), 0.0))
                found += more
                if not more:
                    break
            yield found
            if not found and self._source.finished and cursor.position >= self._source.newest:
                return

    def _write(self, connection: sqlite3.Connection, projection: Projection, position: int) -> None:
        rows = projection.rows()

        def insert() -> None:
            for table, found in rows.items():
                connection.executemany(SQL[table], found)

        if not rows or self._transact(connection, insert):
            projection.forget()
            self._reached(position)

    def _transact(self, connection: sqlite3.Connection, work: Callable[[], None]) -> bool:
        """Does the work in one transaction, tried until the database takes it.

        Returns false when the writer is to end before.
        """
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
                work()
                connection.execute("COMMIT")
            except sqlite3.OperationalError as error:
                # Locked, full, or a disk that fails: it may pass, and the journal keeps it all.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                self._refused(error)
                if self._stopping.wait(RETRY_S):
                    return False
            else:
                self.transactions += 1
                self.last_error = None
                return True

    def _refused(self, error: Exception) -> None:
        self.retries += 1
        self.last_error = error

    def _reached(self, sequence: int) -> None:
        with self._progress:
            self.written = max(sequence, self.written)
            self._progress.notify_all()


@dataclass(slots=True)
class _Known:
    """How far the database is."""

    first_sequence: int
    first_time_ns: int
    last_sequence: int
    last_time_ns: int
    last_type: str
    passed: bool = False
    seen: bool = False

    @classmethod
    def of(cls, connection: sqlite3.Connection) -> _Known | None:
        row = connection.execute("SELECT * FROM journal").fetchone()
        return cls(*row[1:]) if row else None

    def is_past(self, record: Record) -> bool:
        """Whether a record is the first that the database does not have.

        Raises:
            _CutAwayError: the database has other records than the source.
        """
        if record.sequence == self.first_sequence and record.time_ns != self.first_time_ns:
            raise _CutAwayError
        if record.sequence < self.last_sequence:
            self.passed = True
            return False
        if record.sequence == self.last_sequence:
            if (record.time_ns, record.name) != (self.last_time_ns, self.last_type):
                raise _CutAwayError
            self.seen = True
            return False
        if self.passed and not self.seen:
            raise _CutAwayError
        return True

    def check_end(self, position: int) -> None:
        """The source has no more: it must go as far as the database.

        Raises:
            _CutAwayError: it ends before.
        """
        if position < self.last_sequence:
            raise _CutAwayError


class _CutAwayError(Exception):
    """The source does not have what the database was made of."""


def _check(gap: Missing) -> None:
    """Records that were archived are missed; records that were cut away never were."""
    if gap.next < gap.expected:
        raise _CutAwayError
