"""Stops that the engine holds: it closes the position itself, at the market.

Given at the start (``stops=[...]``) or asked for in a callback (``m.stop(Stop.trailing(5))``). A
stop at the venue is an order: ``m.sell(..., kind="stop", trigger=...)``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from mainspring.errors import ConfigError
from mainspring.written import Number, Span, decimal_text, span_ns


@dataclass(frozen=True, slots=True)
class Stop:
    """When the engine closes a position of a strategy, by itself; made by the class methods.

    The mid price decides. A position that turns begins anew, one that grows or shrinks does not.
    When a stop fires, the strategy's orders in the instrument are cancelled and its position is
    closed; it fires once for each position. The state survives a restart of a session.

    Attributes:
        rule: The engine's form of the rule.
        strategy: Whose positions; those of every strategy without it.
        symbol: In which instrument; in each without it.
    """

    rule: dict[str, Any]
    strategy: str | None = None
    symbol: str | None = None

    @classmethod
    def fixed(cls, distance: Number, **of: str) -> Stop:
        """At a distance against the entry, in units of the price."""
        return cls({"kind": "fixed", "distance": decimal_text(distance, "distance")}, **of)

    @classmethod
    def trailing(cls, distance: Number, **of: str) -> Stop:
        """At a distance from the best price since the entry."""
        return cls({"kind": "trailing", "distance": decimal_text(distance, "distance")}, **of)

    @classmethod
    def atr(cls, multiple: Number, period: int = 14, bar: Span = "1m", **of: str) -> Stop:
        """At a multiple of the average true range from the best price since the entry.

        The range is that of bars of the mid price, averaged with weight ``1 / period`` (Wilder
        1978, New Concepts in Technical Trading Systems); the stop stands from the `period`-th
        bar on.
        """
        rule = {
            "kind": "atr",
            "multiple": decimal_text(multiple, "multiple"),
            "period": period,
            "bar_ns": span_ns(bar, "bar"),
        }
        return cls(rule, **of)

    @classmethod
    def step(cls, distance: Number, step: Number, **of: str) -> Stop:
        """At a distance against the entry that is raised by `step` for each `step` gained."""
        rule = {
            "kind": "step",
            "distance": decimal_text(distance, "distance"),
            "step": decimal_text(step, "step"),
        }
        return cls(rule, **of)

    @classmethod
    def break_even(cls, distance: Number, trigger: Number, offset: Number = 0, **of: str) -> Stop:
        """At a distance against the entry; at the entry plus `offset` once `trigger` is gained."""
        rule = {
            "kind": "break_even",
            "distance": decimal_text(distance, "distance"),
            "trigger": decimal_text(trigger, "trigger"),
            "offset": decimal_text(offset, "offset"),
        }
        return cls(rule, **of)

    @classmethod
    def time(cls, after: Span, **of: str) -> Stop:
        """So long after the entry, whatever the price."""
        return cls({"kind": "time", "after_ns": span_ns(after, "after")}, **of)

    @classmethod
    def equity(cls, loss: Number, **of: str) -> Stop:
        """When the position has lost this much, in the settlement currency."""
        return cls({"kind": "equity", "loss": decimal_text(loss, "loss")}, **of)

    def _as_asked(self) -> str:
        """The rule alone, as `Market.stop` takes it."""
        if self.strategy is not None or self.symbol is not None:
            raise ConfigError(
                "a stop of a callback guards the strategy's own position in the market that it is "
                "asked of; leave strategy= and symbol= out"
            )
        return json.dumps(self.rule)

    def to_engine(self) -> dict[str, Any]:
        """The engine's form."""
        return {"strategy": self.strategy, "symbol": self.symbol, "rule": dict(self.rule)}
