"""What sections of the configuration are made of: types of values, the rule of reloading."""

from __future__ import annotations

import re
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, WithJsonSchema

from mainspring.data.times import to_ns
from mainspring.errors import ConfigError, InvalidValue
from mainspring.strategy.time_text import duration_ns

DURATION = r"^(0|\d+(\.\d+)?\s*(ns|us|ms|s|m|min|h|d))$"
MAX_DURATION_CHARS = 24
RATE = r"^\d{1,9}\s*/\s*(\d+(\.\d+)?\s*)?(ns|us|ms|s|m|min|h|d)$"


class Reload(StrEnum):
    """When a change of a key takes effect in a running engine."""

    NOW = "now"
    """Between two events."""
    TIGHTEN = "tighten"
    """A tighter value at once; a looser one needs a reason, which is kept."""
    NEXT_START = "next_start"
    """When the engine is started anew."""


class Section(BaseModel):
    """A table of the file; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    reload: ClassVar[Reload] = Reload.NEXT_START
    """The rule of its keys that have none of their own."""


def _with_unit(text: str) -> str:
    if not re.match(DURATION, text):
        raise ValueError(f"{text[:40]!r} is no time with its unit, such as 100ms or 1.5s")
    if len(text) > MAX_DURATION_CHARS or nanoseconds(text) >= 1 << 63:
        raise ValueError(f"{text[:20]!r} is longer than the clock can count (292 years)")
    return text


def _not_zero(text: str) -> str:
    if nanoseconds(text) == 0:
        raise ValueError(f"{text!r} is no time; it must be positive, such as 100ms")
    return text


def _rate(text: str) -> str:
    if not re.match(RATE, text) or len(text) > 2 * MAX_DURATION_CHARS:
        raise ValueError(f"{text[:40]!r} is no count in a window, such as 100/1s")
    count, window_ns = rate_parts(text)
    if count == 0 or not 0 < window_ns < 1 << 63:
        raise ValueError(f"{text!r}: count and window must be positive, such as 100/1s")
    return text


def _moment(text: str) -> str:
    try:
        to_ns(text)
    except InvalidValue as error:
        raise ValueError(str(error)) from None
    return text


def nanoseconds(text: str) -> int:
    """A span of time of the configuration in nanoseconds; zero is one."""
    try:
        return duration_ns(text)
    except ConfigError:
        return 0


def rate_parts(text: str) -> tuple[int, int]:
    """The count of a rate, and the length of its window in nanoseconds."""
    count, _, window = (part.strip() for part in text.partition("/"))
    return int(count), nanoseconds(window if window[0].isdigit() else f"1{window}")


Duration = Annotated[
    str,
    AfterValidator(_with_unit),
    WithJsonSchema({"type": "string", "pattern": DURATION, "examples": ["100ms", "1.5s"]}),
]
"""A span of time as text; zero is one."""

Wait = Annotated[Duration, AfterValidator(_not_zero)]
"""A span of time that is not zero."""

Moment = Annotated[
    str,
    AfterValidator(_moment),
    WithJsonSchema({"type": "string", "examples": ["2024-08-08", "2024-08-08T12:00:00Z"]}),
]
"""A point in time as ISO 8601 text; UTC where no zone is given."""

Rate = Annotated[
    str,
    AfterValidator(_rate),
    WithJsonSchema({"type": "string", "pattern": RATE, "examples": ["100/1s", "1200/min"]}),
]
"""At most so many in a window."""

Positive = Annotated[Decimal, Field(gt=0)]
NotNegative = Annotated[Decimal, Field(ge=0)]
Fraction = Annotated[Decimal, Field(ge=0, lt=1)]
Share = Annotated[Decimal, Field(gt=0, le=1)]
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
BasisPoints = Annotated[int, Field(ge=0, lt=10_000)]

Name = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^\S+$")]
"""Of a venue, a strategy, an instrument."""
