"""How a run is configured: the venue, latency, fees, limits. Plain values with stated units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from mainspring.errors import ConfigError
from mainspring.risk.limits import Limits
from mainspring.risk.positions import Margin, PositionStates
from mainspring.risk.stops import Stop
from mainspring.risk.validation import Validator
from mainspring.strategy.base import Feature
from mainspring.written import Number, Span, decimal_text, span_ns

if TYPE_CHECKING:
    from mainspring.backtesting.flow import Flow
    from mainspring.backtesting.reconciling import Reconcile

__all__ = [
    "Fees",
    "FillModel",
    "Latency",
    "Limits",
    "Number",
    "RunSettings",
    "Span",
    "Venue",
    "decimal_text",
]

FillModel = Literal["mainspring", "hft_no_partial", "hft_partial", "matching"]


@dataclass(frozen=True, slots=True)
class Venue:
    """How the simulated venue fills orders.

    Attributes:
        fill_model: ``mainspring`` shares trades and shown depth out, so nothing is filled twice;
            ``hft_no_partial`` and ``hft_partial`` behave like hftbacktest 2.4.4; ``matching`` is
            the matching engine, for order-level data and generated flow: our orders are in one
            book with the others', and what they do to it is seen.
        queue_model: How the queue in front of a resting order is estimated, by name or as a
            mapping such as ``{"model": "prob_power", "exponent": 2.5}``.
        self_trade: Which order gives way when two of ours would trade with each other.
        trigger_source: Which price sets off stops: ``last_trade`` or ``mark``.
        overload: ``{"max_requests": n, "window_ns": w}`` refuses requests beyond that rate.
        bar_spread_ticks: On bar data, how many ticks bid and ask lie from the bar's prices: what a
            taker pays, and how far a price must go through a resting order.
    """

    fill_model: FillModel = "mainspring"
    queue_model: str | Mapping[str, Any] = "prob_power3"
    self_trade: Literal["cancel_newest", "cancel_oldest", "cancel_both"] = "cancel_newest"
    trigger_source: Literal["last_trade", "mark"] = "last_trade"
    overload: Mapping[str, int] | None = None
    bar_spread_ticks: int = 1

    def to_engine(self) -> dict[str, Any]:
        """The engine's form."""
        queue = self.queue_model
        return {
            "fill_model": self.fill_model,
            "queue_model": queue if isinstance(queue, str) else dict(queue),
            "self_trade": self.self_trade,
            "trigger_source": self.trigger_source,
            "overload": None if self.overload is None else dict(self.overload),
        }


@dataclass(frozen=True, slots=True)
class Latency:
    """How long things take on their way. Spans are text such as ``"2ms"``, or nanoseconds.

    Attributes:
        entry: From us to the venue's matching.
        response: From the venue's matching back to us.
        decision: What the strategy takes to decide; added in front of `entry`.
        cancel: ``(entry, response)`` of cancels where it differs.
        amend: ``(entry, response)`` of amends where it differs.
        feed: From the exchange to us, in place of what was recorded.
        model: A whole model instead of `entry` and `response`, such as
            ``{"model": "table", "rows": [...]}``, ``{"model": "feed_scaled", ...}`` or
            ``{"model": "empirical", "samples": [...], "seed": 1}``.
    """

    entry: Span = "1ms"
    response: Span = "1ms"
    decision: Span = 0
    cancel: tuple[Span, Span] | None = None
    amend: tuple[Span, Span] | None = None
    feed: Span | None = None
    model: Mapping[str, Any] | None = None

    def to_engine(self) -> dict[str, Any]:
        """The engine's form: the model, the decision latency and the feed latency."""
        model = self._constant() if self.model is None else dict(self.model)
        feed = None if self.feed is None else span_ns(self.feed, "feed latency")
        return {
            "latency": model,
            "decision_ns": span_ns(self.decision, "decision latency"),
            "feed_ns": feed,
        }

    def _constant(self) -> dict[str, Any]:
        model: dict[str, Any] = {"model": "constant", "new": _legs((self.entry, self.response))}
        for name, legs in (("cancel", self.cancel), ("amend", self.amend)):
            if legs is not None:
                model[name] = _legs(legs)
        return model


def _legs(legs: tuple[Span, Span]) -> dict[str, int]:
    return {
        "entry_ns": span_ns(legs[0], "entry latency"),
        "response_ns": span_ns(legs[1], "response latency"),
    }


