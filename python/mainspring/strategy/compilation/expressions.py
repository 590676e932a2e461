"""Expressions of a method: what it reads, computes and asks for."""

# ruff: noqa: D102 - a visitor's methods are named by `ast` and say by it what they translate

from __future__ import annotations

import ast
import builtins
import math
import types
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from mainspring.errors import StrategyError
from mainspring.strategy.compilation.kernels import NONE
from mainspring.strategy.compilation.stops import stop_request
from mainspring.strategy.compilation.vocabulary import (
    ARITHMETIC,
    BUILTINS,
    CALLBACKS,
    CHECKED_BUILTINS,
    CHECKED_MATH,
    EVENTS,
    EXPRESSIONS,
    MARKET,
    ONE_ARGUMENT_MATH,
    ORDER_KINDS,
    PLAIN_MATH,
    POINTERS,
    PREFIX,
    SIDES,
    SIZES,
    STATES,
    TIMES_IN_FORCE,
    WORD,
    integer,
    number,
    price,
    quantity,
)

if TYPE_CHECKING:
    from mainspring.strategy.compilation.program import Translation


class Expressions(ast.NodeTransformer):
    """Translates the expressions of one method."""

    def __init__(
        self, of: Translation, function: types.FunctionType, tree: ast.FunctionDef, file: str,
        told: str | None,
    ) -> None:  # fmt: skip
        self.of = of
        self.python = function
        self.tree = tree
        self.file = file
        arguments = [one.arg for one in tree.args.args]
        self.is_callback = tree.name in CALLBACKS
        if not arguments or tree.args.vararg or tree.args.kwarg or tree.args.kwonlyargs:
            raise self.refusal(tree, "a compiled method takes self and plain arguments")
        self.self_name, *rest = arguments
        self.markets = set(rest[:1]) if self.is_callback else {"m", "market"} & set(rest)
        self.told: dict[str, str] = {}
        self.arguments = [name for name in rest if name not in self.markets]
        if told is not None and len(rest) > 1:
            self.told[rest[1]] = told
            self.arguments = []
        self.ladders = _ladder_names(tree, self.markets)
        if len(self.ladders) + 2 > SIZES["ladders"]:
            raise self.refusal(tree, f"at most {SIZES['ladders'] - 2} lists of quote levels")
        self.locals = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and _stored(n)}
        self.locals |= set(self.arguments)
        self.counter = 0

    def refusal(self, node: ast.AST, why: str) -> StrategyError:
        """Says what cannot be compiled and where."""
        line = getattr(node, "lineno", self.tree.lineno)
        return StrategyError(f"{self.file}:{line} in {self.tree.name}: cannot be compiled: {why}")

    def expression(self, text: str, at: ast.AST) -> ast.expr:
        """An expression from its text."""
        made = ast.parse(text, mode="eval").body
        for node in ast.walk(made):
            ast.copy_location(node, at)
        return made

    def call(self, kernel: str, at: ast.AST, *arguments: ast.expr | str | int) -> ast.Call:
        """A call of one of our kernels; text stands for a name."""
        ready: list[ast.expr] = [
            ast.Name(PREFIX + one, ast.Load()) if isinstance(one, str)
            else ast.Constant(one) if isinstance(one, int) else one
            for one in arguments
        ]  # fmt: skip
        made = ast.Call(ast.Name(PREFIX + kernel, ast.Load()), ready, [])
        return ast.fix_missing_locations(ast.copy_location(made, at))

    def generic_visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, ast.expr) and not isinstance(node, EXPRESSIONS):
            what = {"List": "lists", "JoinedStr": "text", "Dict": "dictionaries"}
            name = what.get(type(node).__name__, type(node).__name__)
            raise self.refusal(node, f"compiled code has no {name} here")
        return super().generic_visit(node)

    # -- expressions -----------------------------------------------------------------------------

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        if isinstance(node.op, ast.LShift):
            raise self.refusal(node, "compiled code has no shifts to the left: multiply")
        left, right = self.visit(node.left), self.visit(node.right)
        kernel = ARITHMETIC.get(type(node.op))
        if kernel is None:
            return ast.BinOp(left, node.op, right)
        return self.call(kernel, node, left, right)

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        if not isinstance(node.value, bool | int | float):
            raise self.refusal(node, f"compiled code has no use for {node.value!r} here")
        return node

    def visit_Name(self, node: ast.Name) -> ast.expr:
        name = node.id
        if name in self.told and self.told[name] == "tag":
            return self.expression(integer(WORD["event"]), node)
        if name in self.ladders:
            raise self.refusal(
                node, f"{name} holds quote levels: give it to m.quote or take its len"
            )
        if name == self.self_name or name in self.markets or name in self.told:
            raise self.refusal(node, f"{name} can only be used as {name}.attribute")
        if name not in self.locals and name not in BUILTINS:
            self.constant(node)
        return node

    def constant(self, node: ast.Name) -> None:
        """Takes a global number into the program."""
        missing = object()
        value = _lookup(self.python, node.id, missing)
        if isinstance(value, bool | int | float):
            self.of.program.constants[node.id] = value
        elif value is missing:
            raise self.refusal(node, f"{node.id} is not known")
        else:
            raise self.refusal(node, f"{node.id} is not a number; global names must be numbers")

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        owner, name = node.value, node.attr
        if self.is_self(owner):
            return self.own(node)
        if self.is_market(owner):
            return self.market_attribute(node)
        if (
            isinstance(owner, ast.Attribute)
            and self.is_market(owner.value)
            and owner.attr == "features"
        ):
            return self.feature(node)
        if isinstance(owner, ast.Subscript) and self.is_market(owner.value):
            self.visit(owner)
        if isinstance(owner, ast.Name) and owner.id in self.told:
            return self.event_attribute(node, self.told[owner.id])
        if self.is_math(owner) and name in ("pi", "e", "tau", "inf", "nan"):
            return self.expression(f"{PREFIX}math.{name}", node)
        raise self.refusal(node, f"{ast.unparse(node)} is not available in compiled code")

    def own(self, node: ast.Attribute) -> ast.expr:
        kind = self.of.kinds.get(node.attr)
        if kind is None:
            value = getattr(self.of.cls, node.attr, None)
            if isinstance(value, bool | int | float):
                return ast.copy_location(ast.Constant(value), node)
            raise self.refusal(
                node, f"self.{node.attr} is not declared as float, int or bool in the class"
            )
        word = self.of.word(node.attr)
        text = {"f": f"{PREFIX}sf[{word}]", "i": f"{PREFIX}si[{word}]"}
        return self.expression(text.get(kind, f"({PREFIX}si[{word}] != 0)"), node)

    def market_attribute(self, node: ast.Attribute) -> ast.expr:
        if node.attr not in MARKET:
            raise self.refusal(node, f"m.{node.attr} is not available in compiled code")
        if node.attr in ("mark", "entry_price"):
            self.of.program.reads.add(node.attr)
        return self.expression(MARKET[node.attr], node)

    def feature(self, node: ast.Attribute) -> ast.expr:
        features = self.of.program.features
        if node.attr not in features:
            if len(features) == SIZES["features"]:
                raise self.refusal(node, f"at most {SIZES['features']} features")
            features.append(node.attr)
        return self.expression(number(WORD["features"] + features.index(node.attr)), node)

    def event_attribute(self, node: ast.Attribute, told: str) -> ast.expr:
        known = EVENTS.get(told, {})
        if node.attr not in known:
            raise self.refusal(node, f"{told}.{node.attr} is not available in compiled code")
        kind, offset = known[node.attr]
        if kind in ("side", "state"):
            raise self.refusal(
                node, f"{told}.{node.attr} can only be compared, as {told}.side == 'buy'"
            )
        make: dict[str, Callable[[int], str]] = {"price": price, "qty": quantity, "int": integer}
        word = WORD["event"] + offset
        return self.expression(
            make[kind](word) if kind in make else f"({integer(word)} != 0)", node
        )

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        if len(node.ops) == 1:
            left, right, op = node.left, node.comparators[0], node.ops[0]
            if isinstance(op, ast.Is | ast.IsNot):
                return self.compare_none(node, left, right)
            for one, other in ((left, right), (right, left)):
                code = self.coded(one, other)
                if code is not None and isinstance(op, ast.Eq | ast.NotEq):
                    return ast.Compare(code[0], [op], [ast.Constant(code[1])])
        made = self.generic_visit(node)
        assert isinstance(made, ast.expr)
        return made

    def compare_none(self, node: ast.Compare, left: ast.expr, right: ast.expr) -> ast.expr:
        word = left.attr if isinstance(left, ast.Attribute) and self.is_market(left.value) else ""
        if word not in ("bid_ticks", "ask_ticks") or not _is_none(right):
            raise self.refusal(node, "only m.bid_ticks and m.ask_ticks can be compared with None")
        sign = "==" if isinstance(node.ops[0], ast.Is) else "!="
        return self.expression(f"({integer(WORD[word])} {sign} {NONE})", node)

    def coded(self, one: ast.expr, other: ast.expr) -> tuple[ast.expr, int] | None:
        """The word and the code where a side or a state is compared with its name."""
        if not (isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name)):
            return None
        kind, offset = EVENTS.get(self.told.get(one.value.id, ""), {}).get(one.attr, ("", 0))
        if kind not in ("side", "state"):
            return None
        names = SIDES if kind == "side" else STATES
        if not isinstance(other, ast.Constant) or other.value not in names:
            raise self.refusal(one, f"a {kind} is one of {', '.join(map(repr, names))}")
        return self.expression(integer(WORD["event"] + offset), one), names[other.value]

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        if self.is_market(node.value):
            raise self.refusal(
                node, "compiled code sees one instrument; use plain Python for several"
            )
        made = self.generic_visit(node)
        assert isinstance(made, ast.expr)
        return made

    # -- calls -----------------------------------------------------------------------------------

    def visit_Call(self, node: ast.Call) -> ast.expr:
        function = node.func
        if isinstance(function, ast.Name):
            return self.call_name(node, function.id)
        if isinstance(function, ast.Attribute):
            if self.is_market(function.value):
                return self.call_market(node, function.attr)
            if self.is_self(function.value):
                return self.call_method(node, function.attr)
            if self.is_math(function.value):
                return self.call_math(node, function.attr)
        raise self.refusal(node, f"{ast.unparse(function)} cannot be called in compiled code")

    def call_name(self, node: ast.Call, name: str) -> ast.expr:
        if name == "len" and len(node.args) == 1:
            argument = node.args[0]
            if isinstance(argument, ast.Name) and argument.id in self.ladders:
                return self.call("ladder_length", node, "ri", self.ladders[argument.id])
            if self.is_orders(argument):
                self.of.program.reads.add("live_orders")
                return self.expression(integer(WORD["live_orders"]), node)
        if name in self.locals or _lookup(self.python, name, None) is not getattr(
            builtins, name, 0
        ):
            raise self.refusal(node, f"{name} cannot be called: make it a method of the strategy")
        arguments = [self.visit(one) for one in node.args]
        if name in CHECKED_BUILTINS and len(arguments) == 1 and not node.keywords:
            return self.call(CHECKED_BUILTINS[name], node, arguments[0])
        if name not in BUILTINS or node.keywords:
            raise self.refusal(node, f"{ast.unparse(node)} cannot be called in compiled code")
        return ast.Call(ast.Name(name, ast.Load()), arguments, [])

    def call_math(self, node: ast.Call, name: str) -> ast.expr:
        arguments = [self.visit(one) for one in node.args]
        if name in CHECKED_MATH and len(arguments) == 1:
            return self.call(CHECKED_MATH[name], node, arguments[0])
        if name in PLAIN_MATH and callable(getattr(math, name)):
            return ast.Call(self.expression(f"{PREFIX}math.{name}", node), arguments, [])
        if name not in ONE_ARGUMENT_MATH or len(arguments) != 1:
            given = f"math.{name} with {len(arguments)} arguments"
            raise self.refusal(node, f"{given} is not available")
        self.of.math(name)
        return self.call(f"math_{name}", node, arguments[0])

    def call_method(self, node: ast.Call, name: str) -> ast.expr:
        if name not in self.of.done:
            if not isinstance(getattr(self.of.cls, name, None), types.FunctionType):
                raise self.refusal(node, f"self.{name} is not a method")
            self.of.method(name)
        elif not self.of.done[name]:
            raise self.refusal(node, "a compiled method cannot call itself")
        if node.keywords:
            raise self.refusal(node, "give a compiled method its arguments by position")
        own = [self.visit(one) for one in node.args if not self.is_market(one)]
        pointers: list[ast.expr] = [ast.Name(PREFIX + name, ast.Load()) for name in POINTERS]
        return ast.Call(ast.Name(f"{PREFIX}m_{name}", ast.Load()), pointers + own, [])

    def call_market(self, node: ast.Call, name: str) -> ast.expr:
        if name == "quote":
            raise self.refusal(node, "m.quote(...) must stand on a line of its own")
        makers: dict[str, Callable[[ast.Call], ast.expr]] = {
            "target_position": self.target,
            "buy": lambda call: self.place(call, 0),
            "sell": lambda call: self.place(call, 1),
            "cancel": lambda call: self.call("cancel", call, "ri", *self.named(call, "order_id")),
            "cancel_all": lambda call: self.call("cancel_all", call, "ri", *self.named(call)),
            "amend": lambda call: self.call(
                "amend", call, "ri", "rf", *self.named(call, "order_id", "price", "qty")
            ),
            "set_timer": self.timer,
            "stop": lambda call: stop_request(self, call),
            "remove_stops": lambda call: self.call("remove_stops", call, "ri", *self.named(call)),
        }
        if name not in makers:
            raise self.refusal(node, f"m.{name}() is not available in compiled code")
        return makers[name](node)

    def named(self, call: ast.Call, *names: str) -> list[ast.expr]:
        """Arguments in order, all of which are needed."""
        given = self.given(call, *names)
        missing = [name for name in names if name not in given]
        if missing:
            raise self.refusal(call, f"{missing[0]} is missing")
        return [self.visit(given[name]) for name in names]

    def given(
        self, call: ast.Call, *names: str, options: tuple[str, ...] = ()
    ) -> dict[str, ast.expr]:
        """Arguments by name; those that are None count as not given."""
        if len(call.args) > len(names):
            raise self.refusal(call, f"takes {', '.join(names) or 'nothing'}")
        found = dict(zip(names, call.args, strict=False))
        for keyword in call.keywords:
            if keyword.arg not in (*names, *options):
                raise self.refusal(
                    call, f"has no option {keyword.arg}; it takes {', '.join((*names, *options))}"
                )
            found[keyword.arg] = keyword.value
        return {name: value for name, value in found.items() if not _is_none(value)}

    def target(self, call: ast.Call) -> ast.expr:
        given = self.given(call, "qty", "price")
        if "qty" not in given:
            raise self.refusal(call, "qty is missing")
        price = self.visit(given["price"]) if "price" in given else ast.Constant(0.0)
        return self.call(
            "target", call, "ri", "rf", self.visit(given["qty"]), price, int("price" in given)
        )

    def timer(self, call: ast.Call) -> ast.expr:
        given = self.given(call, "at_ns", "tag")
        if "at_ns" not in given:
            raise self.refusal(call, "at_ns is missing")
        tag = self.visit(given["tag"]) if "tag" in given else ast.Constant(0)
        return self.call("set_timer", call, "ri", self.visit(given["at_ns"]), tag)

    def place(self, call: ast.Call, side: int) -> ast.expr:
        """`m.buy(...)` and `m.sell(...)`."""
        # In the order of the bits that say which are given.
        optional = (
            "price",
            "tif",
            "kind",
            "trigger",
            "trail",
            "offset",
            "display",
            "expire_ns",
            "oco",
        )
        flags = ("post_only", "reduce_only", "exact")
        given = self.given(call, "qty", "price", options=(*flags, *optional[1:]))
        if "qty" not in given:
            raise self.refusal(call, "qty is missing")
        mask = sum(1 << bit for bit, name in enumerate(optional) if name in given)
        value = {
            "tif": self.code(given.get("tif"), TIMES_IN_FORCE, "tif"),
            "kind": self.code(given.get("kind"), ORDER_KINDS, "kind"),
        }
        for name in (*flags, "price", *optional[3:]):
            default: float | bool | int = (
                False if name in flags else 0 if name in ("expire_ns", "oco") else 0.0
            )
            value[name] = self.visit(given[name]) if name in given else ast.Constant(default)
        return self.call(
            "place", call, "i", "ri", "rf", side, self.visit(given["qty"]), value["price"], mask,
            *(value[name] for name in flags), *(value[name] for name in optional[1:]),
        )  # fmt: skip

    def code(self, value: ast.expr | None, codes: dict[str, int], name: str) -> ast.expr:
        if value is None:
            return ast.Constant(0)
        if not isinstance(value, ast.Constant) or value.value not in codes:
            raise self.refusal(value, f"{name} is one of {', '.join(map(repr, codes))}")
        return ast.Constant(codes[value.value])

    # -- names -----------------------------------------------------------------------------------

    def outside(self, node: ast.expr) -> object:
        """What a name stands for outside of the method, such as `ms.Stop`; `None` for nothing."""
        match node:
            case ast.Name(id=name) if name not in self.locals:
                return _lookup(self.python, name, None)
            case ast.Attribute(value=owner, attr=name) if self.is_self(owner):
                return None if name in self.of.kinds else getattr(self.of.cls, name, None)
            case ast.Attribute(value=owner, attr=name):
                found = self.outside(owner)
                return None if found is None else getattr(found, name, None)
        return None

    def is_self(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Name) and node.id == self.self_name

    def is_market(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Name) and node.id in self.markets

    def is_math(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Name) and _lookup(self.python, node.id, None) is math

    def is_orders(self, node: ast.expr) -> bool:
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            return False
        return self.is_market(node.func.value) and node.func.attr == "orders"

    def fresh(self, name: str) -> str:
        """A name that nobody uses."""
        self.counter += 1
        made = f"{PREFIX}{name}_{self.counter}"
        self.locals.add(made)
        return made


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _stored(name: ast.Name) -> bool:
    return isinstance(name.ctx, ast.Store)


