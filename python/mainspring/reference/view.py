"""What a strategy sees and asks for: the market of the event, as `m`."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from mainspring.reference.book import Book
from mainspring.reference.orders import Order
from mainspring.reference.stops import Configured, rule_of
from mainspring.reference.vocabulary import (
    RATE_UNITS,
    Instrument,
    OrderTerms,
    OrderType,
    Side,
    TimeInForce,
)

if TYPE_CHECKING:
    from mainspring.reference.engine import Engine

NEARLY = 1e-6
"""How far a float may be from a whole count of ticks or lots and still mean it."""

Level = tuple[float, float]
"""(price, quantity) as people write them."""


class Unit:
    """A tick or a lot as floats see it: 618002 ticks of 0.1 are 61800.2."""

    def __init__(self, text: str) -> None:
        digits = Decimal(text).normalize().as_tuple()
        exponent = int(digits.exponent)
        mantissa = int(Decimal((0, digits.digits, max(exponent, 0))))
        self.mantissa, self.power = float(mantissa), 10.0 ** max(-exponent, 0)

    def to_float(self, count: int) -> float:
        """`count` units as a float."""
        return count * self.mantissa / self.power

    def count(self, value: float) -> float:
        """A float as a count of units, not yet whole."""
        count = value * self.power / self.mantissa
        if not math.isfinite(count):
            raise ValueError(f"{value} is not a usable number")
        return count


@dataclass
class MarketState:
    """One instrument as we know it from the feed."""

    index: int
    instrument: Instrument
    book: Book = field(default_factory=Book)
    last_trade: int | None = None
    mark: int | None = None
    """Mark price in 10^-9 ticks."""
    best: tuple[int | None, int | None] = (None, None)
    feed_latency_ns: int = 0

    def __post_init__(self) -> None:
        self.tick = Unit(self.instrument.tick)
        self.lot = Unit(self.instrument.lot)

    @property
    def valuation(self) -> int | None:
        """The mid price in 10^-9 ticks, or else the last trade."""
        if self.book.mid2 is not None:
            return self.book.mid2 * RATE_UNITS // 2
        return None if self.last_trade is None else self.last_trade * RATE_UNITS

    def lots(self, qty: float) -> int:
        """A quantity in whole lots, rounded towards zero."""
        count = self.lot.count(float(qty))
        nearest = round(count)
        return nearest if abs(count - nearest) <= NEARLY else math.trunc(count)

    def ticks(self, side: Side, price: float, *, exact: bool = False) -> int:
        """A price in ticks, rounded away from the other side of the book onto the grid.

        Raises:
            ValueError: When `exact` is asked and the price is off the grid.
        """
        count = self.tick.count(float(price))
        nearest = round(count)
        if exact:
            if abs(count - nearest) > NEARLY or not self.instrument.is_valid_price(nearest):
                raise ValueError(f"price {price} is off the grid of {self.instrument.tick}")
            return nearest
        if abs(count - nearest) <= NEARLY * min(max(abs(nearest), 1), 10**6):
            ticks = nearest
        else:
            ticks = math.floor(count) if side is Side.BUY else math.ceil(count)
        while not self.instrument.is_valid_price(ticks):
            ticks -= side.sign
        return ticks


@dataclass(frozen=True, slots=True)
class Trade:
    """A trade on the feed."""

    exch_ns: int
    price_ticks: int
    price: float
    qty_lots: int
    qty: float
    side: str


@dataclass(frozen=True, slots=True)
class Fill:
    """A fill of one of the strategy's orders."""

    order_id: int
    side: str
    price: float
    qty: float
    maker: bool
    exch_ns: int


@dataclass(frozen=True, slots=True)
class Wish:
    """Something that a strategy asked for: the name of an engine's action, and its arguments."""

    action: str
    arguments: tuple[object, ...]


