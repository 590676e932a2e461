"""Spans of time as people write them."""

from __future__ import annotations

import re

from mainspring.errors import ConfigError

_UNITS_NS = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "min": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
}
_SPAN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*")


def duration_ns(span: str | int) -> int:
    """Nanoseconds of a span such as ``"100ms"`` or ``"1.5s"``, or of a count of nanoseconds.

    Raises:
        ConfigError: When it cannot be read or is not positive.
    """
    if isinstance(span, int) and not isinstance(span, bool):
        nanoseconds = span
    else:
        match = _SPAN.fullmatch(str(span))
        if match is None or match[2] not in _UNITS_NS:
            raise ConfigError(f"{span!r} is not a span of time; write it like '100ms', '5s', '1h'")
        nanoseconds = round(float(match[1]) * _UNITS_NS[match[2]])
    if nanoseconds <= 0:
        raise ConfigError(f"a span of time must be positive, not {span!r}")
    return nanoseconds
