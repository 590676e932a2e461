"""What a strategy is, for the run's hash and for replaying it."""

from __future__ import annotations

import hashlib
import inspect
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

    Where a source is not to be had (typed at a prompt), the compiled code stands for it.
    """
    digest = hashlib.sha256()
    for base in cls.__mro__:
        if base in (Strategy, object):
            continue
        digest.update(_code_text(base).encode())
    return digest.hexdigest()


def _code_text(cls: type) -> str:
    try:
        return inspect.getsource(cls)
    except (OSError, TypeError):
        functions = (v for v in vars(cls).values() if inspect.isfunction(v))
        return "".join(
            f"{f.__name__}{f.__code__.co_code.hex()}{f.__code__.co_consts!r}" for f in functions
        )


def _source_file(cls: type) -> str | None:
    try:
        return inspect.getsourcefile(cls)
    except TypeError:
        return None


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return float(value)
    if isinstance(value, bool | int | str) or value is None:
        return value
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value)
