"""The tables of the store, and how older ones become those of today.

Prices, quantities and money are exact decimal text; ticks, lots and nanoseconds are integers. Every
row that tells of a moment has the sequence of its record in the journal.
"""

from __future__ import annotations

import sqlite3

from mainspring.errors import StorageError

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE orders (
        order_id INTEGER PRIMARY KEY,
        strategy INTEGER NOT NULL,
        instrument INTEGER NOT NULL,
        symbol TEXT NOT NULL,
        side TEXT NOT NULL,
        order_type TEXT NOT NULL,
        state TEXT NOT NULL,
        reason TEXT NOT NULL,
        price TEXT,
        qty TEXT NOT NULL,
        filled TEXT NOT NULL,
        price_ticks INTEGER NOT NULL,
        qty_lots INTEGER NOT NULL,
        filled_lots INTEGER NOT NULL,
        created_ns INTEGER NOT NULL,
        updated_ns INTEGER NOT NULL,
        correlation INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX orders_by_state ON orders (state, order_id);

    CREATE TABLE transitions (
        order_id INTEGER NOT NULL,
        sequence INTEGER NOT NULL,
        part INTEGER NOT NULL,
        time_ns INTEGER NOT NULL,
        after_ns INTEGER NOT NULL,
        old TEXT,
        new TEXT NOT NULL,
        reason TEXT NOT NULL,
        filled_lots INTEGER NOT NULL,
        qty_lots INTEGER NOT NULL,
        price_ticks INTEGER NOT NULL,
        cause INTEGER NOT NULL,
        PRIMARY KEY (order_id, sequence, part)
    ) WITHOUT ROWID;

    CREATE TABLE fills (
        sequence INTEGER PRIMARY KEY,
        time_ns INTEGER NOT NULL,
        exch_ns INTEGER NOT NULL,
        order_id INTEGER NOT NULL,
        strategy INTEGER NOT NULL,
        instrument INTEGER NOT NULL,
        symbol TEXT NOT NULL,
        side TEXT NOT NULL,
        price TEXT NOT NULL,
        qty TEXT NOT NULL,
        price_ticks INTEGER NOT NULL,
        qty_lots INTEGER NOT NULL,
        maker INTEGER NOT NULL,
        fee TEXT NOT NULL,
        realised TEXT NOT NULL,
        position_lots INTEGER NOT NULL,
        cause INTEGER NOT NULL,
        correlation INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX fills_by_order ON fills (order_id, sequence);
    CREATE INDEX fills_by_time ON fills (time_ns);

    CREATE TABLE positions (
        strategy INTEGER NOT NULL,
        instrument INTEGER NOT NULL,
        symbol TEXT NOT NULL,
        position TEXT NOT NULL,
        position_lots INTEGER NOT NULL,
        sequence INTEGER NOT NULL,
        time_ns INTEGER NOT NULL,
        PRIMARY KEY (strategy, instrument)
    ) WITHOUT ROWID;

    CREATE TABLE equity (
        sequence INTEGER PRIMARY KEY,
        time_ns INTEGER NOT NULL,
        equity TEXT NOT NULL,
        realised TEXT NOT NULL,
        unrealised TEXT NOT NULL,
        fees TEXT NOT NULL,
        funding TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX equity_by_time ON equity (time_ns);

    CREATE TABLE risk_decisions (
        sequence INTEGER NOT NULL,
        part INTEGER NOT NULL,
        time_ns INTEGER NOT NULL,
        decision TEXT NOT NULL,
        order_id INTEGER,
        strategy INTEGER,
        symbol TEXT,
        reason TEXT NOT NULL,
        PRIMARY KEY (sequence, part)
    ) WITHOUT ROWID;

    CREATE TABLE counters (
        name TEXT PRIMARY KEY,
        value INTEGER NOT NULL
    ) WITHOUT ROWID;

    CREATE TABLE events (
        sequence INTEGER NOT NULL,
        part INTEGER NOT NULL,
        time_ns INTEGER NOT NULL,
        event TEXT NOT NULL,
        order_id INTEGER,
        cause INTEGER NOT NULL,
        correlation INTEGER NOT NULL,
        payload TEXT NOT NULL,
        PRIMARY KEY (sequence, part)
    ) WITHOUT ROWID;
    CREATE INDEX events_by_type ON events (event, sequence);
    CREATE INDEX events_by_order ON events (order_id, sequence) WHERE order_id IS NOT NULL;
    CREATE INDEX events_by_time ON events (time_ns);

    CREATE TABLE journal (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        first_sequence INTEGER NOT NULL,
        first_time_ns INTEGER NOT NULL,
        last_sequence INTEGER NOT NULL,
        last_time_ns INTEGER NOT NULL,
        last_type TEXT NOT NULL
    ) WITHOUT ROWID;
    """,
)
"""What makes the tables of version n + 1 from those of version n; version 0 is an empty file."""

TABLES = (
    "orders", "transitions", "fills", "positions", "equity", "risk_decisions", "counters", "events",
    "journal",
)  # fmt: skip


def version(connection: sqlite3.Connection) -> int:
    """The version of the tables."""
    found: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return found


def migrate(connection: sqlite3.Connection) -> None:
    """Brings the tables to the version of today, each step whole or not at all.

    Raises:
        StorageError: a newer version wrote them.
    """
    at = version(connection)
    if at > len(MIGRATIONS):
        raise StorageError(
            f"the store has tables of version {at}, this build knows {len(MIGRATIONS)}: use the "
            "newer build, or delete the file and rebuild it from the journal"
        )
    for step in range(at, len(MIGRATIONS)):
        script = f"BEGIN IMMEDIATE; {MIGRATIONS[step]}; PRAGMA user_version = {step + 1}; COMMIT;"
        try:
            connection.executescript(script)
        except sqlite3.Error:
            if connection.in_transaction:
                connection.rollback()
            raise


def clear(connection: sqlite3.Connection) -> None:
    """Empties every table; the caller commits."""
    for table in TABLES:
        connection.execute(f"DELETE FROM {table}")  # noqa: S608 - the names are ours