class Market:
    """The market of the event and what the strategy wants there; see `mainspring.Strategy`."""

    def __init__(self, engine: Engine, strategy: int, index: int, wishes: list[Wish]) -> None:
        self._engine = engine
        self._strategy = strategy
        self._state = engine.markets[index]
        self._wishes = wishes

    # What it is -------------------------------------------------------------------------------

    @property
    def time_ns(self) -> int:
        """Logical time."""
        return self._engine.now_ns

    @property
    def symbol(self) -> str:
        """The venue's symbol."""
        return self._state.instrument.symbol

    @property
    def tick(self) -> float:
        """One tick."""
        return self._state.tick.to_float(1)

    @property
    def lot(self) -> float:
        """One lot."""
        return self._state.lot.to_float(1)

    @property
    def bid_ticks(self) -> int | None:
        """Best bid in ticks."""
        return self._state.book.best(Side.BUY)

    @property
    def ask_ticks(self) -> int | None:
        """Best ask in ticks."""
        return self._state.book.best(Side.SELL)

    @property
    def bid(self) -> float:
        """Best bid, NaN where there is none."""
        return self._price(self.bid_ticks)

    @property
    def ask(self) -> float:
        """Best ask, NaN where there is none."""
        return self._price(self.ask_ticks)

    @property
    def bid_lots(self) -> int:
        """Quantity at the best bid in lots."""
        return self._best_lots(Side.BUY)

    @property
    def ask_lots(self) -> int:
        """Quantity at the best ask in lots."""
        return self._best_lots(Side.SELL)

    @property
    def bid_qty(self) -> float:
        """Quantity at the best bid."""
        return self._state.lot.to_float(self.bid_lots)

    @property
    def ask_qty(self) -> float:
        """Quantity at the best ask."""
        return self._state.lot.to_float(self.ask_lots)

    @property
    def mid(self) -> float:
        """Middle of bid and ask, NaN without both."""
        mid2 = self._state.book.mid2
        return math.nan if mid2 is None else self._state.tick.to_float(mid2) / 2.0

    @property
    def spread(self) -> float:
        """Ask less bid, NaN without both."""
        bid, ask = self.bid_ticks, self.ask_ticks
        return math.nan if bid is None or ask is None else self._state.tick.to_float(ask - bid)

    @property
    def last_price(self) -> float:
        """Price of the last trade, NaN before the first."""
        return self._price(self._state.last_trade)

    @property
    def position_lots(self) -> int:
        """This strategy's position in lots."""
        return self._engine.ledger.positions[self._strategy, self._state.index].lots

    @property
    def position(self) -> float:
        """This strategy's position."""
        return self._state.lot.to_float(self.position_lots)

    def orders(self) -> list[Order]:
        """This strategy's live orders in the instrument, in order of arrival."""
        return self._engine.live(self._strategy, self._state.index)

    def _price(self, ticks: int | None) -> float:
        return math.nan if ticks is None else self._state.tick.to_float(ticks)

    def _best_lots(self, side: Side) -> int:
        best = self._state.book.best(side)
        return 0 if best is None else self._state.book.qty(side, best)

    # What is wanted ---------------------------------------------------------------------------

    def quote(
        self,
        *,
        bid: Iterable[Level] = (),
        ask: Iterable[Level] = (),
        exact: bool = False,
        post_only: bool = True,
    ) -> None:
        """Wants exactly these quotes to rest; each side is a sequence of (price, quantity)."""
        sides = {
            side: [
                (self._state.ticks(side, price, exact=exact), self._state.lots(qty))
                for price, qty in levels
            ]
            for side, levels in ((Side.BUY, bid), (Side.SELL, ask))
        }
        _check_quote(sides)
        self._wish("quote", self._state.index, sides, post_only)

    def target_position(self, qty: float, price: float | None = None) -> None:
        """Wants this signed position, by a market order or a limit order at `price`."""
        position = self._state.lots(qty)
        side = Side.BUY if position >= self.position_lots else Side.SELL
        ticks = None if price is None else self._state.ticks(side, price)
        self._wish("target", self._state.index, position, ticks)

    def buy(self, qty: float, price: float | None = None, **options: object) -> int:
        """Places a buy order and returns its id; without a price it is a market order."""
        return self._place(Side.BUY, qty, price, options)

    def sell(self, qty: float, price: float | None = None, **options: object) -> int:
        """Places a sell order and returns its id; without a price it is a market order."""
        return self._place(Side.SELL, qty, price, options)

    def cancel(self, order_id: int) -> None:
        """Cancels an order of this strategy."""
        self._wish("cancel", order_id)

    def cancel_all(self) -> None:
        """Cancels every order of this strategy in the instrument."""
        self._wish("cancel_all", self._state.index)

    def amend(self, order_id: int, price: float, qty: float) -> None:
        """Changes price and total quantity of an order."""
        order = self._engine.orders.get(order_id)
        side = order.terms.side if order is not None else Side.BUY
        self._wish("amend", order_id, self._state.ticks(side, price), self._state.lots(qty))

    def stop(self, stop: Configured) -> None:
        """Has the engine hold a stop for this strategy's position in the instrument."""
        self._wish("stop", self._state.index, rule_of(stop, self._state.instrument))

    def remove_stops(self) -> None:
        """Lets go of every stop that this strategy asked for in the instrument."""
        self._wish("remove_stops", self._state.index)

    def set_timer(self, at_ns: int, tag: int = 0) -> None:
        """Calls `on_timer(m, tag)` at this logical time."""
        self._wish("set_timer", at_ns, tag)

    def _wish(self, action: str, *arguments: object) -> None:
        self._wishes.append(Wish(action, arguments))

    def _place(
        self, side: Side, qty: float, price: float | None, options: dict[str, object]
    ) -> int:
        terms = order_terms(self._state, side, qty, price, **options)  # type: ignore[arg-type]
        if terms.qty <= 0:
            raise ValueError("the quantity of an order must be positive")
        order_id = self._engine.next_order_id()
        self._wish("place", order_id, terms)
        return order_id


