"""Columns of bars and trades under the names and in the units of event files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mainspring.errors import DataError, InvalidValue

if TYPE_CHECKING:
    from mainspring._core import Table

Frame = dict[str, Any]
Stamp = Literal["open", "close"]

END_OF_MESSAGE, ASK = 1, 2
_TRADE = 2

# Names of others, in lower case and without blanks or underscores, by ours.
_ALIASES = {
    "time": (
        "time", "timestamp", "ts", "date", "datetime", "opentime", "open_ns", "t", "transacttime",
        "timens", "gmttime", "starttime", "", "index", "unnamed:0",
    ),
    "close_time": ("closetime", "endtime"),
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c", "last"),
    "volume": ("volume", "vol", "v", "volumebtc", "basevolume"),
    "trades": ("trades", "count", "n", "numberoftrades", "numtrades", "tradecount"),
    "price": ("price", "p", "px"),
    "qty": ("qty", "quantity", "size", "amount", "q"),
    "side": ("side", "takerside", "aggressor"),
    "is_buyer_maker": ("isbuyermaker", "buyermaker", "m"),
    "recv_time": ("recvtime", "localtimestamp", "receivedat", "receipttimestamp"),
}  # fmt: skip
_BY_ALIAS = {alias: ours for ours, aliases in _ALIASES.items() for alias in aliases}
# Exact columns of ours: a table that has them is taken as it is.
_OURS = {"recv_ns", "open_ns"}

_UNITS_NS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "min": 60 * 10**9,
             "h": 3_600 * 10**9, "d": 86_400 * 10**9, "w": 604_800 * 10**9}  # fmt: skip


def normalised(table: Table, columns: Mapping[str, str] | None) -> Frame:
    """The table's columns under our names; what has no counterpart is left out.

    Args:
        table: any columns.
        columns: names of ours by names in the table.

    Raises:
        DataError: `columns` names a column that is not there.
    """
    given = dict(columns or {})
    if missing := sorted(set(given).difference(table.columns)):
        raise DataError(f"there is no column {missing[0]!r}; there are {', '.join(table.columns)}")
    if "recv_ns" in table.columns and not given:
        return table.to_numpy()
    frame: Frame = {}
    for name in table.columns:
        plain = re.sub(r"[\s_\-()/]", "", name).lower()
        ours = given.get(name, _BY_ALIAS.get(plain))
        if ours is not None and (ours not in frame or name in given):
            frame[ours] = table[name]
    return _joined(table, frame, given)


def _joined(table: Table, frame: Frame, given: dict[str, str]) -> Frame:
    """A day in one column and the time of day in another make one time."""
    by_name = {name.strip().lower(): name for name in table.columns}
    if {"date", "time"} <= by_name.keys() and "time" not in given.values():
        days, clocks = table[by_name["date"]], table[by_name["time"]]
        if clocks.dtype.kind == "U" and days.dtype.kind == "U":
            frame["time"] = [f"{day} {clock}" for day, clock in zip(days, clocks, strict=True)]
    return frame


def kind_of(frame: Frame) -> str:
    """What a table holds, told by its columns.

    Raises:
        DataError: nothing that is known.
    """
    if "recv_ns" in frame:
        return "rows"
    if {"open", "high", "low", "close"} <= frame.keys():
        return "bars"
    if {"price", "qty"} <= frame.keys():
        return "trades"
    raise DataError(
        "the table is neither bars (time, open, high, low, close, volume) nor trades (time, price, "
        f"qty, side); known columns are {', '.join(sorted(frame)) or 'none'}; "
        "name others by columns="
    )


def bar_columns(frame: Frame, interval: str | int | None, stamp: Stamp) -> Frame:
    """Bars with `open_ns` and `recv_ns`, in time order.

    Raises:
        DataError: a column is missing, a time is none, or one bar tells no interval.
        InvalidValue: an interval or stamp that cannot be.
    """
    if frame.keys() >= _OURS:
        return frame
    if stamp not in {"open", "close"}:
        raise InvalidValue(f"a bar is stamped at its 'open' or its 'close', not {stamp!r}")
    _require(frame, "time", "open", "high", "low", "close")
    stamps = times_ns(frame["time"], "time")
    order = slice(None, None, -1) if len(stamps) > 1 and stamps[0] > stamps[-1] else slice(None)
    stamps = stamps[order]
    width = _interval_ns(interval, stamps)
    opens = stamps if stamp == "open" else stamps - width
    bars = {"recv_ns": opens + width, "open_ns": opens}
    for name in ("open", "high", "low", "close"):
        bars[name] = _floats(frame[name], name)[order]
    volume = frame.get("volume")
    bars["volume"] = np.zeros(len(stamps)) if volume is None else _floats(volume, "volume")[order]
    if "trades" in frame:
        bars["trades"] = np.asarray(frame["trades"])[order].astype("int64")
    return bars


def trade_columns(frame: Frame) -> Frame:
    """Trades as rows: one message each, `recv_ns` from `recv_time` where there is one.

    Raises:
        DataError: a column is missing, or a time or side is none.
    """
    _require(frame, "time", "price", "qty")
    exch = times_ns(frame["time"], "time")
    recv = times_ns(frame["recv_time"], "recv_time") if "recv_time" in frame else exch
    seller = _seller_took(frame, len(exch))
    return {
        "recv_ns": recv,
        "exch_ns": exch,
        "kind": np.full(len(exch), _TRADE, dtype="uint8"),
        "flags": np.where(seller, END_OF_MESSAGE | ASK, END_OF_MESSAGE).astype("uint8"),
        "price": _floats(frame["price"], "price"),
        "qty": _floats(frame["qty"], "qty"),
    }


def _seller_took(frame: Frame, rows: int) -> Any:
    """Whether the taker sold. A buyer who made means a seller who took."""
    if "is_buyer_maker" in frame:
        flags = np.asarray(frame["is_buyer_maker"])
        if flags.dtype.kind in "UOT":
            return np.array([str(flag).lower() in {"true", "1", "t"} for flag in flags], dtype=bool)
        return flags.astype(bool)
    if "side" not in frame:
        raise DataError("trades need a column side (buy or sell, of the taker) or is_buyer_maker")
    sides = np.asarray(frame["side"])
    if sides.dtype.kind in "iuf":
        return sides < 0
    known = {"buy": False, "b": False, "bid": False, "1": False, "sell": True, "s": True,
             "ask": True, "a": True, "-1": True}  # fmt: skip
    plain = [str(side).lower() for side in sides]
    for row, side in enumerate(plain):
        if side not in known:
            raise DataError(f"side {str(sides[row])!r} in row {row} is neither buy nor sell")
    return np.array([known[side] for side in plain], dtype=bool).reshape(rows)


def times_ns(values: Any, name: str) -> Any:
    """Times as int64 nanoseconds since 1970 UTC.

    Numbers are seconds, milliseconds, microseconds or nanoseconds, told by the size of the largest.

    Raises:
        DataError: a time is missing or cannot be read; names the row.
    """
    array = np.asarray(values)
    if array.dtype.kind == "M":
        return array.astype("datetime64[ns]").astype("int64")
    if array.dtype.kind in "UOT":
        array = _numbers(array)
    if array.dtype.kind in "iu":
        return array.astype("int64") * _unit_ns(int(np.abs(array).max(initial=0)))
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            row = int(np.flatnonzero(~np.isfinite(array))[0])
            raise DataError(f"{name} in row {row} is not a time: {array[row]}")
        return np.round(array * _unit_ns(float(np.abs(array).max(initial=0)))).astype("int64")
    return _parsed(array, name)


def _numbers(array: Any) -> Any:
    """Text of nothing but numbers as numbers; other text as it is."""
    texts = [str(text) for text in array]
    if all(re.fullmatch(r"\d{9,19}", text) for text in texts):
        return np.array([int(text) for text in texts], dtype="int64")
    if all(re.fullmatch(r"\d{9,}\.\d*", text) for text in texts):
        return np.array(texts, dtype="float64")
    return array


def _unit_ns(largest: float) -> int:
    """Nanoseconds in the unit that makes `largest` a date between 1973 and 5138."""
    for bound, unit in ((1e11, 10**9), (1e14, 10**6), (1e17, 10**3)):
        if largest < bound:
            return unit
    return 1


def _parsed(array: Any, name: str) -> Any:
    texts = [_iso(str(text)) for text in array]
    try:
        return np.array(texts, dtype="datetime64[ns]").astype("int64")
    except ValueError:
        pass
    for row, text in enumerate(texts):
        try:
            if np.isnat(np.datetime64(text, "ns")):
                raise ValueError
        except ValueError:
            raise DataError(f"{name} in row {row} is not a time: {str(array[row])!r}") from None
    raise DataError(f"{name}: the times cannot be read")


def _iso(text: str) -> str:
    """ISO 8601 without its zone, which has to be UTC; `20130102 123000` is understood too."""
    text = text.strip().removesuffix("Z").removesuffix("+00:00").removesuffix(" UTC")
    compact = re.fullmatch(r"(\d{4})(\d\d)(\d\d)(?:[ T]?(\d\d):?(\d\d):?(\d\d)?(\.\d+)?)?", text)
    if compact:
        year, month, day, hour, minute, second, fraction = compact.groups()
        clock = f"T{hour}:{minute}:{second or '00'}{fraction or ''}" if hour else ""
        return f"{year}-{month}-{day}{clock}"
    return re.sub(r"^(\d{4})[./](\d\d)[./](\d\d)", r"\1-\2-\3", text).replace(" ", "T", 1)


def _interval_ns(interval: str | int | None, stamps: Any) -> int:
    if isinstance(interval, int):
        width = interval
    elif interval is not None:
        match = re.fullmatch(r"(\d+)\s*([a-z]+)", interval.strip().lower())
        if match is None or match[2] not in _UNITS_NS:
            raise InvalidValue(f"interval {interval!r}; write it like 1m, 4h or 1d")
        width = int(match[1]) * _UNITS_NS[match[2]]
    else:
        steps = np.diff(stamps)
        steps = steps[steps > 0]
        if len(steps) == 0:
            raise DataError("fewer than two bars do not tell their interval; give interval=")
        values, counts = np.unique(steps, return_counts=True)
        width = int(values[counts.argmax()])
    if width <= 0:
        raise InvalidValue(f"the interval of bars is positive, not {interval!r}")
    return width


def infer_unit(columns: Sequence[Any]) -> Decimal:
    """The largest power of ten, at most 1, that all values are whole multiples of.

    Values with more than ten decimals (sums, averages) get a unit of 10^-8.
    """
    values = [np.asarray(column, dtype="float64") for column in columns]
    together = np.concatenate(values) if values else np.zeros(0)
    together = together[np.isfinite(together)]
    for places in range(11):
        scaled = together * 10.0**places
        slack = np.maximum(1e-9, np.abs(scaled) * 1e-12)
        if (np.abs(scaled - np.round(scaled)) <= slack).all():
            return Decimal(1).scaleb(-places)
    return Decimal(1).scaleb(-8)


def _floats(values: Any, name: str) -> Any:
    try:
        return np.asarray(values).astype("float64")
    except ValueError as error:
        raise DataError(f"column {name} has to hold numbers: {error}") from None


def _require(frame: Frame, *names: str) -> None:
    for name in names:
        if name not in frame:
            known = ", ".join(sorted(frame)) or "none"
            raise DataError(f"there is no column {name!r}; known ones are {known}")
