"""The SQLite store of a session: a view of its journal that can be deleted and rebuilt.

It has orders, their transitions, fills, positions, equity, risk decisions, counters and events.
"""

from __future__ import annotations

from mainspring.store.queries import TABLES, Store
from mainspring.store.rebuild import rebuild
from mainspring.store.writer import StoreWriter

__all__ = ["TABLES", "Store", "StoreWriter", "rebuild"]
