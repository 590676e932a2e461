"""Numbers and spans of time as people write them, in the engine's form."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal

from mainspring.errors import ConfigError
from mainspring.strategy.time_text import duration_ns

Number = str | int | float | Decimal
_PLACES = 18
"""As many as the engine's decimals have."""
Span = str | int
"""A span of time: text such as ``"1.5ms"``, or nanoseconds."""


def decimal_text(value: Number, what: str) -> str:
    """A number as exact decimal text; a float by its shortest digits, cut after 18 places.

    Raises:
        ConfigError: When it is not a finite number.
    """
    try:
        number = Decimal(str(value))
    except ArithmeticError:
        raise ConfigError(f"{what} is {value!r}; give a number such as '0.0002'") from None
    if not number.is_finite():
        raise ConfigError(f"{what} is {value!r}; it must be finite")
    if isinstance(value, float) and number.as_tuple().exponent < -_PLACES:  # type: ignore[operator]
        number = number.quantize(Decimal(1).scaleb(-_PLACES), ROUND_DOWN)
    return format(number, "f")


def span_ns(value: Span, what: str) -> int:
    """A span of time in nanoseconds; zero is allowed.

    Raises:
        ConfigError: When it is not a time.
    """
    if value in (0, "0"):
        return 0
    try:
        return duration_ns(value)
    except ConfigError as error:
        raise ConfigError(f"{what}: {error}") from None
