"""Stops in compiled code: `m.stop(Stop.trailing(...))` as the words of one request.

A stop is written where it is asked for, with numbers that the method computes, or stands outside
of it as a constant of the module or the class.
"""

from __future__ import annotations

import ast
import inspect
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from mainspring.errors import ConfigError
from mainspring.risk.stops import Stop
from mainspring.written import decimal_text, span_ns

if TYPE_CHECKING:
    from mainspring.strategy.compilation.expressions import Expressions

# Kind: code, and what the engine's form calls the numbers of its words.
KINDS: dict[str, tuple[int, tuple[str, ...]]] = {
    "fixed": (0, ("distance",)),
    "trailing": (1, ("distance",)),
    "atr": (2, ("multiple",)),
    "step": (3, ("distance", "step")),
    "break_even": (4, ("distance", "trigger", "offset")),
    "time": (5, ()),
    "equity": (6, ("loss",)),
}
SPANS = ("bar", "after")


def stop_request(of: Expressions, call: ast.Call) -> ast.expr:
    """`m.stop(...)` as a call of the kernel that writes it."""
    if len(call.args) != 1 or call.keywords:
        raise of.refusal(call, "stop takes one mainspring.Stop")
    return _of(of, call.args[0])


def _of(of: Expressions, value: ast.expr) -> ast.expr:
    if isinstance(value, ast.IfExp):
        return ast.IfExp(of.visit(value.test), _of(of, value.body), _of(of, value.orelse))
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
        name = value.func.attr
        if of.outside(value.func.value) is Stop and name in KINDS:
            return _written(of, value, name)
    known = of.outside(value)
    if isinstance(known, Stop):
        return _constant(of, value, known)
    raise of.refusal(
        value, "write the stop here, as m.stop(ms.Stop.trailing(5)), or as a constant of the module"
    )


def _written(of: Expressions, call: ast.Call, kind: str) -> ast.expr:
    """A stop with arguments that the method computes."""
    parameters = {
        name: one.default
        for name, one in inspect.signature(getattr(Stop, kind)).parameters.items()
        if one.kind is not inspect.Parameter.VAR_KEYWORD
    }
    given = of.given(call, *parameters)
    values: dict[str, ast.expr] = {}
    for name, default in parameters.items():
        node = given.get(name)
        if node is None:
            if default is inspect.Parameter.empty:
                raise of.refusal(call, f"{name} is missing")
            node = ast.copy_location(ast.Constant(default), call)
        if name in SPANS:
            values["span"] = _span(of, node, name)
        elif name == "period":
            values["bars"] = _bars(of, node)
        else:
            values[name] = _number(of, node, name)
    return _request(of, call, kind, values)


def _constant(of: Expressions, node: ast.expr, stop: Stop) -> ast.expr:
    """A stop that was made outside of the method."""
    try:
        stop._as_asked()
    except ConfigError as error:
        raise of.refusal(node, str(error)) from error
    rule: dict[str, Any] = dict(stop.rule)
    kind = rule.pop("kind")
    values: dict[str, ast.expr] = {}
    for name, value in rule.items():
        if name in ("bar_ns", "after_ns"):
            values["span"] = ast.Constant(value)
        elif name == "period":
            values["bars"] = _bars(of, ast.copy_location(ast.Constant(value), node))
        else:
            values[name] = _number(of, ast.copy_location(ast.Constant(value), node), name)
    return _request(of, node, kind, values)


def _request(of: Expressions, at: ast.expr, kind: str, values: dict[str, ast.expr]) -> ast.expr:
    code, names = KINDS[kind]
    numbers = [values[name] for name in names]
    numbers += [ast.Constant(0.0)] * (3 - len(numbers))
    bars, span = values.get("bars", ast.Constant(0)), values.get("span", ast.Constant(0))
    return of.call("stop", at, "ri", "rf", code, *numbers, bars, span)


def _number(of: Expressions, node: ast.expr, name: str) -> ast.expr:
    """A number: text is read here, the rest when it runs."""
    if not isinstance(node, ast.Constant):
        made = of.visit(node)
        assert isinstance(made, ast.expr)
        return made
    try:
        text = decimal_text(node.value, name)  # type: ignore[arg-type]
    except ConfigError as error:
        raise of.refusal(node, str(error)) from error
    if Decimal(repr(float(text))) != Decimal(text):
        raise of.refusal(node, f"{name} has more digits than compiled code keeps")
    return ast.copy_location(ast.Constant(float(text)), node)


def _bars(of: Expressions, node: ast.expr) -> ast.expr:
    is_whole = isinstance(node, ast.Constant) and type(node.value) is int
    if not is_whole:
        raise of.refusal(node, "period is a whole number, written out")
    return node


def _span(of: Expressions, node: ast.expr, name: str) -> ast.expr:
    """A span of time: text is read here; an own whole number is nanoseconds."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str | int):
        try:
            return ast.copy_location(ast.Constant(span_ns(node.value, name)), node)
        except ConfigError as error:
            raise of.refusal(node, str(error)) from error
    own = node.attr if isinstance(node, ast.Attribute) and of.is_self(node.value) else ""
    if of.of.kinds.get(own) == "i":
        made = of.visit(node)
        assert isinstance(made, ast.expr)
        return made
    raise of.refusal(
        node, f"{name} is text such as '30s', or an attribute declared int with nanoseconds"
    )
