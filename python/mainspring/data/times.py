"""Points in time as people write them, in nanoseconds since 1970 UTC."""

from __future__ import annotations

import datetime as dt
from typing import Any

from mainspring.errors import InvalidValue

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)

TimeArg = int | str | dt.datetime | dt.date
"""Nanoseconds, ISO 8601 text, a datetime or a date; UTC where no zone is given."""


def to_ns(when: Any) -> int:
    """`when` in nanoseconds since 1970 UTC; numpy and pandas times work too.

    Raises:
        InvalidValue: it is no point in time.
    """
    if isinstance(when, bool):
        raise InvalidValue(f"{when!r} is no point in time")
    if isinstance(when, int):
        return when
    if hasattr(when, "dtype") and when.dtype.kind == "M":
        return int(when.astype("datetime64[ns]").astype("int64"))
    if hasattr(when, "value") and hasattr(when, "nanosecond"):
        return int(when.value)
    if isinstance(when, str):
        when = _parse(when)
    if isinstance(when, dt.datetime):
        zoned = when if when.tzinfo else when.replace(tzinfo=dt.UTC)
        return (zoned - _EPOCH) // dt.timedelta(microseconds=1) * 1_000
    if isinstance(when, dt.date):
        return (when - _EPOCH.date()).days * 86_400_000_000_000
    raise InvalidValue(f"{when!r} is no point in time; give ns, a datetime or ISO 8601 text")


def from_ns(time_ns: int) -> dt.datetime:
    """The point in time as a datetime in UTC, to the microsecond below."""
    return _EPOCH + dt.timedelta(microseconds=time_ns // 1_000)


def _parse(text: str) -> dt.datetime:
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError:
        raise InvalidValue(f"{text!r} is no ISO 8601 time (like 2024-08-08T23:54:14)") from None
