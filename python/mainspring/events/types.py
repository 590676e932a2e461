"""The events of an engine, as subscribers see them.

Prices and sizes are exact as ticks and lots, and as floats in the units of the instrument for
people. Money is a `decimal.Decimal` in the settlement currency.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import Any, ClassVar

TYPES: dict[str, type[Event]] = {}
"""Every type of event by its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What all events have.

    Attributes:
        sequence: of the record that says it: its place in the journal or the log.
        part: which of the events that this record says, from 0.
        time_ns: logical time.
        cause: sequence of the input that it follows from; 0 where none is recorded.
        correlation: sequence of the record that it all began with: for what happens to an order,
            of the market message on which it was decided; equal numbers belong together.
    """

    name: ClassVar[str] = "Event"

    sequence: int
    part: int = 0
    time_ns: int
    cause: int = 0
    correlation: int = 0

    def __init_subclass__(cls) -> None:
        # A class with slots is made twice; the one that stays comes second.
        cls.name = cls.__name__
        TYPES[cls.name] = cls

    @property
    def order(self) -> int | None:
        """The order that it is about, None where it is about none."""
        return getattr(self, "order_id", None)

    def payload(self) -> dict[str, Any]:
        """Its own fields, without those that all events have."""
        own = _OWN_FIELDS.get(self.name) or _own_fields(type(self))
        return {name: getattr(self, name) for name in own}

    def to_dict(self) -> dict[str, Any]:
        """All fields as JSON knows them; money as decimal text."""
        every = {"event": self.name, **{f.name: getattr(self, f.name) for f in fields(self)}}
        return {k: str(v) if isinstance(v, Decimal) else v for k, v in every.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class OfOrder(Event):
    """What events about one order have."""

    order_id: int
    instrument: int
    symbol: str
    strategy: int
    is_buy: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCreated(OfOrder):
    """An order was made."""

    order_type: str
    size: float
    price: float | None
    qty_lots: int
    price_ticks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderChanged(OfOrder):
    """An order went from one state to another, or its terms changed in it."""

    old: str
    new: str
    reason: str
    filled_lots: int
    qty_lots: int
    price_ticks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFilled(OfOrder):
    """A part or all of an order traded."""

    size: float
    price: float | None
    qty_lots: int
    price_ticks: int
    maker: bool
    fee: Decimal
    realised: Decimal
    position_lots: int
    exch_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCanceled(OfOrder):
    """The rest of an order left the book; what traded before stands."""

    reason: str
    filled_lots: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRejected(OfOrder):
    """An order was refused: by the venue, or by risk before it was sent."""

    reason: str
    by_risk: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderExpired(OfOrder):
    """An order reached its time."""

    filled_lots: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderStuck(Event):
    """The venue does not say what became of an order; it is asked about still."""

    order_id: int
    state: str
    duration_s: float
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderAnomaly(Event):
    """A statement about an order that cannot be: illegal in its state, or a bad fill."""

    order_id: int
    what: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionChanged(Event):
    """A strategy's position in an instrument changed, in lots and in units of the base."""

    instrument: int
    symbol: str
    strategy: int
    old: float
    new: float
    old_lots: int
    new_lots: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionStateChanged(Event):
    """The net position is near its limit or again not: normal, warning, critical, over_limit."""

    instrument: int
    symbol: str
    old: str
    new: str
    position: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginWarning(Event):
    """Little margin is left: `available` fell under `threshold`, a share of what is `used`."""

    available: Decimal
    used: Decimal
    threshold: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class EmergencyLiquidation(Event):
    """Positions are closed at the market by force."""

    instrument: int
    symbol: str
    position: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketDataUpdated(Event):
    """The best prices of an instrument as sampled; None where a side is empty."""

    instrument: int
    symbol: str
    best_bid: float | None
    best_ask: float | None
    mid: float | None
    spread_bps: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskMetricsUpdated(Event):
    """Margin of all positions at their mids, as sampled."""

    equity: Decimal
    margin_used: Decimal
    margin_available: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class EquityUpdated(Event):
    """The account as sampled, in the report currency."""

    equity: Decimal
    realised: Decimal
    unrealised: Decimal
    fees: Decimal
    funding: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class FundingSettled(Event):
    """Funding was settled in an instrument; `rate` is a fraction of the value."""

    instrument: int
    symbol: str
    rate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TradingHalted(Event):
    """No order that adds to a position passes any more."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TradingRearmed(Event):
    """A halt was lifted by a person."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyStopped(Event):
    """A strategy was stopped; its orders are cancelled."""

    strategy: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignOrderFound(Event):
    """An order that was not placed here is open at a venue."""

    venue_order: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderAdopted(Event):
    """An order that was not placed here is one of ours from now on."""

    order_id: int
    """The id that it has here."""
    venue_order: int
    strategy: int
    """Who owns it, by place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignFill(Event):
    """An order that was not placed here, and was not adopted, traded."""

    venue_order: int
    instrument: int
    symbol: str
    side: str
    price_ticks: int
    qty_lots: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionMismatch(Event):
    """The venue's position is another than ours, at two of its answers in a row."""

    instrument: int
    symbol: str
    ours_lots: int
    theirs_lots: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandGiven(Event):
    """A person or the supervisor told the engine to do something."""

    command: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionChanged(Event):
    """The connection to a venue came or went."""

    venue: int
    up: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStarted(Event):
    """A session began, or went on after a restart."""

    resumed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStopped(Event):
    """A session ended in order."""

    cancelled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice(Event):
    """Text for people."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineEvent(Event):
    """What the engine told under a name that this version has no type for."""

    kind: str
    details: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap(Event):
    """Records from `first` to `last` are not there any more: a reader was too slow for them.

    Where `last` is before `first`, records from `sequence` on were cut away by a recovery: what
    was read of them counts for nothing.

    `snapshot` is the state that the missing records led to, and some that are still there: as
    `Journal.state` gives it, whole at the record `snapshot["sequence"]`. Events up to that record
    still come, and are in it already. None where the source keeps no state.
    """

    first: int
    last: int
    snapshot: Mapping[str, Any] | None = field(default=None, hash=False)


_OWN_FIELDS: dict[str, tuple[str, ...]] = {}


def _own_fields(kind: type[Event]) -> tuple[str, ...]:
    shared = Event.__dataclass_fields__
    own = tuple(one.name for one in fields(kind) if one.name not in shared)
    _OWN_FIELDS[kind.name] = own
    return own


def names() -> list[str]:
    """The names of all types of events that are told."""
    return sorted(name for name in TYPES if name != "OfOrder")


def by_name(name: str) -> type[Event] | None:
    """The type with this name, in any spelling: `OrderFilled`, `order_filled`, `order-filled`."""
    wanted = re.sub(r"[^a-z]", "", name.lower())
    return next((kind for key, kind in TYPES.items() if key.lower() == wanted), None)
