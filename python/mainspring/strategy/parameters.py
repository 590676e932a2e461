"""Typed parameters of a strategy: read from its annotations, filled from code, flags or sweeps."""

from __future__ import annotations

import inspect
import math
import types
import typing
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, Self

from mainspring.errors import ConfigError


class Qty(float):
    """A quantity in units of the base, such as ``"0.01"``; a float that must be finite."""

    def __new__(cls, value: str | float | Decimal) -> Self:
        """Converts exactly; `ConfigError` when it is not a finite number."""
        return super().__new__(cls, _decimal_number(value, "quantity"))


class Price(float):
    """A price in the quote currency, such as ``"61800.5"``; a float that must be finite."""

    def __new__(cls, value: str | float | Decimal) -> Self:
        """Converts exactly; `ConfigError` when it is not a finite number."""
        return super().__new__(cls, _decimal_number(value, "price"))


def _decimal_number(value: str | float | Decimal, what: str) -> float:
    try:
        number = float(Decimal(value))
    except (InvalidOperation, TypeError, ValueError):
        raise ConfigError(f"{value!r} is not a {what}; give a number such as '0.01'") from None
    if not math.isfinite(number):
        raise ConfigError(f"{value!r} is not a finite {what}")
    return number


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a strategy class.

    Attributes:
        name: As written in the class.
        kind: The annotated type.
        default: The converted default, or ``REQUIRED``.
    """

    name: str
    kind: Any
    default: Any

    @property
    def required(self) -> bool:
        """Whether a value must be given."""
        return self.default is REQUIRED

    def convert(self, value: Any) -> Any:
        """The value as the annotated type.

        Raises:
            ConfigError: When the value does not fit the type.
        """
        try:
            return _convert(self.kind, value)
        except ConfigError as error:
            raise ConfigError(f"parameter {self.name}: {error}") from None
        except (TypeError, ValueError):
            raise ConfigError(
                f"parameter {self.name}: {value!r} is not of type {type_name(self.kind)}"
            ) from None


REQUIRED: Any = object()
"""Marks a parameter without a default."""

_TRUE = {"true", "yes", "on", "1"}
_FALSE = {"false", "no", "off", "0"}


def type_name(kind: Any) -> str:
    """The type as a person writes it."""
    return kind.__name__ if isinstance(kind, type) else str(kind).replace("typing.", "")


def _convert(kind: Any, value: Any) -> Any:
    origin = typing.get_origin(kind)
    if kind is Any:
        return value
    if origin is Literal:
        return _convert_choice(typing.get_args(kind), value)
    if origin in (typing.Union, types.UnionType):
        return _convert_union(typing.get_args(kind), value)
    if origin in (list, tuple):
        return _convert_sequence(kind, value)
    if kind is bool:
        return _convert_bool(value)
    if kind is int:
        return _convert_int(value)
    if isinstance(kind, type) and isinstance(value, kind):
        return value
    if kind in (float, str, Qty, Price, Decimal):
        return kind(value)
    raise ConfigError(
        f"the type {type_name(kind)} is not supported; use int, float, bool, str, Qty, Price, "
        "Decimal, Literal, list, tuple, or a union of them"
    )


def _convert_choice(choices: tuple[Any, ...], value: Any) -> Any:
    for choice in choices:
        if value == choice or str(value) == str(choice):
            return choice
    raise ConfigError(f"{value!r} is not one of {', '.join(map(repr, choices))}")


def _convert_union(kinds: tuple[Any, ...], value: Any) -> Any:
    if value is None or (isinstance(value, str) and value.lower() == "none"):
        if type(None) in kinds:
            return None
        raise ConfigError("a value is needed")
    for kind in (k for k in kinds if k is not type(None)):
        try:
            return _convert(kind, value)
        except (ConfigError, TypeError, ValueError):
            continue
    raise ConfigError(f"{value!r} fits none of {', '.join(map(type_name, kinds))}")


def _convert_sequence(kind: Any, value: Any) -> Any:
    items = value.split(",") if isinstance(value, str) else value
    arguments = [a for a in typing.get_args(kind) if a is not Ellipsis]
    inner = arguments[0] if arguments else Any
    converted = [_convert(inner, item) for item in items]
    return tuple(converted) if typing.get_origin(kind) is tuple else converted


def _convert_bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).lower()
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    raise ConfigError(f"{value!r} is not true or false")


def _convert_int(value: Any) -> int:
    if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
        raise ConfigError(f"{value!r} is not a whole number")
    return int(value)


def parameters_of(cls: type) -> dict[str, Parameter]:
    """The parameters that a class and its bases declare, bases first.

    A parameter is an annotated public class attribute whose annotation is not ``ClassVar``.

    Raises:
        ConfigError: When an annotation cannot be resolved or a default does not fit it.
    """
    found: dict[str, Parameter] = {}
    for base in reversed(cls.__mro__):
        own = inspect.get_annotations(base)
        if base is object or not own or base.__dict__.get("_declares_no_parameters", False):
            continue
        try:
            hints = typing.get_type_hints(base)
        except NameError as error:
            raise ConfigError(f"strategy {cls.__name__}: annotation: {error}") from None
        for name in own:
            kind = hints[name]
            if name.startswith("_") or typing.get_origin(kind) is typing.ClassVar:
                continue
            parameter = Parameter(name, kind, REQUIRED)
            if hasattr(cls, name):
                parameter = Parameter(name, kind, parameter.convert(getattr(cls, name)))
            found[name] = parameter
    return found
