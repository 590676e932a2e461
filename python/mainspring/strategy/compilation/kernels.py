"""What compiled callbacks call: small functions over the request buffer, compiled with them.

They run only as machine code (and in their tests): `i` and `f` are the same memory as int64
and as float64. A function that raises makes the engine run the callback again in plain Python.
"""

from __future__ import annotations

import json
import math
from typing import Any

from mainspring import _core

LAYOUT: dict[str, Any] = json.loads(_core.compiled_layout())

_CONTEXT, _REQUESTS, _SIZES = LAYOUT["context"], LAYOUT["requests"], LAYOUT["sizes"]

NONE = -(2**63)
MAX_INT: float = 9.2e18
NEXT_ID: int = _CONTEXT["next_order_id"]
COUNT: int = _REQUESTS["count"]
LEVEL_COUNT: int = _REQUESTS["level_count"]
LIST: int = _REQUESTS["list"]
LEVELS: int = _REQUESTS["levels"]
LADDERS: int = _REQUESTS["ladders"]
MAX_REQUESTS: int = _SIZES["requests"]
REQUEST_WORDS: int = _SIZES["request_words"]
MAX_LEVELS: int = _SIZES["levels"]
LADDER_WORDS: int = _SIZES["ladder_words"]
LADDER_LEVELS: int = _SIZES["ladder_levels"]
QUOTE, TARGET, PLACE, CANCEL, CANCEL_ALL, AMEND, TIMER, STOP, REMOVE_STOPS = range(1, 10)

# The signatures below are those of generated calls; types are numba's business.


def request(ri: Any, kind: int) -> int:
    """Begins a request and returns its first word."""
    if ri[COUNT] >= MAX_REQUESTS:
        raise OverflowError
    base = LIST + REQUEST_WORDS * ri[COUNT]
    ri[COUNT] += 1
    ri[base] = kind
    return base  # type: ignore[no-any-return]


def clear(ri: Any, ladder: int) -> None:
    """Empties a ladder."""
    ri[LADDERS + LADDER_WORDS * ladder] = 0


def level(ri: Any, rf: Any, ladder: int, price: float, qty: float) -> None:
    """Adds a level to a ladder."""
    base = LADDERS + LADDER_WORDS * ladder
    count = ri[base]
    if count >= LADDER_LEVELS:
        raise OverflowError
    rf[base + 1 + 2 * count] = price
    rf[base + 2 + 2 * count] = qty
    ri[base] = count + 1


def extend(ri: Any, rf: Any, ladder: int, other: int) -> None:
    """Adds the levels of another ladder."""
    base = LADDERS + LADDER_WORDS * other
    for k in range(ri[base]):
        level(ri, rf, ladder, rf[base + 1 + 2 * k], rf[base + 2 + 2 * k])


def ladder_length(ri: Any, ladder: int) -> int:
    """Levels of a ladder."""
    return ri[LADDERS + LADDER_WORDS * ladder]  # type: ignore[no-any-return]


def copy_ladder(ri: Any, rf: Any, ladder: int) -> int:
    """Copies a ladder behind the levels of the quotes before; returns how many."""
    base = LADDERS + LADDER_WORDS * ladder
    count = ri[base]
    first = ri[LEVEL_COUNT]
    if first + count > MAX_LEVELS:
        raise OverflowError
    for k in range(2 * count):
        rf[LEVELS + 2 * first + k] = rf[base + 1 + k]
    ri[LEVEL_COUNT] = first + count
    return count  # type: ignore[no-any-return]


def quote(ri: Any, rf: Any, exact: bool, post_only: bool) -> None:
    """Wants the quotes of ladders 0 and 1."""
    first = ri[LEVEL_COUNT]
    bids = copy_ladder(ri, rf, 0)
    asks = copy_ladder(ri, rf, 1)
    base = request(ri, QUOTE)
    ri[base + 1] = first
    ri[base + 2] = bids
    ri[base + 3] = asks
    ri[base + 4] = 1 if exact else 0
    ri[base + 5] = 1 if post_only else 0


def target(ri: Any, rf: Any, qty: float, price: float, priced: int) -> None:
    """Wants a position."""
    base = request(ri, TARGET)
    rf[base + 1] = qty
    rf[base + 2] = price
    ri[base + 3] = priced


