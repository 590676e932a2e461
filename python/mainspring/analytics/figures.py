"""What every result object of this package shares: plain, JSON-safe, undefined is ``None``."""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """``value`` as JSON types: numpy scalars and arrays unpacked, non-finite numbers ``None``."""
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, np.ndarray):
        return [plain(item) for item in value.tolist()]
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no JSON form")


class Figures:
    """Base of the frozen result dataclasses."""

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON types. Undefined and infinite figures are ``None``, never NaN."""
        result = plain(self)
        assert isinstance(result, dict)
        return result


def ratio(numerator: float, denominator: float) -> float | None:
    """``numerator / denominator``, ``None`` where that is not a number, infinite where it diverges.

    A zero numerator over a zero denominator is undefined; anything else over zero is infinite with
    the sign of the numerator.
    """
    if math.isnan(numerator) or math.isnan(denominator):
        return None
    if denominator == 0.0:
        return None if numerator == 0.0 else math.copysign(math.inf, numerator)
    return numerator / denominator
