"""How wishes become orders: thresholds, amends, lives of orders, minimums, rate budgets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mainspring.written import Number, Span, decimal_text, span_ns

AmendRule = Literal["never", "keeps_priority", "always"]
CrossRule = Literal["send", "rest", "drop"]
BelowMinimum = Literal["send", "drop", "raise"]
Rate = tuple[int, Span] | tuple[int, Span, int]
"""How many, in how long, and how many of them at once (half of them without it)."""


def _number(value: Number, what: str) -> float:
    return float(decimal_text(value, what))


@dataclass(frozen=True, slots=True)
class AdaptiveLife:
    """Lives of orders between the shortest and the longest that follow the market.

    Half of both, longer the more orders fill, shorter with volatility, with an expected move
    against the order, and when the book leans against its side.

    Attributes:
        target_fill_rate: Share of orders that should fill.
        fill_window: Over how long the share is measured.
        volatility: Name of the feature that gives the volatility, such as ``"ewma_volatility"``.
        volatility_unit_bps: Basis points of one unit of it.
        drift: Name of a feature that gives the expected move of the price, up is positive.
        drift_unit_bps: Basis points of one unit of it.
    """

    target_fill_rate: float = 0.15
    fill_window: Span = "300s"
    volatility: str | None = None
    volatility_unit_bps: float = 10_000.0
    drift: str | None = None
    drift_unit_bps: float = 1.0

    def to_engine(self) -> dict[str, Any]:
        """The engine's form."""
        return {
            "target_fill_rate": self.target_fill_rate,
            "fill_window_ns": span_ns(self.fill_window, "fill_window"),
            "volatility": self.volatility,
            "volatility_unit_bps": self.volatility_unit_bps,
            "drift": self.drift,
            "drift_unit_bps": self.drift_unit_bps,
        }


@dataclass(frozen=True, slots=True)
class Urgent:
    """When a position that should shrink is taken out of the book instead of waited for.

    Attributes:
        after: After a target with a limit price was wished for so long.
        collar_bps: How far through the best opposite price the taker order may go.
    """

    after: Span = "5s"
    collar_bps: int = 20

    def to_engine(self) -> dict[str, Any]:
        """The engine's form."""
        return {"after_ns": span_ns(self.after, "urgent: after"), "collar_bps": self.collar_bps}


@dataclass(frozen=True, slots=True)
class RateBudget:
    """How much a venue may be sent: each is ``(how_many, in_how_long)``, such as ``(300, "10s")``.

    Never more than that in any window, not even across the edge of two: half of it may go at once
    (another share as a third value), the rest flows in during the window.

    Attributes:
        requests: Everything: orders, cancels, amends, questions.
        orders: New orders and amends.
        cancels: Cancels.
        cancel_reserve_bps: Share of the burst that orders and amends leave to cancels and
            questions, in basis points.
        batch: Most new orders, or cancels, of one request where the venue takes several at once:
            those of one moment in one instrument share `requests`; orders and cancels themselves
            are counted each.
    """

    requests: Rate | None = None
    orders: Rate | None = None
    cancels: Rate | None = None
    cancel_reserve_bps: int = 2_000
    batch: int = 1

    def to_engine(self) -> dict[str, Any]:
        """The engine's form."""
        return {
            "requests": _rate(self.requests, "requests"),
            "orders": _rate(self.orders, "orders"),
            "cancels": _rate(self.cancels, "cancels"),
            "cancel_reserve_bps": self.cancel_reserve_bps,
            "batch": self.batch,
        }


def _rate(rate: Rate | None, what: str) -> dict[str, Any] | None:
    if rate is None:
        return None
    burst = rate[2] if len(rate) == 3 else None
    return {"limit": rate[0], "window_ns": span_ns(rate[1], f"rate of {what}"), "burst": burst}


@dataclass(frozen=True, slots=True)
class Reconcile:
    """Rules between what a strategy wishes and the orders that get there.

    Without them quotes are kept exactly as wished: every other price or quantity is a cancel and a
    new order. With any of them what is left of a wish is also carried out between two calls of the
    strategy: when an order comes of age, a cancel is answered, or a budget has room.

    Attributes:
        price_threshold_bps: An order this close to the wished price stays; of the price.
        size_threshold_bps: An order this close to the wished quantity stays; of the quantity.
        replenish: Whether what traded of a quote is added again. Without it an order stands for its
            level until it is filled.
        amend: ``never``; ``keeps_priority`` makes an order smaller at its price, which keeps its
            place in the queue; ``always`` sends one amend in place of a cancel and an order. By
            venue as a mapping, where ``"*"`` is for the rest.
        wait_for_cancel: Whether a replacement waits for the answer to the cancel of what it
            replaces: never more is open than wished, at the price of a way there and back.
        min_life: A younger order is not replaced. What is not wished any more is cancelled whatever
            its age.
        max_life: An older order is replaced even where it should be.
        adaptive_life: Lives in between that follow the market; needs `max_life`.
        queue_growth: An order is replaced when the quantity in front of it has grown by this
            factor.
        cross: What becomes of quotes that would cross the other side of the book: they are sent,
            moved to the nearest price that rests, or left out.
        below_minimum: What becomes of orders below the venue's smallest quantity or value: they are
            sent, left out, or raised to it (quotes; a step towards a target is left out).
        max_actions: Most requests at once; the rest follows after `pause`.
        pause: Time between rounds that were cut off.
        urgent: Reductions that cannot wait.
        budgets: What may be sent: for every venue, or by venue as a mapping.
    """

    price_threshold_bps: Number = 0
    size_threshold_bps: Number = 0
    replenish: bool = False
    amend: AmendRule | Mapping[str, AmendRule] = "never"
    wait_for_cancel: bool = False
    min_life: Span = 0
    max_life: Span | None = None
    adaptive_life: AdaptiveLife | None = None
    queue_growth: float | None = None
    cross: CrossRule = "send"
    below_minimum: BelowMinimum = "send"
    max_actions: int | None = None
    pause: Span = "10ms"
    urgent: Urgent | None = None
    budgets: RateBudget | Mapping[str, RateBudget] | None = None

    def to_engine(self) -> dict[str, Any]:
        """The engine's form.

        Raises:
            ConfigError: A value is no number or no span of time.
        """
        amend = {"*": self.amend} if isinstance(self.amend, str) else dict(self.amend)
        budgets = self.budgets
        by_venue = {"*": budgets} if isinstance(budgets, RateBudget) else dict(budgets or {})
        price = _number(self.price_threshold_bps, "price_threshold_bps")
        return {
            "price_threshold_bps": price,
            "size_threshold_bps": _number(self.size_threshold_bps, "size_threshold_bps"),
            "replenish": self.replenish,
            "amend": amend.pop("*", "never"),
            "amend_at": amend,
            "wait_for_cancel": self.wait_for_cancel,
            "min_life_ns": span_ns(self.min_life, "min_life"),
            "max_life_ns": None if self.max_life is None else span_ns(self.max_life, "max_life"),
            "adaptive_life": None if self.adaptive_life is None else self.adaptive_life.to_engine(),
            "queue_growth": self.queue_growth,
            "cross": self.cross,
            "below_minimum": self.below_minimum,
            "max_actions": self.max_actions,
            "pause_ns": span_ns(self.pause, "pause"),
            "urgent": None if self.urgent is None else self.urgent.to_engine(),
            "budgets": {venue: budget.to_engine() for venue, budget in by_venue.items()},
        }
