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


class ExecutionSection(Section):
    """When a resting order is replaced by a better one."""

    requote_threshold_bps: Annotated[NotNegative, Reload.NOW] = Decimal(0)
    """An order is left alone while its price is this close to the wanted one, of the mid."""


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
