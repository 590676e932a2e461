"""Checks of parameters that the strategies share."""

from __future__ import annotations

import math

from mainspring.errors import ConfigError
from mainspring.strategy.base import Strategy


def positive(strategy: Strategy, *names: str) -> None:
    """Refuses parameters that are not positive numbers.

    Raises:
        ConfigError: naming the first such parameter.
    """
    for name in names:
        value = getattr(strategy, name)
        if not (math.isfinite(value) and value > 0):
            raise ConfigError(
                f"{type(strategy).__name__}: {name} is {value}; it must be a positive number"
            )
