"""From records to rows: a function of the records alone, so that a rebuild gives the same rows."""

from __future__ import annotations

import json
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from mainspring.events import types as t
from mainspring.events.decoding import ENDED as _ENDED
from mainspring.events.decoding import REMEMBERED_ORDERS, Decoder
from mainspring.events.terms import RiskTerms
from mainspring.journal import Record

Row = tuple[Any, ...]

_COLUMNS = {
    "orders": 17, "transitions": 12, "fills": 18, "positions": 7, "equity": 7,
    "risk_decisions": 8, "counters": 2, "events": 8, "journal": 6,
}  # fmt: skip

SQL: Mapping[str, str] = {
    # The key decides, so that a record that is projected again changes nothing.
    table: f"INSERT OR REPLACE INTO {table} VALUES ({', '.join('?' * count)})"  # noqa: S608
    for table, count in _COLUMNS.items()
}


class Projection:
    """Rows that wait to be written, and what is needed to make the next ones.

    Args:
        instruments: as the source has them.
        terms: of events about margin and position states.
    """

    def __init__(
        self, instruments: Sequence[Mapping[str, Any]], terms: RiskTerms | None = None
    ) -> None:
        self._decoder = Decoder(instruments, terms)
        self._orders: dict[int, list[Any]] = {}
        self._ended: OrderedDict[int, None] = OrderedDict()
        self._counters: Counter[str] = Counter()
        self._first: tuple[int, int] = (0, 0)
        self.forget()

    def forget(self) -> None:
        """Drops the rows that wait: they were written, or were there before."""
        self._rows: dict[str, list[Row]] = defaultdict(list)
        self._current: dict[str, dict[Any, Row]] = defaultdict(dict)
        self._counted: set[str] = set()
        self._taken: Record | None = None

    def take(self, record: Record) -> None:
        """Takes the next record."""
        if not self._first[0]:
            self._first = (record.sequence, record.time_ns)
        self._taken = record
        for event in self._decoder.decode(record):
            self._counters[event.name] += 1
            self._counted.add(event.name)
            self._rows["events"].append(_event_row(event))
            handler = _HANDLERS.get(type(event))
            if handler is not None:
                handler(self, event)

    def rows(self) -> dict[str, list[Row]]:
        """The rows that wait, by table."""
        found = {table: list(rows) for table, rows in self._rows.items()}
        for table, current in self._current.items():
            found[table] = list(current.values())
        if self._counted:
            found["counters"] = [(name, self._counters[name]) for name in sorted(self._counted)]
        if self._taken is not None:
            last = self._taken
            found["journal"] = [(1, *self._first, last.sequence, last.time_ns, last.name)]
        return found

    def _on_created(self, event: t.OrderCreated) -> None:
        units = self._decoder.units
        priced = event.price_ticks != 0
        self._orders[event.order_id] = row = [
            event.order_id,
            event.strategy,
            event.instrument,
            event.symbol,
            _side(event),
            event.order_type,
            "created",
            "",
            units.price_text(event.instrument, event.price_ticks) if priced else None,
            units.size_text(event.instrument, event.qty_lots),
            units.size_text(event.instrument, 0),
            event.price_ticks,
            event.qty_lots,
            0,
            event.time_ns,
            event.time_ns,
            event.correlation,
        ]
        self._current["orders"][event.order_id] = tuple(row)
        terms = (0, event.qty_lots, event.price_ticks, event.cause)
        self._transition(event, 0, None, "created", "", terms)

    def _on_changed(self, event: t.OrderChanged) -> None:
        terms = (event.filled_lots, event.qty_lots, event.price_ticks, event.cause)
        row = self._orders.get(event.order_id)
        since = event.time_ns - row[15] if row is not None else 0
        self._transition(event, since, event.old, event.new, event.reason, terms)
        if row is None:
            return
        units, instrument = self._decoder.units, event.instrument
        if event.price_ticks:
            row[8] = units.price_text(instrument, event.price_ticks)
        row[6], row[7] = event.new, event.reason
        row[9] = units.size_text(instrument, event.qty_lots)
        row[10] = units.size_text(instrument, event.filled_lots)
        row[11:14] = event.price_ticks, event.qty_lots, event.filled_lots
        row[15] = event.time_ns
        self._current["orders"][event.order_id] = tuple(row)
        if event.new in _ENDED:
            self._forget_old(event.order_id)

    def _forget_old(self, ended: int) -> None:
        """The rows of orders that ended are kept as long as late fills may come."""
        self._ended[ended] = None
        if len(self._ended) > REMEMBERED_ORDERS:
            oldest, _ = self._ended.popitem(last=False)
            self._orders.pop(oldest, None)

    def _transition(
        self,
        event: t.OfOrder,
        after_ns: int,
        old: str | None,
        new: str,
        reason: str,
        terms: tuple[int, int, int, int],
    ) -> None:
        place = (event.order_id, event.sequence, event.part, event.time_ns)
        self._rows["transitions"].append((*place, after_ns, old, new, reason, *terms))

    def _on_filled(self, event: t.OrderFilled) -> None:
        units, instrument = self._decoder.units, event.instrument
        self._rows["fills"].append(
            (
                event.sequence,
                event.time_ns,
                event.exch_ns,
                event.order_id,
                event.strategy,
                instrument,
                event.symbol,
                _side(event),
                units.price_text(instrument, event.price_ticks),
                units.size_text(instrument, event.qty_lots),
                event.price_ticks,
                event.qty_lots,
                int(event.maker),
                str(event.fee),
                str(event.realised),
                event.position_lots,
                event.cause,
                event.correlation,
            )
        )

    def _on_position(self, event: t.PositionChanged) -> None:
        key = (event.strategy, event.instrument)
        self._current["positions"][key] = (
            *key,
            event.symbol,
            self._decoder.units.size_text(event.instrument, event.new_lots),
            event.new_lots,
            event.sequence,
            event.time_ns,
        )

    def _on_equity(self, event: t.EquityUpdated) -> None:
        parts = (event.equity, event.realised, event.unrealised, event.fees, event.funding)
        self._rows["equity"].append((event.sequence, event.time_ns, *map(str, parts)))

    def _on_rejected(self, event: t.OrderRejected) -> None:
        if event.by_risk:
            about = (event.order_id, event.strategy, event.symbol)
            self._decision(event, "order_refused", event.reason, *about)

    def _on_halted(self, event: t.TradingHalted) -> None:
        self._decision(event, "halted", event.reason)

    def _on_rearmed(self, event: t.TradingRearmed) -> None:
        self._decision(event, "rearmed", event.reason)

    def _on_stopped(self, event: t.StrategyStopped) -> None:
        self._decision(event, "strategy_stopped", event.reason, None, event.strategy)

    def _on_command(self, event: t.CommandGiven) -> None:
        self._decision(event, f"command_{event.command}", event.reason)

    def _on_state(self, event: t.PositionStateChanged) -> None:
        decision = f"position_{event.new}"
        self._decision(event, decision, f"from {event.old}", None, None, event.symbol)

    def _on_margin(self, event: t.MarginWarning) -> None:
        self._decision(event, "margin_warning", f"{event.available} left, {event.used} used")

    def _on_liquidation(self, event: t.EmergencyLiquidation) -> None:
        self._decision(event, "emergency_liquidation", event.reason, None, None, event.symbol)

    def _decision(
        self,
        event: t.Event,
        decision: str,
        reason: str,
        order_id: int | None = None,
        strategy: int | None = None,
        symbol: str | None = None,
    ) -> None:
        place = (event.sequence, event.part, event.time_ns)
        self._rows["risk_decisions"].append((*place, decision, order_id, strategy, symbol, reason))


_HANDLERS: Mapping[type[t.Event], Any] = {
    t.OrderCreated: Projection._on_created,
    t.OrderChanged: Projection._on_changed,
    t.OrderFilled: Projection._on_filled,
    t.PositionChanged: Projection._on_position,
    t.EquityUpdated: Projection._on_equity,
    t.OrderRejected: Projection._on_rejected,
    t.TradingHalted: Projection._on_halted,
    t.TradingRearmed: Projection._on_rearmed,
    t.StrategyStopped: Projection._on_stopped,
    t.CommandGiven: Projection._on_command,
    t.PositionStateChanged: Projection._on_state,
    t.MarginWarning: Projection._on_margin,
    t.EmergencyLiquidation: Projection._on_liquidation,
}


def _side(event: t.OfOrder) -> str:
    return "buy" if event.is_buy else "sell"


def _event_row(event: t.Event) -> Row:
    return (
        event.sequence,
        event.part,
        event.time_ns,
        event.name,
        event.order,
        event.cause,
        event.correlation,
        _encode(event.payload()),
    )


def _plain(value: object) -> str:
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"{value!r} is in an event and has no form in JSON")


_encode = json.JSONEncoder(sort_keys=True, default=_plain, separators=(",", ":")).encode
