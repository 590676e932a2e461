"""The sections of the configuration: every key, its type, its default and its meaning.

This is the one schema. The file, the environment and the command line are read into it, the JSON
schema and the reference page are made from it.
"""

from __future__ import annotations

import re
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    SecretStr,
    StringConstraints,
    WithJsonSchema,
)
from pydantic.json_schema import SkipJsonSchema

from mainspring.backtesting.config import FillModel
from mainspring.backtesting.reconciling import RateBudget, Reconcile, Urgent
from mainspring.errors import ConfigError
from mainspring.strategy.time_text import duration_ns

DURATION = r"^(0|\d+(\.\d+)?\s*(ns|us|ms|s|m|min|h|d))$"
MAX_DURATION_CHARS = 24


class Reload(StrEnum):
    """When a change of a key takes effect in a running engine."""

    NOW = "now"
    """Between two events."""
    TIGHTEN = "tighten"
    """A smaller value at once; a larger one needs a reason, which is kept."""
    NEXT_START = "next_start"
    """When the engine is started anew."""


def _with_unit(text: str) -> str:
    if not re.match(DURATION, text):
        raise ValueError(f"{text[:40]!r} is no time with its unit, such as 100ms or 1.5s")
    if len(text) > MAX_DURATION_CHARS or _nanoseconds(text) >= 1 << 63:
        raise ValueError(f"{text[:20]!r} is longer than the clock can count (292 years)")
    return text


def _not_zero(text: str) -> str:
    if _nanoseconds(text) == 0:
        raise ValueError(f"{text!r} is no time; it must be positive, such as 100ms")
    return text


def _nanoseconds(text: str) -> int:
    try:
        return duration_ns(text)
    except ConfigError:
        return 0


Duration = Annotated[
    str,
    AfterValidator(_with_unit),
    WithJsonSchema({"type": "string", "pattern": DURATION, "examples": ["100ms", "1.5s"]}),
]
"""A span of time as text; zero is one."""

Wait = Annotated[Duration, AfterValidator(_not_zero)]
"""A span of time that is not zero."""

Positive = Annotated[Decimal, Field(gt=0)]
NotNegative = Annotated[Decimal, Field(ge=0)]
Fraction = Annotated[Decimal, Field(ge=0, lt=1)]

SelfTradePrevention = Literal["cancel_newest", "cancel_oldest", "cancel_both"]
TriggerSource = Literal["last_trade", "mark"]
QueueModel = Literal[
    "risk_averse",
    "prob_power2",
    "prob_power3",
    "prob_power_total2",
    "prob_power_total3",
    "prob_one_minus_power3",
    "prob_log",
    "prob_log2",
    "l3_fifo",
]


class Section(BaseModel):
    """A table of the file; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


class RunSection(Section):
    """What to run and where to put it."""

    strategy: str | None = None
    """`path.py:Class`, relative to this file; `path.py` when it has one strategy."""
    data: list[str] = []
    """Event files, catalog names, or `sample:NAME` for generated data."""
    out: Path = Path("runs")
    """The folder that runs are written to."""
    every: Duration | None = None
    """Call `on_book` at most this often; without it, on every message."""
    cash: Positive | None = None
    """Money at the start, in the settlement currency; 100,000 without it."""
    features: list[str] = []
    """Features to compute, such as `ofi` or `ewma_volatility:halflife=60s`."""
    bars: list[str] = []
    """Bars that the kernel builds, such as `1m` or `volume:10`."""
    sample: Duration | None = None
    """Interval of equity samples; chosen from the span without it."""
    report: bool = True
    """Write `report.html` beside the results."""


class VenueSection(Section):
    """How the simulated venue fills orders; the models are in the documentation."""

    fill_model: FillModel = "mainspring"
    """How resting and taking orders are filled."""
    queue_model: QueueModel = "prob_power3"
    """How the queue in front of a resting order is estimated."""
    self_trade: SelfTradePrevention = "cancel_newest"
    """Which order gives way when two of ours would trade with each other."""
    trigger_source: TriggerSource = "last_trade"
    """Which price sets off stops."""


class LatencySection(Section):
    """How long things take on their way."""

    feed: Duration | None = None
    """From the exchange to us, in place of what was recorded."""
    decision: Duration | None = None
    """Of the strategy, before its orders leave."""
    entry: Duration | None = None
    """From us to the venue."""
    response: Duration | None = None
    """From the venue back to us."""


class FeesSection(Section):
    """Fees as fractions of the traded value, in place of the instrument's."""

    maker: Decimal | None = None
    """Such as "0.0002"; negative is a rebate."""
    taker: Decimal | None = None
    """Such as "0.0005"."""


