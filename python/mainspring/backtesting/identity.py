"""What a strategy is, for the run's hash and for replaying it."""

from __future__ import annotations

import hashlib
import inspect
import types
from collections.abc import Iterator
from typing import Any

from mainspring.strategy.base import Strategy
from mainspring.strategy.native import Native


def strategy_identity(strategy: Strategy | Native, trigger: str) -> dict[str, Any]:
    """Name, parameters, code hash, and where to find it again."""
    if isinstance(strategy, Native):
        return {
            "kind": "native",
            "name": strategy.name,
            "parameters": strategy.parameter_values,
            "trigger": trigger,
        }
    cls = type(strategy)
    return {
        "kind": "python",
        "name": strategy.name,
        "parameters": {k: _plain(v) for k, v in strategy.parameter_values.items()},
        "trigger": trigger,
        "class": cls.__qualname__,
        "module": cls.__module__,
        "file": _source_file(cls),
        "code": code_hash(cls),
    }


def code_hash(cls: type) -> str:
    """Hash of the source of a class and of its bases up to `Strategy`, hexadecimal.

    Functions, classes and plain constants of its own module that the code names count too. Where a
    source is not to be had (typed at a prompt), the compiled code stands for it.
    """
    digest = hashlib.sha256()
    for base in cls.__mro__:
        if base in (Strategy, object):
            continue
        for text in _reachable(base):
            digest.update(text.encode())
    return digest.hexdigest()


def _reachable(cls: type) -> Iterator[str]:
    """The class's code, then what it names in its module, in the order of first mention."""
    yield _code_text(cls)
    waiting, seen = list(_functions(cls)), {cls.__name__}
    while waiting:
        function = waiting.pop(0)
        for name in _names(function.__code__):
            value = function.__globals__.get(name)
            if name in seen or name.startswith("__") or name not in function.__globals__:
                continue
            seen.add(name)
            own = getattr(value, "__module__", None) == cls.__module__
            if own and isinstance(value, types.FunctionType):
                yield _code_text(value)
                waiting.append(value)
            elif own and isinstance(value, type):
                yield _code_text(value)
                waiting.extend(_functions(value))
            elif isinstance(value, bool | int | float | str | bytes):
                yield f"{name}={value!r}"


def _functions(cls: type) -> Iterator[types.FunctionType]:
    for value in vars(cls).values():
        inner = getattr(value, "__func__", getattr(value, "fget", value))
        if isinstance(inner, types.FunctionType):
            yield inner


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


def _code_text(what: type | types.FunctionType) -> str:
    try:
        return inspect.getsource(what)
    except (OSError, TypeError):
        functions = [what] if isinstance(what, types.FunctionType) else _functions(what)
        return "".join(f"{f.__name__}{_compiled_text(f.__code__)}" for f in functions)


def _compiled_text(code: types.CodeType) -> str:
    """Compiled code without addresses, places and orders of sets, which differ by process."""
    constants = ";".join(map(_constant_text, code.co_consts))
    return f"{code.co_code.hex()}{code.co_names}{constants}"


def _constant_text(value: object) -> str:
    if isinstance(value, types.CodeType):
        return _compiled_text(value)
    return repr(sorted(map(repr, value))) if isinstance(value, frozenset) else repr(value)


def _source_file(cls: type) -> str | None:
    try:
        return inspect.getsourcefile(cls)
    except (TypeError, OSError):  # typed at a prompt
        return None


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return float(value)
    if isinstance(value, bool | int | str) or value is None:
        return value
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value)
