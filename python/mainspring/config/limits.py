"""The section `limits`: a tree from the whole engine down to the instrument."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field, model_validator

from mainspring.config.section import (
    BasisPoints,
    Count,
    Duration,
    Fraction,
    Name,
    Positive,
    Rate,
    Reload,
    Section,
    Share,
    Wait,
    nanoseconds,
    rate_parts,
)


class BreakerSection(Section):
    """A circuit breaker: what keeps failing is left alone, then tried with one order at a time."""

    reload: ClassVar[Reload] = Reload.TIGHTEN

    max_faults: Annotated[int, Field(ge=1, le=1_024)] = 5
    """Rejects and unanswered requests within `window` that open it."""
    window: Wait = "10s"
    """See `max_faults`."""
    max_latency: Wait | None = None
    """An acknowledgement that takes longer is slow; without it latency does not count."""
    max_slow: Count = 10
    """Slow acknowledgements in a row that open it."""
    cooldown: Wait = "30s"
    """How long it stays open; doubled after each probe that fails."""
    probes: Count = 1
    """Probes in a row that must succeed to close it."""


class DrawdownSection(Section):
    """What a fall from the peak of sampled equity leads to, as fractions lost."""

    reload: ClassVar[Reload] = Reload.TIGHTEN

    reduce: Fraction | None = None
    """From here on orders that add to a position are cut to `reduce_to` of their size."""
    stop: Fraction | None = None
    """From here on nothing may add to a position."""
    close: Share
    """From here on trading is halted, orders are cancelled and positions closed."""
    shutdown: Share | None = None
    """From here on every strategy is stopped as well: a gap went through `close`."""
    reduce_to: Share | None = None
    """See `reduce`."""


class LimitsNode(Section):
    """Limits of one branch; what is not given is not limited there."""

    reload: ClassVar[Reload] = Reload.TIGHTEN

    max_position: Positive | None = None
    """Largest absolute position, in units of the base, open orders included."""
    max_order_qty: Positive | None = None
    """Largest order, in units of the base."""
    max_order_notional: Positive | None = None
    """Largest order value, in the settlement currency."""
    price_collar_bps: BasisPoints | None = None
    """How far a limit price may go through the mid price, in basis points."""
    max_open_orders: Annotated[int, Field(gt=0, le=10_000)] | None = None
    """Most orders open at once."""
    max_gross_exposure: Positive | None = None
    """Largest sum of absolute values, open orders included at their worst."""
    max_net_exposure: Positive | None = None
    """Largest absolute sum of signed values, open orders included."""
    max_leverage: Positive | None = None
    """Largest gross exposure over equity."""
    max_allocation: Share | None = None
    """Largest value of one order as a fraction of equity."""
    max_symbol_exposure: Positive | None = None
    """Largest net value in one base asset over all venues."""
    max_concentration: Share | None = None
    """The same as a fraction of equity."""
    max_order_rate: Rate | None = None
    """Most new orders in a window, such as `100/1s`."""
    max_cancel_rate: Rate | None = None
    """Most cancels in a window. A cancel is never refused: new orders are."""
    max_message_rate: Rate | None = None
    """Most orders, amends and cancels in a window; refuses orders and amends."""
    max_daily_trades: Count | None = None
    """Most orders that trade in one day."""
    max_daily_loss: Positive | None = None
    """Largest loss since the day began, open positions at their marks."""
    max_losing_streak: Count | None = None
    """Closing fills in a row that may lose."""
    max_data_age: Wait | None = None
    """Oldest market data that an order may be placed on."""
    trading_hours: str | None = None
    """When orders that add to a position may be placed, UTC: `mon-fri 08:00-16:30`."""
    restricted: list[Name] = Field(default_factory=list)
    """Symbols or base assets that may only be reduced."""
    breaker: BreakerSection | None = None
    """The circuit breaker; of a venue or a strategy, or at the top for each of them."""


class AccountSection(Section):
    """Limits of several venues together."""

    reload: ClassVar[Reload] = Reload.TIGHTEN

    venues: list[Name]
    """The venues of the account."""
    limits: LimitsNode = LimitsNode()
    """What bounds them together."""


class LimitsSection(LimitsNode):
    """Risk limits of the whole engine and of its branches; they only tighten the build's."""

    max_drawdown: Annotated[float, Field(gt=0, le=1)] | None = None
    """Fraction lost from the peak of the equity at which trading halts."""
    drawdown: DrawdownSection | None = None
    """The whole ladder in place of `max_drawdown`."""
    accounts: dict[Name, AccountSection] = Field(default_factory=dict)
    """Groups of venues, by name."""
    venues: dict[Name, LimitsNode] = Field(default_factory=dict)
    """Limits by venue."""
    strategies: dict[Name, LimitsNode] = Field(default_factory=dict)
    """Limits by strategy."""
    instruments: dict[Name, LimitsNode] = Field(default_factory=dict)
    """Limits by symbol, or `SYMBOL@venue`."""
    symbols: dict[Name, LimitsNode] = Field(default_factory=dict)
    """`max_symbol_exposure` and `max_concentration` by base asset."""
    day_start: Duration = "0"
    """Where the day begins after midnight UTC."""

    @model_validator(mode="after")
    def _one_drawdown(self) -> LimitsSection:
        if self.max_drawdown is not None and self.drawdown is not None:
            raise ValueError("give max_drawdown or drawdown, not both")
        return self

    def to_limits(self) -> Any:
        """The same as `ms.Limits`; raises `ConfigError` where a value means nothing there."""
        from mainspring.backtesting.config import Limits

        given: dict[str, Any] = _node(self)
        if self.max_drawdown is not None:
            given["max_drawdown"] = self.max_drawdown
        if self.drawdown is not None:
            from mainspring.risk import DrawdownLadder

            rungs: dict[str, Any] = {"reduce": None, "stop": None}
            for name, rung in self.drawdown.model_dump(exclude_none=True).items():
                rungs[name] = float(rung)
            given["drawdown"] = DrawdownLadder(**rungs)
        for branch in ("venues", "strategies", "instruments", "symbols"):
            nodes = getattr(self, branch)
            if nodes:
                given[branch] = {name: Limits(**_node(node)) for name, node in nodes.items()}
        if self.accounts:
            given["accounts"] = {
                name: (one.venues, Limits(**_node(one.limits)))
                for name, one in self.accounts.items()
            }
        if self.day_start != "0":
            given["day_start"] = self.day_start
        return Limits(**given)


