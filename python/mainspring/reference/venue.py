"""The simulated venue, as docs/explanation/simulated-venue.md describes it.

One `Venue` is one instrument: the feed's book there, what we took from it, and our orders. It is
told rows and requests at the time they happen, and returns what it says about our orders.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

from mainspring.reference.book import Book, Trust
from mainspring.reference.fills import FILL_MODELS
from mainspring.reference.queue import QueuePlace, probability_of
from mainspring.reference.vocabulary import (
    RATE_UNITS,
    CancelReason,
    EventKind,
    Instrument,
    OrderTerms,
    OrderType,
    Refused,
    RejectReason,
    Request,
    RequestKind,
    Row,
    RowKind,
    Side,
    TimeInForce,
    VenueConfig,
    VenueEvent,
)

MARKET_TYPES = (
    OrderType.MARKET,
    OrderType.STOP,
    OrderType.TAKE_PROFIT,
    OrderType.TRAILING_STOP,
)
LIMIT_TYPES = (OrderType.LIMIT, OrderType.STOP_LIMIT, OrderType.ICEBERG)
TRIGGER_TYPES = (OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT)
LARGEST = 2**53


@dataclass
class Working:
    """An open order at the venue."""

    id: int
    terms: OrderTerms
    place: QueuePlace
    filled: int = 0
    arrival: int = 0
    """Grows with every place in a queue: price first, then this."""
    resting: bool = False
    armed: bool = False
    done: bool = False
    slice_left: int = 0
    """What an iceberg shows."""
    best_seen: int | None = None
    """Best reference price of a trailing stop, in 10^-9 ticks."""
    partner: int | None = None
    """The other leg of an OCO."""

    @property
    def remaining(self) -> int:
        """What has not traded."""
        return self.terms.qty - self.filled

    @property
    def limit(self) -> int | None:
        """The worst price it takes at; `None` takes at any."""
        return None if self.terms.order_type in MARKET_TYPES else self.terms.price

    @property
    def visible(self) -> int:
        """What a trade at our price can reach."""
        return self.slice_left if self.terms.order_type is OrderType.ICEBERG else self.remaining


class Venue:
    """One instrument at the simulated venue."""

    def __init__(self, index: int, instrument: Instrument, config: VenueConfig) -> None:
        self.index = index
        self.instrument = instrument
        self.config = config
        self.probability = probability_of(
            config.queue_model, config.exponent, float(instrument.lot)
        )
        self.fills = FILL_MODELS[config.fill_model]()
        self.book = Book()
        self.taken: dict[tuple[Side, int], int] = {}
        self.orders: dict[int, Working] = {}
        self.position = 0
        self.halted = False
        self.last_trade: int | None = None
        self.mark: int | None = None
        self.admitted: list[int] = []
        self.arrivals = 0
        self.position_moved = False
        self.now_ns = 0
        self.said: list[VenueEvent] = []

    # What comes in ----------------------------------------------------------------------------

    def on_row(self, row: Row, now_ns: int) -> list[VenueEvent]:
        """One row of the feed happens at the venue."""
        return self._step(now_ns, lambda: self._row(row))

    def on_request(self, request: Request, now_ns: int) -> list[VenueEvent]:
        """A request reaches the venue."""
        return self._step(now_ns, lambda: self._request(request))

    def on_timer(self, now_ns: int) -> list[VenueEvent]:
        """Good-till-date orders whose time has come leave."""
        return self._step(now_ns, self._expire)

    def next_timer_ns(self) -> int | None:
        """When `on_timer` next has something to do."""
        times = [o.terms.expire_ns for o in self.orders.values() if _is_gtd(o)]
        return min(times, default=None)

    def _step(self, now_ns: int, work: Callable[[], None]) -> list[VenueEvent]:
        self.now_ns = now_ns
        self.said = []
        work()
        self._move_pegs()
        if self.position_moved:
            self.position_moved = False
            self._cancel_pointless_reducers()
        return self.said

    # Rows -------------------------------------------------------------------------------------

    def _row(self, row: Row) -> None:
        if row.kind is RowKind.DEPTH:
            self._depth(row)
            return
        self.book.apply(row)
        if row.kind is RowKind.TRADE:
            self.last_trade = row.price_ticks
            if row.qty_lots > 0:
                self.fills.trade(self, row.side, row.price_ticks, row.qty_lots)
            self._fire_triggers()
        elif row.kind is RowKind.CLEAR:
            self.taken.clear()
        elif row.kind is RowKind.MARK:
            self.mark = row.price_ticks * RATE_UNITS + row.qty_lots
            self._fire_triggers()
        elif row.kind is RowKind.STATUS:
            self.halted = row.qty_lots == 0

    def _depth(self, row: Row) -> None:
        side, price, new = row.side, row.price_ticks, max(row.qty_lots, 0)
        best_before = self.book.best(side)
        before = self.book.qty(side, price)
        if row.snapshot and self.book.trust is not Trust.SNAPSHOTTING:
            self.taken.clear()
            before = 0
        self.book.apply(row)
        self.taken.pop((side, price), None)
        for order in self.resting(side):
            if order.terms.price == price:
                order.place.depth(before, new)
                self.fills.after_queue(order)
        if new > 0:
            self.fills.cross(self, side, price, new, best_before)

    def available(self, side: Side, price: int) -> int:
        """What a taker can take at a level: the feed's quantity less what we took of it."""
        return max(0, self.book.qty(side, price) - self.taken.get((side, price), 0))

    def take(self, side: Side, price: int, qty: int) -> None:
        """Remembers what we took from a level."""
        self.taken[side, price] = self.taken.get((side, price), 0) + qty

    # Our orders -------------------------------------------------------------------------------

    def resting(self, side: Side) -> list[Working]:
        """Our resting orders of a side: best price first, then arrival."""
        ours = [o for o in self.orders.values() if o.resting and o.terms.side is side]
        return sorted(ours, key=lambda o: (-side.sign * o.terms.price, o.arrival))

    def own_best(self, side: Side) -> int | None:
        """The best price of our resting orders of a side."""
        ours = self.resting(side)
        return ours[0].terms.price if ours else None

    def fillable(self, order: Working) -> int:
        """What may still fill; of a reduce-only order no more than there is to reduce."""
        if not order.terms.reduce_only:
            return order.remaining
        return min(order.remaining, max(0, -order.terms.side.sign * self.position))

    def fill(self, order: Working, price: int, qty: int, *, maker: bool) -> None:
        """Fills part of an order; the last part ends it, and any part ends the other OCO leg."""
        order.filled += qty
        self.position += order.terms.side.sign * qty
        self.position_moved = True
        self._say(order.id, EventKind.FILLED, price=price, qty=qty, maker=maker)
        partner = self.orders.get(order.partner) if order.partner is not None else None
        if partner is not None:
            self.cancel(partner, CancelReason.OCO)
        if order.remaining == 0:
            self._end(order)

    def cancel(self, order: Working, reason: CancelReason) -> None:
        """The rest of an order leaves."""
        self._say(order.id, EventKind.CANCELLED, reason=reason)
        self._end(order)

    def join_back(self, order: Working) -> None:
        """Puts an order at the back of the queue at its price."""
        terms = order.terms
        front = self.available(terms.side, terms.price)
        order.place = QueuePlace(front, self.probability)
        order.slice_left = min(terms.display, order.remaining)
        self._stamp(order)

    def show_next_slice(self, order: Working) -> None:
        """The next slice of an iceberg joins the back; the level still shows what traded."""
        terms, traded = order.terms, order.place.traded
        front = max(0.0, self.available(terms.side, terms.price) - traded)
        order.place = QueuePlace(front, self.probability)
        order.place.traded = traded
        order.slice_left = min(terms.display, order.remaining)
        self._stamp(order)

    def _stamp(self, order: Working) -> None:
        self.arrivals += 1
        order.arrival = self.arrivals
        order.resting = True

    def _end(self, order: Working) -> None:
        order.done, order.resting, order.armed = True, False, False
        self.orders.pop(order.id, None)
        if order.partner is not None and order.partner in self.orders:
            self.orders[order.partner].partner = None

    def _say(
        self,
        order_id: int,
        kind: EventKind,
        *,
        price: int = 0,
        qty: int = 0,
        maker: bool = False,
        reason: int = 0,
    ) -> None:
        self.said.append(
            VenueEvent(order_id, self.now_ns, kind, self.index, price, qty, maker, reason)
        )

    # Requests ---------------------------------------------------------------------------------

    def _request(self, request: Request) -> None:
        refusals = {
            RequestKind.NEW: EventKind.REJECTED,
            RequestKind.CANCEL: EventKind.CANCEL_REJECTED,
            RequestKind.AMEND: EventKind.AMEND_REJECTED,
        }
        try:
            self._admit()
            if request.kind is RequestKind.NEW and request.terms is not None:
                self._new(request.order_id, request.terms)
            elif request.kind is RequestKind.CANCEL:
                self.cancel(self._open_order(request.order_id), CancelReason.REQUESTED)
            elif request.kind is RequestKind.AMEND:
                self._amend(self._open_order(request.order_id), request.price, request.qty)
        except Refused as refused:
            self._say(request.order_id, refusals[request.kind], reason=refused.reason)

    def _admit(self) -> None:
        if self.config.overload is None:
            return
        most, window_ns = self.config.overload
        self.admitted = [t for t in self.admitted if t > self.now_ns - window_ns]
        if len(self.admitted) >= most:
            raise Refused(RejectReason.OVERLOADED)
        self.admitted.append(self.now_ns)

    def _open_order(self, order_id: int) -> Working:
        if order_id not in self.orders:
            raise Refused(RejectReason.UNKNOWN_ORDER)
        return self.orders[order_id]

    def _new(self, order_id: int, asked: OrderTerms) -> None:
        self._check_terms(asked)
        if order_id in self.orders:
            raise Refused(RejectReason.DUPLICATE_ORDER)
        terms = asked.with_qty(self._reduced(asked, asked.qty))
        if len(self.orders) >= self.config.max_orders:
            raise Refused(RejectReason.OVERLOADED)
        partner = self._partner(terms)
        if terms.order_type is OrderType.PEGGED:
            price = self._peg_price(terms)
            if price is None:
                raise Refused(RejectReason.NO_LIQUIDITY)
            terms = replace(terms, price=price)
        waits = self._waits_for_trigger(terms)
        late = terms.time_in_force is TimeInForce.GTD and terms.expire_ns <= self.now_ns
        order = Working(order_id, terms, QueuePlace(0, self.probability))
        if not waits and not late:
            self._check_entry(order)
        if partner is not None:
            order.partner, partner.partner = partner.id, order_id
        self.orders[order_id] = order
        self._say(order_id, EventKind.ACCEPTED)
        if terms.qty != asked.qty:
            self._say_amended(order)
        if late:
            self.cancel(order, CancelReason.EXPIRED)
        elif waits:
            order.armed = True
            order.best_seen = self._reference()
        else:
            self._enter(order)

    def _say_amended(self, order: Working) -> None:
        by_trigger = order.terms.order_type in (OrderType.STOP, OrderType.TAKE_PROFIT)
        price = order.terms.trigger if by_trigger else order.terms.price
        self._say(order.id, EventKind.AMENDED, price=price, qty=order.terms.qty)

    def _check_terms(self, terms: OrderTerms) -> None:
        instrument = self.instrument
        if self.halted:
            raise Refused(RejectReason.HALTED)
        most = min(instrument.max_qty or LARGEST, LARGEST)
        if not max(instrument.min_qty, 1) <= terms.qty <= most:
            raise Refused(RejectReason.BAD_QUANTITY)
        if terms.order_type is OrderType.ICEBERG and terms.display <= 0:
            raise Refused(RejectReason.BAD_QUANTITY)
        has_limit = terms.order_type in LIMIT_TYPES
        if has_limit and not instrument.is_valid_price(terms.price):
            raise Refused(RejectReason.PRICE_OFF_GRID)
        has_trigger = terms.order_type in TRIGGER_TYPES
        if has_trigger and not instrument.is_valid_price(terms.trigger):
            raise Refused(RejectReason.PRICE_OFF_GRID)
        least = Fraction(instrument.min_notional)
        if has_limit and instrument.quote_value(terms.price, terms.qty) < least:
            raise Refused(RejectReason.BELOW_MIN_NOTIONAL)

    def _reduced(self, terms: OrderTerms, qty: int) -> int:
        """What reduce-only leaves of a quantity."""
        if not terms.reduce_only:
            return qty
        room = max(0, -terms.side.sign * self.position)
        if room == 0:
            raise Refused(RejectReason.REDUCE_ONLY_WOULD_INCREASE)
        return min(qty, room)

    def _partner(self, terms: OrderTerms) -> Working | None:
        if terms.oco == 0:
            return None
        partner = self.orders.get(terms.oco)
        if partner is None or partner.partner is not None:
            raise Refused(RejectReason.UNKNOWN_ORDER)
        return partner

    def _amend(self, order: Working, price: int, qty: int) -> None:
        if qty <= order.filled:
            self.cancel(order, CancelReason.REQUESTED)
            return
        old = order.terms
        terms = _amended_terms(old, price, qty)
        self._check_terms(terms)
        terms = terms.with_qty(order.filled + self._reduced(terms, qty - order.filled))
        keeps_place = terms.price == old.price and terms.qty <= old.qty
        if order.armed:
            self._waits_for_trigger(terms)
        elif not keeps_place:
            self._check_entry(replace(order, terms=terms))
        order.terms = terms
        order.slice_left = min(order.slice_left, order.remaining)
        self._say_amended(order)
        if not order.armed and not keeps_place:
            order.resting = False
            self._enter(order)

    # Entering the book ------------------------------------------------------------------------

    def _check_entry(self, order: Working) -> None:
        """What would reject an order that enters the book now: post-only and fill-or-kill."""
        self.fills.check_entry(self, order)

    def _enter(self, order: Working) -> None:
        """Takes what it can and rests with what is left."""
        self.fills.take(self, order)
        if order.done:
            return
        if order.limit is None:
            self.cancel(order, CancelReason.NO_LIQUIDITY)
        elif order.terms.time_in_force in (TimeInForce.IOC, TimeInForce.FOK):
            self.cancel(order, CancelReason.IOC_REMAINDER)
        else:
            self.join_back(order)

    # Triggers, pegs, expiry, reduce-only ------------------------------------------------------

    def _reference(self) -> int | None:
        if self.config.trigger_source == "mark":
            return self.mark
        return None if self.last_trade is None else self.last_trade * RATE_UNITS

    def _waits_for_trigger(self, terms: OrderTerms) -> bool:
        """Whether it waits; refused when it would not have to."""
        if terms.order_type is OrderType.TRAILING_STOP:
            if terms.offset <= 0:
                raise Refused(RejectReason.WOULD_TRIGGER_IMMEDIATELY)
            return True
        if terms.order_type not in TRIGGER_TYPES:
            return False
        reference = self._reference()
        if reference is not None and _reached(terms, terms.trigger * RATE_UNITS, reference):
            raise Refused(RejectReason.WOULD_TRIGGER_IMMEDIATELY)
        return True

    def _fire_triggers(self) -> None:
        reference = self._reference()
        if reference is None:
            return
        armed = sorted((o for o in self.orders.values() if o.armed), key=lambda o: o.id)
        due = [o for o in armed if self._is_due(o, reference)]
        for order in due:
            if order.armed:
                self._fire(order)

    def _is_due(self, order: Working, reference: int) -> bool:
        terms = order.terms
        if terms.order_type is not OrderType.TRAILING_STOP:
            return _reached(terms, terms.trigger * RATE_UNITS, reference)
        furthest = max if terms.side is Side.SELL else min
        seen = reference if order.best_seen is None else furthest(order.best_seen, reference)
        order.best_seen = seen
        return _reached(terms, seen + terms.side.sign * terms.offset * RATE_UNITS, reference)

    def _fire(self, order: Working) -> None:
        order.armed = False
        self._say(order.id, EventKind.TRIGGERED)
        left = self.fillable(order)
        if left == 0:
            self.cancel(order, CancelReason.REDUCE_ONLY)
            return
        if left < order.remaining:
            order.terms = order.terms.with_qty(order.filled + left)
            self._say_amended(order)
        try:
            self._check_entry(order)
        except Refused as refused:
            self._say(order.id, EventKind.REJECTED, reason=refused.reason)
            self._end(order)
            return
        self._enter(order)

    def _peg_price(self, terms: OrderTerms) -> int | None:
        side, theirs = terms.side, terms.side.opposite
        best = self.book.best(side)
        if best is None:
            return None
        price = best - side.sign * terms.offset
        for bound in (self.book.best(theirs), self.own_best(theirs)):
            if bound is not None and side.better(price, bound - side.sign):
                price = bound - side.sign
        while not self.instrument.is_valid_price(price):
            price -= side.sign
        return price

    def _move_pegs(self) -> None:
        pegs = [o for o in self.orders.values() if o.terms.order_type is OrderType.PEGGED]
        for order in sorted(pegs, key=lambda o: o.id):
            price = self._peg_price(order.terms)
            if not order.resting or price is None or price == order.terms.price:
                continue
            order.terms = replace(order.terms, price=price)
            self.join_back(order)
            self._say(order.id, EventKind.AMENDED, price=price, qty=order.terms.qty)

    def _expire(self) -> None:
        due = [o for o in self.orders.values() if _is_gtd(o) and o.terms.expire_ns <= self.now_ns]
        for order in sorted(due, key=lambda o: (o.terms.expire_ns, o.id)):
            self.cancel(order, CancelReason.EXPIRED)

    def _cancel_pointless_reducers(self) -> None:
        for order in sorted(self.orders.values(), key=lambda o: o.id):
            if order.terms.reduce_only and order.terms.side.sign * self.position >= 0:
                self.cancel(order, CancelReason.REDUCE_ONLY)


def _is_gtd(order: Working) -> bool:
    return order.terms.time_in_force is TimeInForce.GTD


def _reached(terms: OrderTerms, trigger: int, reference: int) -> bool:
    """Buying stops wait for a rise, selling ones for a fall; take-profits the other way round."""
    buys = terms.side is Side.BUY
    rises = not buys if terms.order_type is OrderType.TAKE_PROFIT else buys
    return reference >= trigger if rises else reference <= trigger


def _amended_terms(old: OrderTerms, price: int, qty: int) -> OrderTerms:
    """The price of an amend is the limit price, or the trigger of an order without one."""
    if old.order_type in LIMIT_TYPES:
        return replace(old, qty=qty, price=price)
    if old.order_type in (OrderType.STOP, OrderType.TAKE_PROFIT):
        return replace(old, qty=qty, trigger=price)
    return replace(old, qty=qty)
