"""What margin and position states are reckoned with: limits and margin of the engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

POSITION_STATES = ("normal", "warning", "critical", "over_limit")

_BPS = Decimal(10_000)


@dataclass(frozen=True, slots=True)
class RiskTerms:
    """Terms of events and figures about margin and positions.

    Attributes:
        leverage: initial margin is the value of a position divided by it; None where positions are
            not margined.
        buffer: fraction of the equity that is never used.
        maintenance_ratio: maintenance margin is the value of a position times it.
        max_position: limit of the net position in each instrument, in units of the base; None for
            no position states.
        edges: shares of that limit beyond which a position is in warning, critical and over it.
    """

    leverage: Decimal | None = None
    buffer: Decimal = Decimal("0.2")
    maintenance_ratio: Decimal = Decimal("0.02")
    max_position: Decimal | None = None
    edges: tuple[Decimal, Decimal, Decimal] = (Decimal("0.70"), Decimal("0.85"), Decimal(1))

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> RiskTerms:
        """The terms in the engine's configuration of a run; that of a session has it as `run`."""
        run = config.get("run", config)
        limits, margin = run.get("limits") or {}, run.get("margin")
        states = run.get("position_states") or {}
        found: dict[str, Any] = {}
        if limits.get("max_position") is not None:
            found["max_position"] = Decimal(str(limits["max_position"]))
        if margin is not None:
            found["leverage"] = Decimal(str(margin["leverage"]))
            found["buffer"] = margin["buffer_bps"] / _BPS
            if margin.get("maintenance_rate") is not None:
                found["maintenance_ratio"] = Decimal(str(margin["maintenance_rate"]))
        if states:
            warning, critical = states["warning_bps"] / _BPS, states["critical_bps"] / _BPS
            found["edges"] = (warning, critical, Decimal(1))
        return cls(**found)

    def state(self, position: Decimal) -> str:
        """The state of a net position."""
        if self.max_position is None:
            return POSITION_STATES[0]
        share = abs(position) / self.max_position
        return POSITION_STATES[sum(share > edge for edge in self.edges)]
