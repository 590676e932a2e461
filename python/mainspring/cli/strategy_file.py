"""Finds a strategy class by `path.py:Class` or `package.module:Class`, and reads its parameters."""

from __future__ import annotations

import difflib
import hashlib
import importlib
import importlib.util
import inspect
import sys
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from mainspring.errors import InvalidValue, NotFoundError, StrategyError

TRUE = {"true", "yes", "on", "1"}
FALSE = {"false", "no", "off", "0"}


def load_strategy(spec: str) -> type:
    """The class that `spec` names; without a class name, the only strategy of the file.

    Raises:
        NotFoundError: there is no such file, module or class.
        StrategyError: the file cannot be imported, or the class is not a strategy.
    """
    place, _, name = spec.partition(":")
    module = _load_file(Path(place)) if place.endswith(".py") else _load_module(place)
    found = _strategies_of(module)
    if name:
        chosen = getattr(module, name, None)
        if chosen is None:
            raise NotFoundError(f"{place} has no {name!r}{_among(found)}")
        if not _is_strategy(chosen):
            raise StrategyError(f"{place}:{name} is not a strategy: derive it from ms.Strategy")
        return typing.cast("type", chosen)
    if len(found) != 1:
        wanted = "no strategy (a class derived from ms.Strategy)" if not found else "several"
        raise NotFoundError(f"{place} has {wanted}{_among(found)}; name one: {place}:Class")
    return found[0]


def _among(found: Sequence[type]) -> str:
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


def _strategies_of(module: types.ModuleType) -> list[type]:
    own = (one for one in vars(module).values() if inspect.isclass(one))
    return [one for one in own if one.__module__ == module.__name__ and _is_strategy(one)]


def _is_strategy(candidate: object) -> bool:
    import mainspring as ms

    return isinstance(candidate, type) and issubclass(candidate, ms.Strategy)


@dataclass(frozen=True)
class StrategyParameter:
    """A typed parameter: an annotated class attribute with a plain value."""

    name: str
    kind: Any
    default: Any

    @property
    def flag(self) -> str:
        """How the command line spells it."""
        return "--" + self.name.replace("_", "-")

    def parse(self, text: str) -> Any:
        """The value that `text` stands for.

        Raises:
            InvalidValue: it is not of the parameter's type.
        """
        try:
            return _parse(self.kind, text)
        except (ValueError, ArithmeticError):
            wanted = getattr(self.kind, "__name__", str(self.kind))
            raise InvalidValue(f"{self.flag} is {text!r}; it takes {wanted}") from None


def parameters_of(strategy: type) -> dict[str, StrategyParameter]:
    """The typed parameters of a strategy class, those of its bases first."""
    found: dict[str, StrategyParameter] = {}
    for owner in reversed(strategy.__mro__):
        if (
            owner.__module__.partition(".")[0] in ("builtins", "mainspring")
            and owner is not strategy
        ):
            continue
        hints = _hints(owner)
        for name in inspect.get_annotations(owner):
            kind = hints.get(name, str)
            if not name.startswith("_") and typing.get_origin(kind) is not typing.ClassVar:
                default = getattr(strategy, name, None)
                found[name] = StrategyParameter(name, kind, default)
    return found


def _hints(owner: type) -> Mapping[str, Any]:
    try:
        return typing.get_type_hints(owner)
    except Exception:
        # An annotation that only a type checker can resolve: go by the default's type.
        return {name: type(getattr(owner, name, "")) for name in owner.__annotations__}


def _parse(kind: Any, text: str) -> Any:
    origin = typing.get_origin(kind)
    if origin is typing.Annotated:
        return _parse(typing.get_args(kind)[0], text)
    if origin is typing.Literal:
        return _parse_choice(typing.get_args(kind), text)
    if origin in (typing.Union, types.UnionType):
        return _parse_union(typing.get_args(kind), text)
    if origin in (tuple, list):
        inner = (typing.get_args(kind) or (str,))[0]
        return origin(_parse(inner, part.strip()) for part in text.split(",") if part.strip())
    if kind is bool:
        return _parse_bool(text)
    if kind is int:
        return int(text.replace("_", ""))
    if kind in (float, Decimal):
        return kind(text.replace("_", ""))
    return text


def _parse_bool(text: str) -> bool:
    if text.lower() in TRUE | FALSE:
        return text.lower() in TRUE
    raise ValueError(text)


def _parse_choice(choices: Sequence[Any], text: str) -> Any:
    for choice in choices:
        if str(choice) == text:
            return choice
    raise ValueError(text)


def _parse_union(kinds: Sequence[Any], text: str) -> Any:
    if type(None) in kinds and text.lower() in ("none", "null", ""):
        return None
    for kind in sorted((k for k in kinds if k is not type(None)), key=_from_narrow_to_wide):
        try:
            return _parse(kind, text)
        except (ValueError, ArithmeticError):
            continue
    raise ValueError(text)


def _from_narrow_to_wide(kind: Any) -> int:
    order = (bool, int, float, Decimal)
    return order.index(kind) if kind in order else len(order)


def parse_flags(strategy: type, tokens: Sequence[str]) -> dict[str, Any]:
    """Values from flags like `--threshold 0.4`, `--threshold=0.4`, `--fast`, `--no-fast`.

    Raises:
        InvalidValue: an unknown flag, one without its value, or a value of the wrong type.
    """
    known = parameters_of(strategy)
    values: dict[str, Any] = {}
    rest = list(tokens)
    while rest:
        flag, equals, text = rest.pop(0).partition("=")
        if not flag.startswith("--"):
            raise InvalidValue(f"{flag!r} is one word too many")
        parameter, negated = _find(known, flag)
        if parameter is None:
            raise InvalidValue(_unknown(strategy, known, flag))
        if parameter.kind is bool and not equals:
            values[parameter.name] = not negated
            continue
        if negated:
            raise InvalidValue(f"{flag}: {parameter.flag} takes a value, not --no-")
        if not equals and not rest:
            raise InvalidValue(f"{flag} needs a value")
        values[parameter.name] = parameter.parse(text if equals else rest.pop(0))
    return values


def parse_assignments(strategy: type, assignments: Sequence[str]) -> dict[str, Any]:
    """Values from `name=value` words, as `--param` takes them.

    Raises:
        InvalidValue: an unknown name, a word without `=`, or a value of the wrong type.
    """
    known = parameters_of(strategy)
    values = {}
    for word in assignments:
        name, equals, text = word.partition("=")
        if not equals:
            raise InvalidValue(f"--param {word!r}: write name=value")
        parameter = known.get(name.replace("-", "_"))
        if parameter is None:
            raise InvalidValue(_unknown(strategy, known, f"--{name}"))
        values[parameter.name] = parameter.parse(text)
    return values


def _find(
    known: Mapping[str, StrategyParameter], flag: str
) -> tuple[StrategyParameter | None, bool]:
    name = flag[2:].replace("-", "_")
    if name in known:
        return known[name], False
    return (known.get(name[3:]), True) if name.startswith("no_") else (None, False)


def _unknown(strategy: type, known: Mapping[str, StrategyParameter], flag: str) -> str:
    flags = [parameter.flag for parameter in known.values()]
    near = difflib.get_close_matches(flag, flags, n=1)
    hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(flags) or 'no parameters'}"
    return f"{flag} is no option of this verb and no parameter of {strategy.__name__}; {hint}"