def _lookup(function: types.FunctionType, name: str, default: Any) -> Any:
    """The value of a name that is not local to a function."""
    if name in function.__code__.co_freevars and function.__closure__:
        index = function.__code__.co_freevars.index(name)
        try:
            return function.__closure__[index].cell_contents
        except ValueError:
            return default
    return function.__globals__.get(name, getattr(builtins, name, default))


def _ladder_names(tree: ast.FunctionDef, markets: set[str]) -> dict[str, int]:
    """Names of lists of quote levels: what `m.quote` is given, and what flows into that."""
    found: set[str] = set()
    assigned = [
        (node.targets[0].id, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    ]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            if node.func.attr == "quote" and isinstance(owner, ast.Name) and owner.id in markets:
                for keyword in node.keywords:
                    if keyword.arg in ("bid", "ask"):
                        found |= set(_level_names(keyword.value))
    before = -1
    while before != len(found):
        before = len(found)
        for name, value in assigned:
            if name in found:
                found |= set(_level_names(value))
    return {name: index + 2 for index, name in enumerate(sorted(found))}


def _level_names(value: ast.expr) -> Iterator[str]:
    """Names that an expression of levels consists of."""
    match value:
        case ast.Name(id=name):
            yield name
        case ast.IfExp():
            yield from _level_names(value.body)
            yield from _level_names(value.orelse)
        case ast.BinOp(op=ast.Add()):
            yield from _level_names(value.left)
            yield from _level_names(value.right)
        case ast.Call(func=ast.Name(id="tuple" | "list"), args=[inner]):
            yield from _level_names(inner)
