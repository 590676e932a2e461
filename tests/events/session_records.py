"""Records of a small session by hand, as a journal has them: one input and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mainspring.events import Memory

INSTRUMENT = {
    "symbol": "BTCUSDT",
    "venue": "simulated",
    "kind": "linear_perpetual",
    "lot": "0.001",
    "multiplier": "1",
    "grids": [{"rule": "fixed", "tick": "0.1", "version": 0}],
}
SECOND = 10**9
STATES = (
    "created", "risk_rejected", "submitted", "open", "partially_filled", "pending_cancel",
    "pending_replace", "filled", "cancelled", "rejected", "expired", "unknown",
)  # fmt: skip


class Scribe:
    """Writes records into memory as a session would, time going on by a second an input."""

    def __init__(self, retention: int = 65_536) -> None:
        self.memory = Memory([INSTRUMENT], retention)
        self.now = 0
        self.cause = 0
        self.orders: dict[int, dict[str, Any]] = {}
        self.position = 0

    def input(self, kind: str, **fields: Any) -> int:
        self.now += SECOND
        self.cause = self.memory.append(kind, self.now, fields)
        return self.cause

    def output(self, kind: str, fields: Mapping[str, Any]) -> int:
        return self.memory.append(kind, self.now, fields, self.cause)

    def market(self) -> int:
        return self.input("market", instrument=0)

    def new_order(self, order_id: int, side: int = 1, ticks: int = 1_000, lots: int = 10) -> None:
        self.orders[order_id] = {
            "order_id": order_id, "strategy": 0, "instrument": 0,
            "side": "buy" if side > 0 else "sell", "price_ticks": ticks, "qty_lots": lots,
            "filled_lots": 0, "reason": None, "state": "created",
        }  # fmt: skip
        self.output("new_order", {**self.orders[order_id], "order_type": "limit"})

    def order(self, order_id: int, state: str, **changes: Any) -> None:
        assert state in STATES
        self.orders[order_id].update(state=state, **changes)
        self.output("order", dict(self.orders[order_id]))

    def fill(self, order_id: int, lots: int, fee: str = "0.01", realised: str = "0") -> None:
        one = self.orders[order_id]
        self.input("report", order_id=order_id)
        one["filled_lots"] += lots
        self.position += lots if one["side"] == "buy" else -lots
        done = one["filled_lots"] >= one["qty_lots"]
        self.order(order_id, "filled" if done else "partially_filled")
        self.output("fill", {
            "order_id": order_id, "strategy": 0, "instrument": 0, "side": one["side"],
            "maker": True, "price_ticks": one["price_ticks"], "qty_lots": lots,
            "position_lots": self.position, "mid2_ticks": 2 * one["price_ticks"],
            "fee": fee, "realised": realised, "exch_ns": self.now - 1_000,
        })  # fmt: skip

    def sample(self, equity: int, bid: int = 999, ask: int = 1_001) -> None:
        self.input("clock")
        self.output("position", {
            "strategy": 0, "instrument": 0, "position_lots": self.position, "bid_ticks": bid,
            "ask_ticks": ask, "realised": "0", "unrealised": "0", "fees": "0", "funding": "0",
        })  # fmt: skip
        self.output("equity", {
            "equity": str(equity), "realised": "0", "unrealised": "0", "fees": "0",
            "funding": "0",
        })  # fmt: skip


def small_session() -> Scribe:
    """An order that fills in parts, one that is cancelled, a stuck one, a kill that flattens."""
    scribe = Scribe()
    scribe.input("start")
    scribe.input("link", venue_index=0, up=True)
    scribe.market()
    scribe.new_order(1)
    scribe.order(1, "submitted")
    scribe.input("report", order_id=1)
    scribe.order(1, "open")
    scribe.market()
    scribe.new_order(2, side=-1, ticks=1_010)
    scribe.order(2, "submitted")
    scribe.fill(1, 4)
    scribe.fill(1, 6)
    scribe.sample(100_000)
    scribe.input("report", order_id=2)
    scribe.order(2, "cancelled", reason="requested")
    scribe.market()
    scribe.new_order(3)
    scribe.order(3, "submitted")
    scribe.input("clock")
    scribe.order(3, "unknown")
    scribe.output("event", {"event": "order_stuck", "order": 3, "attempts": 5})
    scribe.input("command", command="kill", cause="a test", flatten=True)
    scribe.output("notice", {"text": "trading halted: a test"})
    scribe.input("stop", cancel=True)
    return scribe