def order_terms(
    state: MarketState,
    side: Side,
    qty: float,
    price: float | None,
    *,
    post_only: bool = False,
    reduce_only: bool = False,
    exact: bool = False,
    tif: str | None = None,
    kind: str | None = None,
    trigger: float | None = None,
    trail: float | None = None,
    offset: float | None = None,
    display: float | None = None,
    expire_ns: int | None = None,
    oco: int = 0,
) -> OrderTerms:
    """The terms of an order from what a strategy wrote."""
    distance = trail if trail is not None else offset
    waits = trigger is not None or trail is not None or kind is not None
    if tif is not None:
        time_in_force = TimeInForce[tif.upper()]
    elif expire_ns is not None:
        time_in_force = TimeInForce.GTD
    else:
        resting = price is not None or waits
        time_in_force = TimeInForce.GTC if resting else TimeInForce.IOC
    return OrderTerms(
        side=side,
        qty=state.lots(qty),
        price=0 if price is None else state.ticks(side, price, exact=exact),
        instrument=state.index,
        order_type=_order_type(kind, price, trigger, trail, display),
        time_in_force=time_in_force,
        post_only=post_only,
        reduce_only=reduce_only,
        trigger=0 if trigger is None else state.ticks(side.opposite, trigger, exact=exact),
        offset=0 if distance is None else state.ticks(side, distance),
        display=0 if display is None else state.lots(display),
        expire_ns=expire_ns or 0,
        oco=oco,
    )


def _order_type(
    kind: str | None,
    price: float | None,
    trigger: float | None,
    trail: float | None,
    display: float | None,
) -> OrderType:
    if kind is not None:
        return OrderType[kind.upper()]
    if trail is not None:
        return OrderType.TRAILING_STOP
    if trigger is not None:
        return OrderType.STOP if price is None else OrderType.STOP_LIMIT
    if price is None:
        return OrderType.MARKET
    return OrderType.LIMIT if display is None else OrderType.ICEBERG


def _check_quote(sides: dict[Side, list[tuple[int, int]]]) -> None:
    for levels in sides.values():
        prices = [price for price, _ in levels]
        if len(set(prices)) != len(prices) or any(qty <= 0 for _, qty in levels):
            raise ValueError("a quote needs positive quantities and each price once a side")
    bids = [price for price, _ in sides[Side.BUY]]
    asks = [price for price, _ in sides[Side.SELL]]
    if bids and asks and max(bids) >= min(asks):
        raise ValueError("the quote crosses itself")
