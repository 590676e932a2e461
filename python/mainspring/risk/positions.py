"""What a fuller position and a thinner margin lead to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mainspring.errors import ConfigError
from mainspring.written import Number, decimal_text


def _bps(value: float, what: str) -> int:
    if not 0.0 <= value <= 1.0:
        raise ConfigError(f"{what} is {value}; give a fraction from 0 to 1")
    return round(value * 10_000)


@dataclass(frozen=True, slots=True)
class PositionStates:
    """Position states, as shares of the largest position that the limits allow.

    A strategy's wishes are shaped before they become orders. Normal: sizes are cut to what is left.
    Beyond `warning`: only the side that reduces, at `warning_size` of its size. Beyond `critical`:
    in place of quotes the engine offers `critical_reduce` of the position reduce-only,
    `critical_through_bps` through the mid. Beyond the largest position: it is closed at the market.

    Attributes:
        warning: Where the state of warning begins.
        critical: Where the critical state begins.
        warning_size: What is left of a size in the state of warning.
        critical_reduce: The part of the position that is reduced in the critical state.
        critical_through_bps: How far through the mid it is offered, in basis points.
        min_order_lots: Orders that are left smaller than this are not placed.
    """

    warning: float = 0.70
    critical: float = 0.85
    warning_size: float = 0.5
    critical_reduce: float = 0.3
    critical_through_bps: int = 2
    min_order_lots: int = 1

    def to_engine(self) -> dict[str, Any]:
        """The engine's form."""
        return {
            "warning_bps": _bps(self.warning, "warning"),
            "critical_bps": _bps(self.critical, "critical"),
            "warning_size_bps": _bps(self.warning_size, "warning_size"),
            "critical_reduce_bps": _bps(self.critical_reduce, "critical_reduce"),
            "critical_through_bps": self.critical_through_bps,
            "min_order_lots": self.min_order_lots,
        }


@dataclass(frozen=True, slots=True)
class Margin:
    """Leverage, and what happens when margin runs out.

    Gross exposure over `leverage` may use the equity less `buffer`: orders beyond that are refused
    as `risk_leverage`. People are warned when what is available is less than a fifth of what is
    used. When maintenance margin reaches `emergency` of the equity, trading halts, orders are
    cancelled and
    positions closed at the market; in a run the venue takes off what is left
    when it reaches all of it.

    Attributes:
        leverage: Highest leverage; an instrument's own tiers may allow less.
        buffer: Part of the equity that is never used as margin.
        emergency: Maintenance margin over equity at which the engine closes everything.
        maintenance_rate: Maintenance margin as a fraction of the value of a position, where an
            instrument has no tiers of its own; without it half the initial margin.
    """

    leverage: int = 5
    buffer: float = 0.2
    emergency: float = 0.8
    maintenance_rate: Number | None = None

    def to_engine(self) -> dict[str, Any]:
        """The engine's form."""
        rate = self.maintenance_rate
        return {
            "leverage": self.leverage,
            "buffer_bps": _bps(self.buffer, "buffer"),
            "emergency_bps": _bps(self.emergency, "emergency"),
            "maintenance_rate": None if rate is None else decimal_text(rate, "maintenance_rate"),
        }
