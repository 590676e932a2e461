"""Runs the compiled kernel on the reference engine's inputs, and gives back comparable results."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mainspring import _core
from mainspring.reference import (
    ConstantLatency,
    Instrument,
    InstrumentKind,
    Result,
    Row,
    RunConfig,
    TableLatency,
)
from mainspring.reference.vocabulary import RequestKind
from mainspring.strategy import Strategy

KINDS = {
    InstrumentKind.SPOT: "spot",
    InstrumentKind.LINEAR: "linear_perpetual",
    InstrumentKind.INVERSE: "inverse_perpetual",
}

FILL_COLUMNS = [
    "time_ns",
    "exch_ns",
    "order_id",
    "strategy",
    "instrument",
    "side",
    "price_ticks",
    "qty_lots",
    "maker",
    "position_lots",
]
ORDER_COLUMNS = [
    "time_ns",
    "order_id",
    "strategy",
    "instrument",
    "side",
    "order_type",
    "state",
    "reason",
    "price_ticks",
    "qty_lots",
    "filled_lots",
]


@dataclass
class Outcome:
    """Fills and order transitions as tuples of integers, money as floats."""

    fills: list[tuple[int, ...]]
    orders: list[tuple[int, ...]]
    money: list[tuple[float, float]]
    messages: list[tuple[int, str]]


def of_reference(result: Result) -> Outcome:
    """A result of the reference engine."""
    return Outcome(
        fills=[tuple(int(getattr(f, c)) for c in FILL_COLUMNS) for f in result.fills],
        orders=[tuple(int(getattr(o, c)) for c in ORDER_COLUMNS) for o in result.orders],
        money=[(f.fee / 10**18, f.realised / 10**18) for f in result.fills],
        messages=[(0, notice) for notice in result.notices],
    )


def run_kernel(
    rows: Sequence[Row],
    instruments: Sequence[Instrument],
    strategies: Sequence[Strategy],
    config: RunConfig,
    directory: Path,
) -> Outcome:
    """The same run in the kernel, through an event file."""
    path = directory / "rows.msp"
    path.unlink(missing_ok=True)
    write_rows(path, rows, instruments)
    log = _core.run_backtest(
        [path],
        json.dumps(config_of(config)),
        [(strategy, strategy.trigger) for strategy in strategies],
        Strategy,
    )
    for error in log.exceptions():
        raise error
    assert log.ended is None, log.ended
    fills, orders, _, _, messages, _ = log.tables()
    return Outcome(
        fills=_tuples(fills, FILL_COLUMNS),
        orders=_tuples(orders, ORDER_COLUMNS),
        money=[(float(f), float(r)) for f, r in zip(fills["fee"], fills["realised"], strict=True)],
        messages=list(messages),
    )


def _tuples(table: Any, columns: list[str]) -> list[tuple[int, ...]]:
    arrays = [[int(value) for value in table[name]] for name in columns]
    return list(zip(*arrays, strict=True))


def write_rows(path: Path, rows: Sequence[Row], instruments: Sequence[Instrument]) -> None:
    """An event file of these rows."""

    def column(values: list[int], kind: str) -> np.ndarray[Any, Any]:
        return np.array(values, dtype=kind)

    flags = [1 * r.end_of_message + 2 * int(r.side) + 4 * r.snapshot for r in rows]
    table = _core.Table(
        {
            "recv_ns": column([r.recv_ns for r in rows], "int64"),
            "exch_ns": column([r.exch_ns for r in rows], "int64"),
            "kind": column([int(r.kind) for r in rows], "uint8"),
            "flags": column(flags, "uint8"),
            "instrument": column([r.instrument for r in rows], "uint16"),
            "side": column([r.side.sign for r in rows], "int8"),
            "price_ticks": column([r.price_ticks for r in rows], "int64"),
            "qty_lots": column([r.qty_lots for r in rows], "int64"),
        }
    )
    definitions = json.dumps([instrument_of(i) for i in instruments])
    provenance = json.dumps({"source": "test", "clock": {"state": "trusted"}})
    _core.write_event_file(path, "market", definitions, provenance, table)


def instrument_of(instrument: Instrument) -> dict[str, Any]:
    """The kernel's definition of an instrument."""
    steps = instrument.price_steps
    fixed = steps == ((0, 1),)
    rule = {"rule": "fixed"} if fixed else {"rule": "tiers", "steps": [list(s) for s in steps]}
    return {
        "symbol": instrument.symbol,
        "venue": "test",
        "kind": KINDS[instrument.kind],
        "base": instrument.base,
        "quote": instrument.quote,
        "grids": [{"version": 0, "tick": instrument.tick, **rule}],
        "lot": instrument.lot,
        "multiplier": instrument.multiplier,
        "min_qty": instrument.min_qty,
        "max_qty": instrument.max_qty,
        "min_notional": instrument.min_notional,
        "maker_fee": instrument.maker_fee,
        "taker_fee": instrument.taker_fee,
    }


def config_of(config: RunConfig) -> dict[str, Any]:
    """The kernel's configuration of a run."""
    venue = config.venue
    queue: Any = venue.queue_model
    if queue in ("prob_power", "prob_power_total"):
        queue = {"model": queue, "exponent": venue.exponent}
    overload = venue.overload and {
        "max_requests": venue.overload[0],
        "window_ns": venue.overload[1],
    }
    return {
        "venue": {
            "fill_model": venue.fill_model,
            "queue_model": queue,
            "self_trade": venue.self_trade,
            "trigger_source": venue.trigger_source,
            "overload": overload,
            "max_orders": venue.max_orders,
        },
        "latency": latency_of(config.latency),
        "decision_ns": config.decision_ns,
        "deposits": [list(item) for item in config.deposits.items()],
        "stops": [stop.to_engine() for stop in config.stops],
        "sample_ns": 10**15,
    }


def latency_of(latency: Any) -> dict[str, Any]:
    """The kernel's latency model."""
    if isinstance(latency, TableLatency):
        rows = [{"req": q, "exch": e, "resp": r} for q, e, r in latency.rows]
        return {"model": "table", "rows": rows}
    assert isinstance(latency, ConstantLatency)
    legs = {}
    for name, kind in (
        ("new", RequestKind.NEW),
        ("cancel", RequestKind.CANCEL),
        ("amend", RequestKind.AMEND),
    ):
        legs[name] = {
            "entry_ns": latency.entry_ns(0, kind),
            "response_ns": latency.response_ns(0, kind),
        }
    return {"model": "constant", **legs}
