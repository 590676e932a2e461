"""The state of a session for readers outside of it: one consistent snapshot, never torn.

A `StateStore` follows the journal and can be asked from any thread: for orders, positions, risk
metrics and market data. It repeats what the engine's own records say and decides nothing.
"""

from __future__ import annotations

from mainspring.state.snapshot import (
    Account,
    MarketData,
    OpenOrder,
    Position,
    RiskMetrics,
    Snapshot,
)
from mainspring.state.store import StateStore

__all__ = [
    "Account",
    "MarketData",
    "OpenOrder",
    "Position",
    "RiskMetrics",
    "Snapshot",
    "StateStore",
]