class LimitsSection(Section):
    """Risk limits of every instrument; they only tighten those of the build."""

    max_position: Annotated[Positive | None, Reload.TIGHTEN] = None
    """Largest absolute position, in units of the base."""
    max_order_qty: Annotated[Positive | None, Reload.TIGHTEN] = None
    """Largest order, in units of the base."""
    max_order_notional: Annotated[Positive | None, Reload.TIGHTEN] = None
    """Largest order value, in the settlement currency."""
    max_open_orders: Annotated[Annotated[int, Field(gt=0, le=10_000)] | None, Reload.TIGHTEN] = None
    """Most orders open at once."""
    max_drawdown: Annotated[Annotated[float, Field(gt=0, le=1)] | None, Reload.TIGHTEN] = None
    """Fraction lost from the peak of the equity at which trading halts."""


class OrdersSection(Section):
    """How long answers of a venue are waited for, and whose orders are left alone."""

    creation_timeout: Annotated[Wait, Reload.NOW] = "10s"
    """An order that is not acknowledged for so long is asked about."""
    cancel_timeout: Annotated[Wait, Reload.NOW] = "5s"
    """A cancel or amend that is not answered for so long is asked about."""
    query_timeout: Annotated[Wait, Reload.NOW] = "1s"
    """The first wait for the answer to a question; each further one is twice as long."""
    max_queries: Annotated[int, Field(ge=1, le=16), Reload.NOW] = 5
    """After so many questions without an answer the order is reported as stuck."""
    reconcile_every: Annotated[Wait, Reload.NOW] = "15s"
    """How often a connected venue is asked for fills, open orders and positions."""
    foreign: Annotated[Literal["report", "cancel"], Reload.NOW] = "report"
    """What is done with an open order that was not placed here."""

    def to_engine(self) -> dict[str, Any]:
        """The `patience` and `foreign` of a session's configuration."""
        patience = {
            "creation_ns": duration_ns(self.creation_timeout),
            "cancel_ns": duration_ns(self.cancel_timeout),
            "query_ns": duration_ns(self.query_timeout),
            "max_queries": self.max_queries,
            "reconcile_ns": duration_ns(self.reconcile_every),
        }
        return {"patience": patience, "foreign": self.foreign}


class RiskSection(Section):
    """How what a strategy wants is shaped before it reaches the gate."""

    min_order_size: Annotated[NotNegative, Reload.NOW] = Decimal(0)
    """A smaller order than this is not placed, in units of the base."""
    leverage: Annotated[Positive, Reload.TIGHTEN] = Decimal(1)
    """Initial margin is the value of a position divided by this."""
    margin_safety_buffer: Annotated[Fraction, Reload.NOW] = Decimal("0.2")
    """Fraction of the equity that is never used as margin."""


RateText = Annotated[
    str,
    StringConstraints(pattern=r"^[1-9]\d*\s*/\s*\d+(\.\d+)?\s*(ns|us|ms|s|m|min|h|d)$"),
    Field(examples=["300/10s", "1200/1m"]),
]
"""How many in how long."""


class RateSection(Section):
    """What a venue may be sent, in any window of that length."""

    requests: RateText | None = None
    """Everything: orders, cancels, amends, questions; such as `1200/1m`."""
    orders: RateText | None = None
    """New orders and amends."""
    cancels: RateText | None = None
    """Cancels."""
    cancel_reserve: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """Share that orders and amends leave to cancels and questions."""


AmendRule = Literal["never", "keeps_priority", "always"]


