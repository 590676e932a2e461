"""The words of the reference engine: sides, rows, instruments, orders, events.

Codes are the ones that results and files use, so that both engines can be compared code by code.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from fractions import Fraction

QUANTA_PER_UNIT = 10**18
"""Money is counted in quanta: one unit of a currency is 10^18 of them."""

RATE_UNITS = 10**9
"""Fee and funding rates, and the fractions of a tick in a mark price, are counted in 10^-9."""


def divide_half_even(numerator: int, denominator: int) -> int:
    """`numerator / denominator` rounded to the nearest integer, a half to the even one."""
    return round(Fraction(numerator, denominator))


class Side(IntEnum):
    """Bid and buyer, or ask and seller."""

    BUY = 0
    SELL = 1

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell."""
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> Side:
        """The other side."""
        return Side.SELL if self is Side.BUY else Side.BUY

    def at_least(self, a: int, b: int) -> bool:
        """Whether price `a` is as aggressive as `b` or more: a higher bid, a lower ask."""
        return a >= b if self is Side.BUY else a <= b

    def better(self, a: int, b: int) -> bool:
        """Whether price `a` is more aggressive than `b`."""
        return a > b if self is Side.BUY else a < b


class RowKind(IntEnum):
    """What a market row says."""

    DEPTH = 1
    TRADE = 2
    BEST = 3
    CLEAR = 4
    GAP = 5
    MARK = 6
    FUNDING = 7
    STATUS = 8


@dataclass(frozen=True, slots=True)
class Row:
    """One change of the market.

    Attributes:
        recv_ns: When we received it.
        exch_ns: When the exchange says it happened.
        kind: What it says.
        side: Side of the book, or the taker's side of a trade.
        price_ticks: Price.
        qty_lots: Quantity; a depth row sets the level to it. The rate in 10^-9 of a funding row,
            the fraction of a tick in 10^-9 of a mark row, 1 or 0 (trading, halted) of a status row.
        instrument: Index of the instrument.
        end_of_message: Whether it is the last row of its exchange message.
        snapshot: Whether it belongs to a snapshot.
    """

    recv_ns: int
    exch_ns: int
    kind: RowKind
    side: Side = Side.BUY
    price_ticks: int = 0
    qty_lots: int = 0
    instrument: int = 0
    end_of_message: bool = True
    snapshot: bool = False


class InstrumentKind(IntEnum):
    """What sort of contract it is, as far as money is concerned."""

    SPOT = 0
    LINEAR = 1
    INVERSE = 2


@dataclass(frozen=True)
class Instrument:
    """Something that trades; `tick`, `lot` and `multiplier` are exact decimal text.

    Attributes:
        price_steps: `(from_ticks, step_ticks)`, ascending: from each price on, only multiples of
            the step are valid prices.
        min_qty: Smallest order in lots.
        max_qty: Largest order in lots, 0 for no bound.
        min_notional: Smallest order value in quote, 0 for none.
        maker_fee: Fraction of the notional; negative is a rebate.
        taker_fee: Fraction of the notional.
    """

    symbol: str = "BTCUSDT"
    tick: str = "0.1"
    lot: str = "0.001"
    multiplier: str = "1"
    kind: InstrumentKind = InstrumentKind.LINEAR
    base: str = "BTC"
    quote: str = "USDT"
    price_steps: tuple[tuple[int, int], ...] = ((0, 1),)
    min_qty: int = 1
    max_qty: int = 0
    min_notional: str = "0"
    maker_fee: str = "0"
    taker_fee: str = "0"

    @property
    def settle(self) -> str:
        """The currency of profit and fees."""
        return self.base if self.kind is InstrumentKind.INVERSE else self.quote

    @property
    def tick_value(self) -> int:
        """Quanta in one tick of one lot (spot and linear)."""
        value = Fraction(self.tick) * Fraction(self.lot) * Fraction(self.multiplier)
        quanta = value * QUANTA_PER_UNIT
        if quanta.denominator != 1:
            raise ValueError(f"{self.symbol}: a tick of a lot is finer than the money quantum")
        return int(quanta)

    def is_valid_price(self, price_ticks: int) -> bool:
        """Whether a price is on the grid."""
        step = 1
        for from_ticks, tier_step in self.price_steps:
            if price_ticks >= from_ticks:
                step = tier_step
        return price_ticks % step == 0

    def quote_value(self, price_ticks: int, qty_lots: int) -> Fraction:
        """Value of an order in units of quote."""
        size = qty_lots * Fraction(self.lot) * Fraction(self.multiplier)
        if self.kind is InstrumentKind.INVERSE:
            return size
        return size * price_ticks * Fraction(self.tick)


