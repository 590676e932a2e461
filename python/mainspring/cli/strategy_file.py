"""Parameters of a strategy from the words of the command line."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from mainspring.errors import ConfigError, InvalidValue
from mainspring.strategy import Parameter
from mainspring.strategy.loading import StrategyClass, load_strategy, parameters_of

__all__ = [
    "checked",
    "flag_of",
    "load_strategy",
    "parameters_of",
    "parse_assignments",
    "parse_flags",
]


def parse_flags(strategy: StrategyClass, tokens: Sequence[str]) -> dict[str, Any]:
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
            raise InvalidValue(f"{flag}: {flag_of(parameter)} takes a value, not --no-")
        if not equals and not rest:
            raise InvalidValue(f"{flag} needs a value")
        values[parameter.name] = _value(parameter, text if equals else rest.pop(0))
    return values


def parse_assignments(strategy: StrategyClass, assignments: Sequence[str]) -> dict[str, Any]:
    """Values from `name=value` words, as `--param` takes them.

    Raises:
        InvalidValue: an unknown name, a word without `=`, or a value of the wrong type.
    """
    pairs = [word.partition("=") for word in assignments]
    for name, equals, _ in pairs:
        if not equals:
            raise InvalidValue(f"--param {name!r}: write name=value")
    return checked(strategy, {name: text for name, _, text in pairs})


def checked(strategy: StrategyClass, values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` with the names checked and each converted to its parameter's type.

    Raises:
        InvalidValue: an unknown name, or a value of the wrong type.
    """
    known = parameters_of(strategy)
    found = {}
    for name, value in values.items():
        parameter = known.get(name.replace("-", "_"))
        if parameter is None:
            raise InvalidValue(_unknown(strategy, known, f"--{name}"))
        found[parameter.name] = _value(parameter, value)
    return found


def flag_of(parameter: Parameter) -> str:
    """How the command line spells a parameter."""
    return "--" + parameter.name.replace("_", "-")


def _value(parameter: Parameter, value: Any) -> Any:
    try:
        return parameter.convert(value)
    except ConfigError as error:
        raise InvalidValue(str(error)) from None


def _find(known: Mapping[str, Parameter], flag: str) -> tuple[Parameter | None, bool]:
    name = flag[2:].replace("-", "_")
    if name in known:
        return known[name], False
    return (known.get(name[3:]), True) if name.startswith("no_") else (None, False)


def _unknown(strategy: StrategyClass, known: Mapping[str, Parameter], flag: str) -> str:
    flags = [flag_of(parameter) for parameter in known.values()]
    near = difflib.get_close_matches(flag, flags, n=1)
    hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(flags) or 'no parameters'}"
    return f"{flag} is no option of this verb and no parameter of {strategy.__name__}; {hint}"