class ExecutionSection(Section):
    """When a resting order is replaced by a better one, and what may be sent."""

    requote_threshold_bps: Annotated[NotNegative, Field(lt=10_000), Reload.NOW] = Decimal(0)
    """An order is left alone while its price is this close to the wanted one."""
    size_threshold_bps: Annotated[NotNegative, Field(lt=10_000)] = Decimal(0)
    """An order is left alone while its quantity is this close to the wanted one."""
    replenish: bool = False
    """Add what traded of a quote again, instead of when it is filled."""
    amend: AmendRule = "never"
    """What an amend may do: make smaller in place, or whatever is wanted."""
    amend_at: dict[str, AmendRule] = {}
    """The same by venue, where it differs."""
    wait_for_cancel: bool = False
    """A replacement waits for the answer to the cancel of what it replaces."""
    min_life: Duration | None = None
    """A younger order is not replaced."""
    max_life: Wait | None = None
    """An older order is replaced even where it should be."""
    queue_growth: Annotated[float, Field(gt=1)] | None = None
    """Replace an order when the quantity in front of it has grown by this factor."""
    cross: Literal["send", "rest", "drop"] = "send"
    """What becomes of quotes that would cross the book."""
    below_minimum: Literal["send", "drop", "raise"] = "send"
    """What becomes of orders below the venue's smallest quantity or value."""
    max_actions: Annotated[int, Field(ge=1)] | None = None
    """Most requests at once; the rest follows a little later."""
    urgent_after: Duration | None = None
    """A reduction with a limit price that is not done by then takes what is in the book."""
    urgent_collar_bps: Annotated[int, Field(ge=0, lt=10_000)] = 20
    """How far through the best opposite price that may go."""
    rates: dict[str, RateSection] = {}
    """What venues may be sent, by venue; `*` is for the rest."""

    def rules(self) -> Reconcile | None:
        """The rules for `ms.backtest` and sessions; None when all are as without rules."""
        if self == type(self)():
            return None
        urgent = None
        if self.urgent_after is not None:
            urgent = Urgent(after=self.urgent_after, collar_bps=self.urgent_collar_bps)
        return Reconcile(
            requote_threshold_bps=self.requote_threshold_bps,
            size_threshold_bps=self.size_threshold_bps,
            replenish=self.replenish,
            amend={"*": self.amend, **self.amend_at},
            wait_for_cancel=self.wait_for_cancel,
            min_life=self.min_life or 0,
            max_life=self.max_life,
            queue_growth=self.queue_growth,
            cross=self.cross,
            below_minimum=self.below_minimum,
            max_actions=self.max_actions,
            urgent=urgent,
            rates={venue: _budget(rates) for venue, rates in self.rates.items()},
        )


def _budget(section: RateSection) -> RateBudget:
    def rate(text: str | None) -> tuple[int, str] | None:
        if text is None:
            return None
        count, _, window = text.partition("/")
        return int(count), window.strip()

    return RateBudget(
        requests=rate(section.requests),
        orders=rate(section.orders),
        cancels=rate(section.cancels),
        cancel_reserve=section.cancel_reserve,
    )


class EventsSection(Section):
    """The bus of typed events."""

    history: Annotated[int, Field(ge=1, le=1_000_000), Reload.NOW] = 1_000
    """How many past events are kept for questions."""


class StoreSection(Section):
    """The SQLite store: a view of the journal that can be rebuilt from it."""

    path: Path = Path("mainspring.db")
    """The database, relative to this file."""
    batch: Annotated[int, Field(ge=1, le=100_000), Reload.NOW] = 1_000
    """Most records in one transaction."""
    flush_every: Annotated[Wait, Reload.NOW] = "250ms"
    """How long a written record may wait for its transaction."""


class FlagsSection(Section):
    """Parts of the engine that can be turned on and off."""

    store: bool = True
    """Keep the SQLite store beside the journal of a session."""
    hot_reload: Annotated[bool, Reload.NOW] = True
    """Take up changes of this file while a session runs."""


class Credential(Section):
    """The keys of a venue. They come from the environment or the keyring, never from a file."""

    key: SecretStr | None = None
    """The public half."""
    secret: SecretStr | None = None
    """The private half."""
    passphrase: SecretStr | None = None
    """A third part where the venue wants one."""


ParameterName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]\w*$")]
VenueName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]


class Config(Section):
    """The configuration file, `mainspring.toml` or JSON; flags win over it."""

    run: RunSection = RunSection()
    parameters: Annotated[dict[ParameterName, JsonValue], Reload.NOW] = {}
    """Parameters of the strategy by name, checked against its annotations."""
    venue: VenueSection = VenueSection()
    latency: LatencySection = LatencySection()
    fees: FeesSection = FeesSection()
    limits: LimitsSection = LimitsSection()
    orders: OrdersSection = OrdersSection()
    risk: RiskSection = RiskSection()
    execution: ExecutionSection = ExecutionSection()
    events: EventsSection = EventsSection()
    store: StoreSection = StoreSection()
    flags: FlagsSection = FlagsSection()
    credentials: SkipJsonSchema[dict[VenueName, Credential]] = {}
    """Keys of venues, by the venue's name; never in a file."""
