"""The sections of the configuration: every key, its type, its default and its meaning.

This is the one schema. The file, the environment and the command line are read into it, the JSON
schema and the reference page are made from it.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, JsonValue, SecretStr, StringConstraints
from pydantic.json_schema import SkipJsonSchema

from mainspring.backtesting.config import FillModel
from mainspring.config.execution import ExecutionSection
from mainspring.config.limits import LimitsSection
from mainspring.config.section import (
    BasisPoints,
    Count,
    Duration,
    Fraction,
    Moment,
    Positive,
    Reload,
    Section,
    Share,
    Wait,
    nanoseconds,
)
from mainspring.config.session import SessionSection
from mainspring.config.stops import AnyStop

if TYPE_CHECKING:
    from mainspring.risk.positions import Margin, PositionStates

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


class RunSection(Section):
    """What to run and where to put it."""

    strategy: str | None = None
    """`path.py:Class`, relative to this file; `path.py` when it has one strategy."""
    data: list[str] = Field(default_factory=list)
    """Event files, catalog names, or `sample:NAME` for generated data."""
    out: Path = Path("runs")
    """The folder that runs are written to."""
    every: Duration | None = None
    """Call `on_book` at most this often; without it, on every message."""
    cash: Positive | None = None
    """Money at the start, in the settlement currency; 100,000 without it."""
    report_currency: str | None = None
    """Currency of the equity curve and of limits; the settlement currency without it."""
    rates: dict[str, Positive] = Field(default_factory=dict)
    """Of currencies that no instrument connects: `"EUR/USDT" = 1.08`."""
    start: Moment | None = None
    """The strategy starts here; the book is built from the data before it."""
    end: Moment | None = None
    """The run ends here."""
    features: list[str] = Field(default_factory=list)
    """Features to compute, such as `ofi` or `ewma_volatility:halflife=60s`."""
    bars: list[str] = Field(default_factory=list)
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


class OrdersSection(Section):
    """How long answers of a venue are waited for, and whose orders are left alone."""

    reload: ClassVar[Reload] = Reload.NOW

    creation_timeout: Wait = "10s"
    """An order that is not acknowledged for so long is asked about."""
    cancel_timeout: Wait = "5s"
    """A cancel or amend that is not answered for so long is asked about."""
    query_timeout: Wait = "1s"
    """The first wait for the answer to a question; each further one is twice as long."""
    max_queries: Annotated[int, Field(ge=1, le=16)] = 5
    """After so many questions without an answer the order is reported as stuck."""
    reconcile_every: Wait = "15s"
    """How often a connected venue is asked for fills, open orders and positions."""
    halt_on_venue_issue: bool = False
    """Whether trading halts when an order is stuck, or a position differs from the venue's."""
    foreign: Literal["report", "cancel", "adopt"] = "report"
    """What is done with an order that was not placed here: adopted, it counts in limits, can be
    cancelled and amended, and its fills are booked."""
    foreign_owner: str = "account"
    """Who owns what is adopted: a strategy by its name, or the account itself."""

    def to_engine(self) -> dict[str, Any]:
        """The `patience` and `foreign` of a session's configuration."""
        patience = {
            "creation_ns": nanoseconds(self.creation_timeout),
            "cancel_ns": nanoseconds(self.cancel_timeout),
            "query_ns": nanoseconds(self.query_timeout),
            "max_queries": self.max_queries,
            "reconcile_ns": nanoseconds(self.reconcile_every),
            "halt_on_venue_issue": self.halt_on_venue_issue,
        }
        foreign: Any = self.foreign
        if foreign == "adopt":
            foreign = {"adopt": {"owner": self.foreign_owner}}
        return {"patience": patience, "foreign": foreign}


class MarginSection(Section):
    """Leverage, and what happens when margin runs out; without it positions are not margined."""

    leverage: Annotated[int, Field(ge=1, le=1_000)] = 5
    """Highest leverage; an instrument's own tiers may allow less."""
    buffer: Fraction = Decimal("0.2")
    """Fraction of the equity that is never used as margin."""
    emergency: Share = Decimal("0.8")
    """Maintenance margin over equity at which the engine closes everything."""
    maintenance_rate: Positive | None = None
    """Maintenance margin as a fraction of the value of a position, where there are no tiers."""

    def to_margin(self) -> Margin:
        """The same for `ms.backtest`."""
        from mainspring.risk.positions import Margin

        return Margin(
            leverage=self.leverage,
            buffer=float(self.buffer),
            emergency=float(self.emergency),
            maintenance_rate=self.maintenance_rate,
        )


class PositionStatesSection(Section):
    """What a fuller position leaves of wishes; without it nothing is shaped by it."""

    warning: Share = Decimal("0.70")
    """Share of the largest position beyond which only the side that reduces is left."""
    critical: Share = Decimal("0.85")
    """Share beyond which the engine reduces the position itself."""
    warning_size: Share = Decimal("0.5")
    """What is left of a size in the state of warning."""
    critical_reduce: Share = Decimal("0.3")
    """The part of the position that is reduced in the critical state."""
    critical_through_bps: BasisPoints = 2
    """How far through the mid it is offered, in basis points."""
    min_order_lots: Count = 1
    """Orders that are left smaller than this are not placed."""

    def to_states(self) -> PositionStates:
        """The same for `ms.backtest`."""
        from mainspring.risk.positions import PositionStates

        given: dict[str, Any] = {
            name: float(value) if isinstance(value, Decimal) else value
            for name, value in self.model_dump().items()
        }
        return PositionStates(**given)


class EventsSection(Section):
    """The bus of typed events."""

    reload: ClassVar[Reload] = Reload.NOW

    history: Annotated[int, Field(ge=1, le=1_000_000)] = 1_000
    """How many past events are kept for questions."""


class StoreSection(Section):
    """The SQLite store: a view of the journal that can be rebuilt from it."""

    path: Path = Path("mainspring.db")
    """The database, relative to this file; `store.db` in its folder for a session without it."""
    batch: Annotated[int, Field(ge=1, le=100_000), Reload.NOW] = 1_000
    """Most records in one transaction."""
    flush_every: Wait = "250ms"
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
    parameters: Annotated[dict[ParameterName, JsonValue], Reload.NOW] = Field(default_factory=dict)
    """Parameters of the strategy by name, checked against its annotations."""
    venue: VenueSection = VenueSection()
    latency: LatencySection = LatencySection()
    fees: FeesSection = FeesSection()
    limits: LimitsSection = LimitsSection()
    orders: OrdersSection = OrdersSection()
    margin: MarginSection | None = None
    position_states: PositionStatesSection | None = None
    stops: list[AnyStop] = Field(default_factory=list)
    """Stops that the engine holds, each a table `[[stops]]` of its `kind`."""
    execution: ExecutionSection = ExecutionSection()
    events: EventsSection = EventsSection()
    session: SessionSection = SessionSection()
    store: StoreSection = StoreSection()
    flags: FlagsSection = FlagsSection()
    credentials: SkipJsonSchema[dict[VenueName, Credential]] = Field(default_factory=dict)
    """Keys of venues, by the venue's name; never in a file."""
