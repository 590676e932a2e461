"""The section `execution`: how wishes become orders, and what may be sent to a venue."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from mainspring.backtesting.reconciling import AdaptiveLife, RateBudget, Reconcile, Urgent
from mainspring.config.section import (
    BasisPoints,
    Count,
    Duration,
    Name,
    Rate,
    Reload,
    Section,
    Wait,
    nanoseconds,
    rate_parts,
)

AmendRule = Literal["never", "keeps_priority", "always"]
Threshold = Annotated[float, Field(ge=0, lt=10_000)]


class BudgetSection(Section):
    """What may be sent to a venue; what is not given does not bind."""

    reload: ClassVar[Reload] = Reload.NOW

    requests: Rate | None = None
    """Everything that is sent: orders, cancels, amends, questions."""
    orders: Rate | None = None
    """New orders and amends."""
    cancels: Rate | None = None
    """Cancels."""
    cancel_reserve_bps: BasisPoints = 2_000
    """Share of the burst that orders and amends leave to cancels and questions."""
    batch: Annotated[int, Field(ge=1, le=1_000)] = 1
    """Most new orders, or cancels, of one request where the venue takes several at once."""


class UrgentSection(Section):
    """When a position that should shrink is taken out of the book instead of waited for."""

    reload: ClassVar[Reload] = Reload.NOW

    after: Duration
    """After a target with a limit price was wished for so long."""
    collar_bps: BasisPoints
    """How far through the best opposite price the taker order may go."""


class AdaptiveLifeSection(Section):
    """Lives of orders between the shortest and the longest that follow the market."""

    reload: ClassVar[Reload] = Reload.NOW

    target_fill_rate: Annotated[float, Field(gt=0, le=1)] = 0.15
    """Share of orders that should fill."""
    fill_window: Wait = "300s"
    """Over how long the share is measured."""
    volatility: str | None = None
    """The feature that gives the volatility."""
    volatility_unit_bps: float = 10_000.0
    """Basis points of one unit of that feature."""
    drift: str | None = None
    """The feature that gives the expected move of the price, up is positive."""
    drift_unit_bps: float = 1.0
    """Basis points of one unit of that feature."""


class ExecutionSection(Section):
    """When a resting order is left, amended or replaced; the default keeps quotes as wished."""

    reload: ClassVar[Reload] = Reload.NOW

    price_threshold_bps: Threshold = 0.0
    """An order this close to the wished price stays, in basis points of the price."""
    size_threshold_bps: Threshold = 0.0
    """An order this close to the wished quantity stays, in basis points of the quantity."""
    replenish: bool = False
    """Whether what traded of a quote is added again."""
    amend: AmendRule = "never"
    """What an amend may do: nothing, what keeps the place in the queue, or whatever is wanted."""
    amend_at: dict[Name, AmendRule] = Field(default_factory=dict)
    """The same by venue, where it differs."""
    wait_for_cancel: bool = False
    """Whether a replacement waits for the answer to the cancel of what it replaces."""
    min_life: Duration = "0"
    """A younger order is not replaced."""
    max_life: Wait | None = None
    """An older order is replaced, even where it should be."""
    adaptive_life: AdaptiveLifeSection | None = None
    """Lives in between that follow the market; needs `max_life`."""
    queue_growth: Annotated[float, Field(gt=1)] | None = None
    """An order is replaced when the quantity in front of it has grown by this factor."""
    cross: Literal["send", "rest", "drop"] = "send"
    """What becomes of a quote that would cross the book."""
    below_minimum: Literal["send", "drop", "raise"] = "send"
    """What becomes of an order below the venue's smallest quantity or value."""
    max_actions: Count | None = None
    """Most requests of one round; the rest follows in the next."""
    pause: Wait = "10ms"
    """Time between a round that was cut off and the next."""
    urgent: UrgentSection | None = None
    """Reductions that cannot wait."""
    budgets: dict[Name, BudgetSection] = Field(default_factory=dict)
    """What may be sent, by venue; `*` is for venues that are not named."""

    @model_validator(mode="after")
    def _lives_fit(self) -> ExecutionSection:
        shortest = nanoseconds(self.min_life)
        if self.max_life is not None and nanoseconds(self.max_life) <= shortest:
            raise ValueError(f"max_life {self.max_life} must be above min_life {self.min_life}")
        if self.adaptive_life is not None and self.max_life is None:
            raise ValueError("adaptive_life needs max_life")
        return self

    def rules(self) -> Reconcile | None:
        """The same for `ms.backtest`; None where all is as it is by default."""
        if self == ExecutionSection():
            return None
        plain = {name: getattr(self, name) for name in _PLAIN if name != "amend"}
        adaptive, urgent = self.adaptive_life, self.urgent
        return Reconcile(
            **plain,
            amend={"*": self.amend, **self.amend_at},
            min_life=self.min_life,
            max_life=self.max_life,
            pause=self.pause,
            adaptive_life=None if adaptive is None else AdaptiveLife(**adaptive.model_dump()),
            urgent=None if urgent is None else Urgent(**urgent.model_dump()),
            budgets={venue: _rates(one) for venue, one in self.budgets.items()},
        )


_PLAIN = (
    "price_threshold_bps",
    "size_threshold_bps",
    "replenish",
    "amend",
    "wait_for_cancel",
    "queue_growth",
    "cross",
    "below_minimum",
    "max_actions",
)


def _rates(budget: BudgetSection) -> RateBudget:
    def rate(text: str | None) -> tuple[int, int] | None:
        return None if text is None else rate_parts(text)

    return RateBudget(
        requests=rate(budget.requests),
        orders=rate(budget.orders),
        cancels=rate(budget.cancels),
        cancel_reserve_bps=budget.cancel_reserve_bps,
        batch=budget.batch,
    )
