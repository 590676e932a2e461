"""Checks the callbacks of a strategy class when it is defined, not at the first event of a run."""

from __future__ import annotations

import difflib
import inspect
import types

from mainspring.errors import ConfigError

ARGUMENTS = {
    "on_start": "(self, m)",
    "on_book": "(self, m)",
    "on_trade": "(self, m, trade)",
    "on_bar": "(self, m, bar)",
    "on_fill": "(self, m, fill)",
    "on_order": "(self, m, order)",
    "on_timer": "(self, m, tag)",
    "on_parent": "(self, m, parent)",
    "on_stop": "(self, m)",
}
"""Every callback that a strategy may have, and how it is written."""

_SUSPENDS = inspect.CO_COROUTINE | inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR


def check_callbacks(cls: type) -> None:
    """Refuses callbacks that cannot be called, and names that are nearly those of callbacks.

    Raises:
        ConfigError: Names the file, the line, and how the callback is written.
    """
    for name, made in vars(cls).items():
        if isinstance(made, types.FunctionType):
            if name in ARGUMENTS:
                _check(cls, name, made)
            elif name.startswith("on"):
                _check_name(cls, name, made)


def _check(cls: type, name: str, callback: types.FunctionType) -> None:
    written = f"write `def {name}{ARGUMENTS[name]}`"
    count = ARGUMENTS[name].count(",") + 1
    code = callback.__code__
    if code.co_flags & _SUSPENDS:
        raise ConfigError(
            f"{_place(callback)}: {cls.__name__}.{name} is async or a generator and would never "
            f"run: {written}"
        )
    if code.co_argcount == count and not code.co_kwonlyargcount:
        return
    signature = inspect.signature(callback)
    try:
        signature.bind(*(None for _ in range(count)))
    except TypeError:
        raise ConfigError(
            f"{_place(callback)}: {cls.__name__}.{name}{signature} is called with {count - 1} "
            f"argument{'s' if count > 2 else ''}: {written}"
        ) from None


def _check_name(cls: type, name: str, method: types.FunctionType) -> None:
    near = difflib.get_close_matches(name.lower(), ARGUMENTS, n=1, cutoff=0.9)
    if near and near[0] not in vars(cls):
        raise ConfigError(
            f"{_place(method)}: {cls.__name__}.{name} is never called; did you mean {near[0]}? "
            f"The callbacks are {', '.join(ARGUMENTS)}"
        )


def _place(function: types.FunctionType) -> str:
    return f"{function.__code__.co_filename}:{function.__code__.co_firstlineno}"