class OrderType(IntEnum):
    """How an order trades."""

    LIMIT = 0
    MARKET = 1
    STOP = 2
    STOP_LIMIT = 3
    TAKE_PROFIT = 4
    TRAILING_STOP = 5
    ICEBERG = 6
    PEGGED = 7


class TimeInForce(IntEnum):
    """How long an order lives."""

    GTC = 0
    IOC = 1
    FOK = 2
    GTD = 3


class RejectReason(IntEnum):
    """Why a venue refuses."""

    POST_ONLY_WOULD_TAKE = 1
    REDUCE_ONLY_WOULD_INCREASE = 2
    PRICE_OFF_GRID = 3
    BAD_QUANTITY = 4
    BELOW_MIN_NOTIONAL = 5
    UNKNOWN_ORDER = 6
    HALTED = 7
    OVERLOADED = 8
    INSUFFICIENT_MARGIN = 9
    WOULD_TRIGGER_IMMEDIATELY = 10
    FOK_NOT_FILLED = 11
    SELF_TRADE = 12
    DUPLICATE_ORDER = 13
    NO_LIQUIDITY = 14


class CancelReason(IntEnum):
    """Why an order left the book unfilled."""

    REQUESTED = 1
    IOC_REMAINDER = 2
    NO_LIQUIDITY = 3
    SELF_TRADE = 4
    EXPIRED = 5
    REDUCE_ONLY = 6
    OCO = 7
    LIQUIDATION = 8


@dataclass(frozen=True, slots=True)
class OrderTerms:
    """What is asked of a venue; prices in ticks, quantities in lots."""

    side: Side
    qty: int
    price: int = 0
    instrument: int = 0
    order_type: OrderType = OrderType.LIMIT
    time_in_force: TimeInForce = TimeInForce.GTC
    post_only: bool = False
    reduce_only: bool = False
    trigger: int = 0
    offset: int = 0
    display: int = 0
    expire_ns: int = 0
    oco: int = 0

    def with_qty(self, qty: int) -> OrderTerms:
        """The same order of another quantity."""
        return replace(self, qty=qty)


class RequestKind(IntEnum):
    """What is asked of a venue."""

    NEW = 0
    CANCEL = 1
    AMEND = 2


@dataclass(frozen=True, slots=True)
class Request:
    """A request on its way to the venue; `price` and `qty` are those of an amend."""

    kind: RequestKind
    order_id: int
    instrument: int
    terms: OrderTerms | None = None
    price: int = 0
    qty: int = 0


class EventKind(IntEnum):
    """What a venue says about an order."""

    ACCEPTED = 0
    REJECTED = 1
    FILLED = 2
    CANCELLED = 3
    CANCEL_REJECTED = 4
    AMENDED = 5
    AMEND_REJECTED = 6
    TRIGGERED = 7


@dataclass(frozen=True, slots=True)
class VenueEvent:
    """One statement of a venue about one of our orders."""

    order_id: int
    exch_ns: int
    kind: EventKind
    instrument: int = 0
    price: int = 0
    qty: int = 0
    maker: bool = False
    reason: int = 0


class Refused(Exception):  # noqa: N818 - not an error: an answer of the venue
    """The venue refuses a request."""

    def __init__(self, reason: RejectReason) -> None:
        super().__init__(reason.name)
        self.reason = reason


@dataclass(frozen=True)
class VenueConfig:
    """How the simulated venue behaves.

    Attributes:
        fill_model: `mainspring` or `hft_no_partial`.
        queue_model: A name of `mainspring.reference.queue`.
        exponent: The exponent of `prob_power` and `prob_power_total`.
        self_trade: `cancel_newest`, `cancel_oldest` or `cancel_both`.
        trigger_source: `last_trade` or `mark`: which price sets off stops.
        overload: `(max_requests, window_ns)`: more are refused.
        max_orders: Most orders open at once.
    """

    fill_model: str = "mainspring"
    queue_model: str = "prob_power3"
    exponent: float = 2.0
    self_trade: str = "cancel_newest"
    trigger_source: str = "last_trade"
    overload: tuple[int, int] | None = None
    max_orders: int = 10_000
