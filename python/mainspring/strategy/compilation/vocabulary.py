"""What compiled code can say, and how: expressions over the words of the context.

Each is the arithmetic of the Python view on the same numbers, so that both give the same floats.
"""

from __future__ import annotations

import ast
import json

from mainspring import _core
from mainspring.strategy.compilation.kernels import LAYOUT, NONE

PREFIX = "_ms_"
POINTERS = ("i", "f", "ri", "rf", "si", "sf")
WORD: dict[str, int] = LAYOUT["context"]
SIZES: dict[str, int] = LAYOUT["sizes"]

# Callback: code, name of its third argument's kind.
CALLBACKS = {
    "on_book": (1, None),
    "on_trade": (2, "trade"),
    "on_bar": (3, "bar"),
    "on_fill": (4, "fill"),
    "on_order": (5, "order"),
    "on_timer": (6, "tag"),
}

# Attributes of what a callback is told: kind of value and word of the event.
EVENTS: dict[str, dict[str, tuple[str, int]]] = {
    "trade": {
        "price": ("price", 0), "qty": ("qty", 1), "side": ("side", 2), "exch_ns": ("int", 3),
    },
    "bar": {
        "open_ns": ("int", 0), "open": ("price", 1), "high": ("price", 2), "low": ("price", 3),
        "close": ("price", 4), "close_ticks": ("int", 4), "volume": ("qty", 5),
        "trades": ("int", 6), "spec": ("int", 7),
    },
    "fill": {
        "order_id": ("int", 0), "side": ("side", 1), "price": ("price", 2), "qty": ("qty", 3),
        "maker": ("bool", 4), "remaining": ("qty", 5), "exch_ns": ("int", 6),
    },
    "order": {
        "id": ("int", 0), "side": ("side", 1), "state": ("state", 2), "price": ("price", 3),
        "price_ticks": ("int", 3), "qty": ("qty", 4), "filled": ("qty", 5), "remaining": ("qty", 6),
        "created_ns": ("int", 7),
    },
}  # fmt: skip

_CODES: dict[str, dict[str, str]] = json.loads(_core.order_codes())
SIDES = {"buy": 0, "sell": 1}
STATES = {name: int(code) for code, name in _CODES["state"].items()}
ORDER_KINDS = {name: int(code) for code, name in _CODES["order_type"].items()}
TIMES_IN_FORCE = {"gtc": 0, "ioc": 1, "fok": 2, "gtd": 3}


def price(index: int | str) -> str:
    """The price of the ticks in a word."""
    return f"({integer(index)} * {number(WORD['tick_mantissa'])} / {number(WORD['tick_power'])})"


def quantity(index: int | str) -> str:
    """The quantity of the lots in a word."""
    return f"({integer(index)} * {number(WORD['lot_mantissa'])} / {number(WORD['lot_power'])})"


def integer(index: int | str) -> str:
    """A word as a whole number."""
    return f"{PREFIX}i[{index}]"


def number(index: int | str) -> str:
    """A word as a float."""
    return f"{PREFIX}f[{index}]"


def _unless_none(word: int, value: str) -> str:
    return f"({PREFIX}math.nan if {integer(word)} == {NONE} else {value})"


# What `m.NAME` is, as an expression over the context: the same arithmetic as the Python view's.
MARKET = {
    "time_ns": integer(WORD["time_ns"]),
    "bid": _unless_none(WORD["bid_ticks"], price(WORD["bid_ticks"])),
    "ask": _unless_none(WORD["ask_ticks"], price(WORD["ask_ticks"])),
    "bid_ticks": f"{PREFIX}ticks({integer(WORD['bid_ticks'])})",
    "ask_ticks": f"{PREFIX}ticks({integer(WORD['ask_ticks'])})",
    "bid_qty": quantity(WORD["bid_lots"]),
    "ask_qty": quantity(WORD["ask_lots"]),
    "bid_lots": integer(WORD["bid_lots"]),
    "ask_lots": integer(WORD["ask_lots"]),
    "mid": _unless_none(WORD["mid2"], f"{price(WORD['mid2'])} / 2.0"),
    "spread": _unless_none(
        WORD["mid2"],
        f"(({integer(WORD['ask_ticks'])} - {integer(WORD['bid_ticks'])})"
        f" * {number(WORD['tick_mantissa'])} / {number(WORD['tick_power'])})",
    ),
    "tick": f"({number(WORD['tick_mantissa'])} / {number(WORD['tick_power'])})",
    "lot": f"({number(WORD['lot_mantissa'])} / {number(WORD['lot_power'])})",
    "mark": number(WORD["mark"]),
    "last_price": _unless_none(WORD["last_ticks"], price(WORD["last_ticks"])),
    "feed_latency_ns": integer(WORD["feed_latency_ns"]),
    "position": quantity(WORD["position_lots"]),
    "position_lots": integer(WORD["position_lots"]),
    "entry_price": number(WORD["entry_price"]),
}

ARITHMETIC: dict[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Pow: "power",
}
BUILTINS = {"abs", "min", "max", "bool", "range", "divmod", "float", "len", "True", "False"}
CHECKED_BUILTINS = {"int": "to_int", "round": "to_round"}
CHECKED_MATH = {"floor": "to_floor", "ceil": "to_ceil", "trunc": "to_trunc"}
PLAIN_MATH = {
    "isnan",
    "isinf",
    "isfinite",
    "fabs",
    "copysign",
    "gcd",
    "pi",
    "e",
    "tau",
    "inf",
    "nan",
}
ONE_ARGUMENT_MATH = {
    "sqrt", "exp", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "asin", "acos",
    "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "erf", "erfc",
}  # fmt: skip

STATEMENTS = (
    ast.Assign, ast.AugAssign, ast.AnnAssign, ast.If, ast.For, ast.While, ast.Return, ast.Expr,
    ast.Pass, ast.Break, ast.Continue, ast.Raise, ast.Assert,
)  # fmt: skip
EXPRESSIONS = (
    ast.BoolOp, ast.BinOp, ast.UnaryOp, ast.IfExp, ast.Compare, ast.Call, ast.Constant,
    ast.Attribute, ast.Name, ast.Tuple, ast.Subscript, ast.expr_context, ast.operator, ast.unaryop,
    ast.boolop, ast.cmpop, ast.keyword,
)  # fmt: skip