def _node(node: LimitsNode) -> dict[str, Any]:
    given: dict[str, Any] = {
        name: value
        for name in LimitsNode.model_fields
        if (value := getattr(node, name)) is not None and value != []
    }
    if node.breaker is not None:
        from mainspring.risk import Breaker

        given["breaker"] = Breaker(**node.breaker.model_dump())
    return given


def is_tighter(key: str, before: Any, after: Any) -> bool:
    """Whether `after` allows no more than `before`; false as well where that cannot be said."""
    if key == "restricted":
        return set(after or ()) >= set(before or ())
    if before is None:
        return True
    if after is None:
        return False
    if key in ("max_order_rate", "max_cancel_rate", "max_message_rate"):
        (count, window), (old_count, old_window) = rate_parts(after), rate_parts(before)
        return count <= old_count and window >= old_window
    if key in _SHORTER:
        return nanoseconds(after) <= nanoseconds(before)
    if key in _LONGER:
        return nanoseconds(after) >= nanoseconds(before)
    if key in _SMALLER:
        return bool(after <= before)
    return key == "probes" and bool(after >= before)


# What allows less: a shorter or longer time, a smaller number.
_SHORTER = {"max_data_age", "max_latency"}
_LONGER = {"cooldown", "window"}
_SMALLER = (
    {name for name in LimitsNode.model_fields if name.startswith("max_")}
    | {"price_collar_bps", "max_drawdown", "max_faults", "max_slow", "leverage"}
    | {"reduce", "stop", "close", "shutdown", "reduce_to"}
)
