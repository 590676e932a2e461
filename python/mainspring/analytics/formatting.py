"""Numbers as people read them. Undefined is an en dash everywhere."""

from __future__ import annotations

import math
from datetime import UTC, datetime

UNDEFINED = "–"
MINUS = "−"

_UNITS = (
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("min", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("µs", 1_000),
)


def number(value: float | None, digits: int = 2, *, sign: bool = False) -> str:
    """Thousands separated, a true minus, infinity as such."""
    if value is None or math.isnan(value):
        return UNDEFINED
    if math.isinf(value):
        return "∞" if value > 0 else MINUS + "∞"
    text = f"{abs(value):,.{digits}f}"
    if float(text.replace(",", "")) == 0.0:
        return text
    return (MINUS if value < 0 else "+" if sign else "") + text


def significant(value: float | None, digits: int = 4, *, sign: bool = False) -> str:
    """With as many decimals as give ``digits`` significant digits, 2 to 8 of them."""
    if value is None or not math.isfinite(value) or value == 0.0:
        return number(value, 0 if value == 0.0 else 2, sign=sign)
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    return number(value, min(8, max(2, decimals)), sign=sign)


def count(value: float | None) -> str:
    """A whole number."""
    return number(value, 0)


def percent(value: float | None, digits: int = 2, *, sign: bool = False) -> str:
    """A fraction as per cent."""
    text = number(None if value is None else 100.0 * value, digits, sign=sign)
    return text if text == UNDEFINED else f"{text} %"


def bps(value: float | None, digits: int = 3, *, sign: bool = True) -> str:
    """Basis points."""
    text = number(value, digits, sign=sign)
    return text if text == UNDEFINED else f"{text} bp"


def money(value: float | None, currency: str = "", *, sign: bool = False) -> str:
    """An amount with its currency: two decimals, more for small amounts."""
    text = significant(value, sign=sign)
    if value is not None and abs(value) >= 100:
        text = number(value, 2, sign=sign)
    return text if text == UNDEFINED or not currency else f"{text} {currency}"


def compact(value: float | None) -> str:
    """A large count with a unit: 1.10 M."""
    if value is None or not math.isfinite(value):
        return UNDEFINED
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(value) >= 10 * size or (abs(value) >= size and unit != "k"):
            return f"{value / size:.3g} {unit}"
    return number(value, 0)


def duration(ns: float | None) -> str:
    """A time span in the largest unit that fits, three significant digits."""
    if ns is None or not math.isfinite(ns):
        return UNDEFINED
    for unit, size in _UNITS:
        if abs(ns) >= size:
            scaled = ns / size
            return f"{scaled:,.0f} {unit}" if abs(scaled) >= 100 else f"{scaled:.3g} {unit}"
    return f"{ns:.0f} ns"


def moment(ns: int | None, *, seconds: bool = True) -> str:
    """A time in UTC."""
    if ns is None:
        return UNDEFINED
    pattern = "%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M"
    return datetime.fromtimestamp(ns // 1_000_000_000, UTC).strftime(pattern)
