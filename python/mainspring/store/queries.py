"""Reading the store: named questions, and SQL for those who want it. Nothing here can write."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Self

from mainspring.errors import InvalidValue, NotFoundError, StorageError
from mainspring.store import schema

MAX_ROWS = 10_000
"""Most rows of one answer, unless more are asked for."""

LOCK_PATIENCE_S = 5.0

# Table -> its order, and which of its columns can be asked for.
_QUESTIONS: dict[str, tuple[str, frozenset[str]]] = {
    "orders": ("order_id", frozenset({"order_id", "strategy", "symbol", "side", "state"})),
    "transitions": ("order_id, sequence, part", frozenset({"order_id", "new"})),
    "fills": ("sequence", frozenset({"order_id", "strategy", "symbol", "side"})),
    "positions": ("strategy, instrument", frozenset({"strategy", "symbol"})),
    "equity": ("sequence", frozenset()),
    "risk_decisions": (
        "sequence, part",
        frozenset({"decision", "order_id", "strategy", "symbol", "reason"}),
    ),
    "counters": ("name", frozenset({"name"})),
    "events": ("sequence, part", frozenset({"event", "order_id", "correlation", "cause"})),
}

_TIMES = {"orders": "updated_ns", "positions": "time_ns", "counters": None}

TABLES = tuple(_QUESTIONS)
"""The tables that can be asked."""


class Store:
    """The database, read-only, for one thread; as a context manager it is closed at the end.

    Raises:
        NotFoundError: there is none.
        StorageError: it is no store, or of a newer version.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise NotFoundError(
                f"no store {self.path}: make it with `mainspring store rebuild JOURNAL`"
            )
        uri = f"{self.path.resolve().as_uri()}?mode=ro"
        self._connection = sqlite3.connect(uri, uri=True, timeout=LOCK_PATIENCE_S)
        self._connection.row_factory = sqlite3.Row
        try:
            self._connection.execute("PRAGMA query_only = 1")
            version = schema.version(self._connection)
        except sqlite3.DatabaseError as error:
            self.close()
            raise StorageError(f"{self.path}: {error}") from None
        if version != len(schema.MIGRATIONS):
            self.close()
            raise StorageError(
                f"{self.path} has tables of version {version}, this build reads "
                f"{len(schema.MIGRATIONS)}: rebuild it from the journal"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the database."""
        self._connection.close()

    @property
    def position(self) -> int:
        """Sequence of the last record that is in it, 0 for an empty one."""
        rows = self.query("SELECT last_sequence FROM journal")
        return int(rows[0]["last_sequence"]) if rows else 0

    def rows(
        self,
        table: str,
        *,
        since_ns: int | None = None,
        until_ns: int | None = None,
        last: int | None = None,
        limit: int = MAX_ROWS,
        **equal: Any,
    ) -> list[dict[str, Any]]:
        """Rows of a table in order.

        Args:
            table: one of `TABLES`.
            since_ns: from this time on; of orders, by their last change.
            until_ns: before this time.
            last: only so many, the newest.
            limit: at most so many.
            **equal: columns with the values that they must have, such as ``order_id=3``.

        Raises:
            NotFoundError: there is no such table, or it cannot be asked by such a column.
        """
        order, columns = _question(table)
        conditions, values = _conditions(table, columns, since_ns, until_ns, equal)
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        text = f"SELECT * FROM {table}{where} ORDER BY "  # noqa: S608 - all names are ours
        if last is None:
            return self.query(f"{text}{order} LIMIT ?", [*values, limit], limit)
        backwards = ", ".join(f"{column} DESC" for column in order.split(", "))
        found = self.query(f"{text}{backwards} LIMIT ?", [*values, min(last, limit)], limit)
        return found[::-1]

    def query(
        self, sql: str, values: Sequence[Any] = (), limit: int = MAX_ROWS
    ) -> list[dict[str, Any]]:
        """The rows of one SELECT, at most `limit`.

        Raises:
            InvalidValue: it is no query that can be answered here.
            StorageError: the database cannot be read.
        """
        try:
            cursor = self._connection.execute(sql, tuple(values))
            found = [dict(row) for row in cursor.fetchmany(limit)]
            cursor.close()
        except (sqlite3.OperationalError, sqlite3.DatabaseError, sqlite3.ProgrammingError) as error:
            self._raise(error)
        return found

    def _raise(self, error: Exception) -> None:
        text = str(error)
        if "locked" in text or "malformed" in text or "not a database" in text or "disk" in text:
            raise StorageError(f"{self.path}: {text}") from None
        if "readonly" in text or "read-only" in text or "query_only" in text:
            raise InvalidValue(f"the store cannot be written to: {text}") from None
        raise InvalidValue(f"no answer to that query: {text}") from None


def _question(table: str) -> tuple[str, frozenset[str]]:
    if table not in _QUESTIONS:
        raise NotFoundError(f"there is no table {table!r}; there are {', '.join(TABLES)}")
    return _QUESTIONS[table]


def _conditions(
    table: str,
    columns: frozenset[str],
    since_ns: int | None,
    until_ns: int | None,
    equal: dict[str, Any],
) -> tuple[list[str], list[Any]]:
    conditions, values = [], []
    time = _TIMES.get(table, "time_ns")
    for bound, sign in ((since_ns, ">="), (until_ns, "<")):
        if bound is None:
            continue
        if time is None:
            raise NotFoundError(f"{table} have no time")
        conditions.append(f"{time} {sign} ?")
        values.append(bound)
    for column, value in equal.items():
        if column not in columns:
            known = ", ".join(sorted(columns)) or "time alone"
            raise NotFoundError(f"{table} cannot be asked by {column!r}, but by {known}")
        conditions.append(f"{column} = ?")
        values.append(value)
    return conditions, values