def place(
    i: Any, ri: Any, rf: Any, side: int, qty: float, price: float, given: int,
    post_only: bool, reduce_only: bool, exact: bool, tif: int, kind: int,
    trigger: float, trail: float, offset: float, display: float, expire_ns: int, oco: int,
) -> int:  # fmt: skip
    """Places an order; returns the id that it gets."""
    order_id = i[NEXT_ID]
    for k in range(ri[COUNT]):
        if ri[LIST + REQUEST_WORDS * k] == PLACE:
            order_id += 1
    base = request(ri, PLACE)
    ri[base + 1] = side
    rf[base + 2] = qty
    rf[base + 3] = price
    ri[base + 4] = given
    ri[base + 5] = (1 if post_only else 0) + (2 if reduce_only else 0) + (4 if exact else 0)
    ri[base + 6] = tif
    ri[base + 7] = kind
    rf[base + 8] = trigger
    rf[base + 9] = trail
    rf[base + 10] = offset
    rf[base + 11] = display
    ri[base + 12] = expire_ns
    ri[base + 13] = oco
    return order_id  # type: ignore[no-any-return]


def cancel(ri: Any, order_id: int) -> None:
    """Cancels an order."""
    ri[request(ri, CANCEL) + 1] = order_id


def cancel_all(ri: Any) -> None:
    """Cancels every order in the instrument."""
    request(ri, CANCEL_ALL)


def amend(ri: Any, rf: Any, order_id: int, price: float, qty: float) -> None:
    """Changes an order."""
    base = request(ri, AMEND)
    ri[base + 1] = order_id
    rf[base + 2] = price
    rf[base + 3] = qty


def set_timer(ri: Any, at_ns: int, tag: int) -> None:
    """Asks for a call of `on_timer`."""
    base = request(ri, TIMER)
    ri[base + 1] = at_ns
    ri[base + 2] = tag


def stop(
    ri: Any, rf: Any, kind: int, first: float, second: float, third: float, bars: int, span_ns: int
) -> None:
    """Wants a stop."""
    base = request(ri, STOP)
    ri[base + 1] = kind
    rf[base + 2] = first
    rf[base + 3] = second
    rf[base + 4] = third
    ri[base + 5] = bars
    ri[base + 6] = span_ns


def remove_stops(ri: Any) -> None:
    """Lets go of every stop."""
    request(ri, REMOVE_STOPS)


def ticks(value: int) -> int:
    """A price in ticks; in Python it is None where there is none."""
    if value == NONE:
        raise ValueError
    return value


def set_int(si: Any, word: int, value: float) -> None:
    """Keeps a whole number."""
    si[word] = value
    if si[word] != value:
        raise TypeError


def to_int(value: float) -> int:
    """`int(value)`."""
    if not abs(value) < MAX_INT:
        raise ValueError
    return int(value)


def to_round(value: float) -> int:
    """`round(value)`."""
    if not abs(value) < MAX_INT:
        raise ValueError
    return round(value)


def to_floor(value: float) -> int:
    """`math.floor(value)`."""
    if not abs(value) < MAX_INT:
        raise ValueError
    return math.floor(value)


def to_ceil(value: float) -> int:
    """`math.ceil(value)`."""
    if not abs(value) < MAX_INT:
        raise ValueError
    return math.ceil(value)


def to_trunc(value: float) -> int:
    """`math.trunc(value)`."""
    if not abs(value) < MAX_INT:
        raise ValueError
    return math.trunc(value)


def checked(result: float, argument: float) -> float:
    """Refuses what Python's math functions raise for: a NaN or an infinity out of a number."""
    if math.isfinite(argument) and not math.isfinite(result):
        raise ValueError
    if math.isinf(argument) and math.isnan(result):
        raise ValueError
    return result


# Whole numbers of compiled code have 64 bits, Python's have no bound: where a result may not fit,
# Python reckons.


def add(a: float, b: float) -> float:
    """`a + b`."""
    if abs(float(a) + float(b)) >= MAX_INT:
        raise OverflowError
    return a + b


def sub(a: float, b: float) -> float:
    """`a - b`."""
    if abs(float(a) - float(b)) >= MAX_INT:
        raise OverflowError
    return a - b


def mul(a: float, b: float) -> float:
    """`a * b`."""
    if abs(float(a) * float(b)) >= MAX_INT:
        raise OverflowError
    return a * b


def power(a: float, b: float) -> float:
    """`a ** b`; a root of a negative number is complex in Python."""
    if a <= 0 and b != 2:
        raise ValueError
    if abs(float(a) ** float(b)) >= MAX_INT:
        raise OverflowError
    return a**b  # type: ignore[no-any-return]