@dataclass(frozen=True, slots=True)
class Fees:
    """Fees as fractions of the traded value; a negative one is a rebate.

    A fill is charged by the tier of the volume that its instrument traded before it.

    Attributes:
        maker: Of a fill as maker, such as ``"0.0002"``.
        taker: Of a fill as taker, such as ``"0.0005"``.
        tiers: ``(from_volume, maker, taker)`` for traded volumes, smallest first: from that volume
            on, in the settlement currency, these rates hold.
        volume: Traded before the run, in the settlement currency.
        per_fill: Charged for each fill on top, in the settlement currency.
        per_lot: Charged for each lot on top, in the settlement currency.
    """

    maker: Number
    taker: Number
    tiers: Sequence[tuple[Number, Number, Number]] = ()
    volume: Number = 0
    per_fill: Number = 0
    per_lot: Number = 0

    def to_engine(self) -> dict[str, Any]:
        """The engine's form."""
        names = ("from_volume", "maker", "taker")
        return {
            "maker": decimal_text(self.maker, "maker fee"),
            "taker": decimal_text(self.taker, "taker fee"),
            "tiers": [
                {
                    name: decimal_text(value, f"fee tier: {name}")
                    for name, value in zip(names, tier, strict=True)
                }
                for tier in self.tiers
            ],
            "volume": decimal_text(self.volume, "volume traded before"),
            "per_fill": decimal_text(self.per_fill, "fee per fill"),
            "per_lot": decimal_text(self.per_lot, "fee per lot"),
        }


@dataclass(frozen=True, slots=True)
class RunSettings:
    """Everything that configures a run apart from strategies and data."""

    venue: Venue = field(default_factory=Venue)
    latency: Latency = field(default_factory=Latency)
    fees: Fees | None = None
    limits: Limits = field(default_factory=Limits)
    margin: Margin | None = None
    position_states: PositionStates | None = None
    stops: Sequence[Stop] = ()
    validator: Validator | None = None
    cash: Mapping[str, Number] | None = None
    report_currency: str | None = None
    features: Sequence[Feature] = ()
    bars: Sequence[str] = ()
    start_ns: int | None = None
    end_ns: int | None = None
    sample: Span | None = None
    reconcile: Reconcile | None = None
    flow: Flow | None = None
    rates: Mapping[str, Number] | None = None

    def to_engine(self, settle: str) -> dict[str, Any]:
        """The engine's form. `settle` is the currency that cash without a name is in."""
        states = self.position_states
        cash = {settle: "100000"} if self.cash is None else self.cash
        # Rules that are not there leave no trace: the hash of a run without them stays.
        rules = {} if self.reconcile is None else {"reconcile": self.reconcile.to_engine()}
        flow = {} if self.flow is None else {"flow": self.flow.to_engine()}
        return {
            **rules,
            **flow,
            **_rates(self.rates or {}),
            "venue": self.venue.to_engine(),
            **self.latency.to_engine(),
            "fees": None if self.fees is None else self.fees.to_engine(),
            "deposits": [[name, decimal_text(amount, "cash")] for name, amount in cash.items()],
            "report_currency": self.report_currency,
            "sample_ns": None if self.sample is None else span_ns(self.sample, "sample"),
            "features": list(self.features),
            "bars": list(self.bars),
            "bar_spread_ticks": self.venue.bar_spread_ticks,
            "limits": self.limits.to_engine(),
            "margin": None if self.margin is None else self.margin.to_engine(),
            "validator": None if self.validator is None else self.validator.to_engine(),
            "stops": [stop.to_engine() for stop in self.stops],
            "position_states": None if states is None else states.to_engine(),
            "start_ns": self.start_ns,
            "end_ns": self.end_ns,
        }


def _rates(rates: Mapping[str, Number]) -> dict[str, Any]:
    """Rates that no instrument gives, as the engine has them; nothing without any."""
    listed = []
    for pair, rate in rates.items():
        base, slash, quote = pair.partition("/")
        if not (base and slash and quote) or "/" in quote:
            raise ConfigError(f"rate {pair!r}: name two currencies, such as 'USDC/USDT'")
        listed.append([base, quote, decimal_text(rate, f"rate {pair}")])
    return {"rates": listed} if listed else {}
