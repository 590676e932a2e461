"""Output records in words."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mainspring.backtesting.run import Run

_MONEY_QUANTUM = Decimal("1e-18")


def record_text(record: Mapping[str, Any] | None, run: Run) -> str:
    """One output record as a person reads it; prices in ticks where ticks are not of one size."""
    if record is None:
        return "nothing: the run has ended"
    kind = record["kind"]
    text = f"{time_text(record['time_ns'])} "
    if kind == "message":
        return text + str(record["text"])
    if kind == "equity":
        return text + f"equity {_money(record['equity'])}, " + _profit(record)
    symbol, lot = _instrument(run, record["instrument"])
    who = _name(run.strategies, record["strategy"])
    if kind == "position":
        held = record["position_lots"] * lot
        return text + f"{who} holds {held:f} {symbol}, " + _profit(record)
    side = "buy" if record["side"] > 0 else "sell"
    qty = record["qty_lots"] * lot
    priced = f" at {_price(run, record)}" if record["price_ticks"] else ""
    where = f"{qty:f} {symbol}{priced}"
    if kind == "fill":
        role = "maker" if record["maker"] else "taker"
        return text + f"order {record['order_id']} of {who}: fill, {side} {where}, {role}"
    order_type, state, reason = (
        _code(run, c, record[c]) for c in ("order_type", "state", "reason")
    )
    filled = record["filled_lots"] * lot
    more = (f", {filled:f} filled" if filled else "") + (f" ({reason})" if reason else "")
    return text + f"order {record['order_id']} of {who}: {state}, {side} {order_type} {where}{more}"


def time_text(time_ns: int) -> str:
    """Logical time with its nanoseconds, in UTC."""
    seconds, nanoseconds = divmod(time_ns, 10**9)
    at = dt.datetime.fromtimestamp(seconds, dt.UTC)
    return f"{at:%Y-%m-%d %H:%M:%S}.{nanoseconds:09d} UTC"


def _code(run: Run, column: str, value: int) -> str:
    return run.codes[column].get(str(value), str(value))


def _name(names: list[str], index: int) -> str:
    return names[index] if index < len(names) else f"strategy {index}"


def _instrument(run: Run, index: int) -> tuple[str, Decimal]:
    if index >= len(run.instruments):
        return f"instrument {index}", Decimal(1)
    one = run.instruments[index]
    return str(one["symbol"]), Decimal(str(one["lot"]))


def _price(run: Run, record: Mapping[str, Any]) -> str:
    index, ticks = record["instrument"], record["price_ticks"]
    grids = run.instruments[index]["grids"] if index < len(run.instruments) else []
    if len(grids) != 1 or grids[0]["rule"] != "fixed":
        return f"{ticks} ticks"
    return f"{ticks * Decimal(str(grids[0]['tick'])):f}"


def _money(quanta: str) -> str:
    return f"{(int(quanta) * _MONEY_QUANTUM).normalize():f}"


def _profit(record: Mapping[str, Any]) -> str:
    parts = ("realised", "unrealised", "fees", "funding")
    return ", ".join(f"{part} {_money(record[part])}" for part in parts)
