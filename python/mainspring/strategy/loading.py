"""Finds a strategy class by what a person writes, and says what its parameters are.

It is written `path.py`, `path.py:Class`, `package.module:Class` or `native:Class`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import importlib.util
import inspect
import sys
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeGuard

from mainspring.errors import NotFoundError, StrategyError
from mainspring.strategy import Parameter, Strategy
from mainspring.strategy.native import Native
from mainspring.strategy.parameters import REQUIRED

StrategyClass = type[Strategy] | type[Native]
NATIVE = "native:"


def load_strategy(spec: str) -> StrategyClass:
    """The class that `spec` names; without a class name, the only strategy of the file.

    Raises:
        NotFoundError: there is no such file, module or class.
        StrategyError: the file cannot be imported, or the class is not a strategy.
    """
    place, _, name = spec.partition(":")
    if spec.startswith(NATIVE):
        return _native(name)
    module = _load_file(Path(place)) if place.endswith(".py") else _load_module(place)
    found = _strategies_of(module)
    if name:
        chosen = getattr(module, name, None)
        if chosen is None:
            raise NotFoundError(f"{place} has no {name!r}{_among(found)}")
        if not _is_strategy(chosen):
            raise StrategyError(f"{place}:{name} is not a strategy: derive it from ms.Strategy")
        return chosen
    if len(found) != 1:
        wanted = "no strategy (a class derived from ms.Strategy)" if not found else "several"
        raise NotFoundError(f"{place} has {wanted}{_among(found)}; name one: {place}:Class")
    return found[0]


def _native(name: str) -> StrategyClass:
    from mainspring.strategy import native

    found = {key: one for key, one in vars(native).items() if _is_native(one)}
    if name not in found:
        raise NotFoundError(f"no native strategy {name!r}; there are {', '.join(found)}")
    return found[name]


def _is_native(candidate: object) -> TypeGuard[type[Native]]:
    return isinstance(candidate, type) and issubclass(candidate, Native) and candidate is not Native


def parameters_of(strategy: StrategyClass) -> Mapping[str, Parameter]:
    """The typed parameters of a strategy, by name."""
    if issubclass(strategy, Strategy):
        return strategy.parameters
    hints = typing.get_type_hints(strategy)
    return {
        field.name: Parameter(field.name, hints[field.name], _default_of(field))
        for field in dataclasses.fields(strategy)
        if "setting" not in field.metadata
    }


def _default_of(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return REQUIRED if field.default is dataclasses.MISSING else field.default


def _among(found: Sequence[StrategyClass]) -> str:
    return f"; it has {', '.join(one.__name__ for one in found)}" if found else ""


def _load_file(path: Path) -> types.ModuleType:
    if not path.is_file():
        raise NotFoundError(f"no strategy file {path}")
    # A name of its own per file: two projects' strategy.py can be loaded by one process, and what
    # is pickled for a sweep finds its module again.
    digest = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]
    name = f"mainspring_user_{path.stem}_{digest}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    if spec is None or spec.loader is None:
        raise StrategyError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise StrategyError(f"{_place(error, path)}: {type(error).__name__}: {error}") from error
    return module


def _load_module(name: str) -> types.ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            raise NotFoundError(
                f"no strategy {name!r}: give path.py, path.py:Class or module:Class"
            ) from None
        raise


def _place(error: BaseException, path: Path) -> str:
    """The user's line that failed: the innermost frame inside the file."""
    lines = []
    trace = error.__traceback__
    while trace is not None:
        if Path(trace.tb_frame.f_code.co_filename) == path.resolve():
            lines.append(trace.tb_lineno)
        trace = trace.tb_next
    if not lines and isinstance(error, SyntaxError) and error.lineno:
        lines.append(error.lineno)
    return f"{path}:{lines[-1]}" if lines else str(path)


def _strategies_of(module: types.ModuleType) -> list[StrategyClass]:
    own = (one for one in vars(module).values() if inspect.isclass(one))
    return [one for one in own if one.__module__ == module.__name__ and _is_strategy(one)]


def _is_strategy(candidate: object) -> TypeGuard[type[Strategy]]:
    return isinstance(candidate, type) and issubclass(candidate, Strategy)
