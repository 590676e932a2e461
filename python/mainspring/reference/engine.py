"""The event loop: two clocks, orders in flight between us and the venue, strategies.

The venue sees a row at its exchange time, we see it at its receive time. What we ask reaches the
venue later, what it answers reaches us later. The loop takes the earliest thing that is due; at
equal times: requests at the venue, expiries there, answers at us, timers, rows at the venue, rows
at us.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from fractions import Fraction
from typing import Any, ClassVar, Generic, TypeVar

from mainspring.reference.latency import ConstantLatency, Latency
from mainspring.reference.ledger import Ledger, Position, Totals
from mainspring.reference.orders import IllegalEventError, Order, OrderState
from mainspring.reference.reconciler import Action, reconcile_quotes, reconcile_target
from mainspring.reference.stops import (
    Configured,
    Rule,
    Stop,
    Stops,
    closes_at_market,
    closing_order,
)
from mainspring.reference.venue import Venue
from mainspring.reference.view import Fill, Market, MarketState, Trade, Wish
from mainspring.reference.vocabulary import (
    RATE_UNITS,
    EventKind,
    Instrument,
    OrderTerms,
    RejectReason,
    Request,
    RequestKind,
    Row,
    RowKind,
    Side,
    VenueConfig,
    VenueEvent,
)


@dataclass(frozen=True)
class RunConfig:
    """Configuration of a run.

    Attributes:
        venue: The simulated venue.
        latency: Of requests and answers.
        decision_ns: Time a strategy takes to decide, in front of the entry latency.
        deposits: Money at the start: exact decimal text by currency.
        stops: Held from the start, for every strategy.
    """

    venue: VenueConfig = field(default_factory=VenueConfig)
    latency: Latency = field(default_factory=ConstantLatency)
    decision_ns: int = 0
    deposits: dict[str, str] = field(default_factory=dict)
    stops: tuple[Configured, ...] = ()


@dataclass(frozen=True, slots=True)
class FillRow:
    """One fill as results keep it; money in quanta."""

    time_ns: int
    exch_ns: int
    order_id: int
    strategy: int
    instrument: int
    side: int
    price_ticks: int
    qty_lots: int
    maker: bool
    fee: int
    realised: int
    position_lots: int


@dataclass(frozen=True, slots=True)
class OrderRow:
    """One order transition as results keep it."""

    time_ns: int
    order_id: int
    strategy: int
    instrument: int
    side: int
    order_type: int
    state: int
    reason: int
    price_ticks: int
    qty_lots: int
    filled_lots: int


@dataclass
class Result:
    """What a run left: exact integers throughout."""

    fills: list[FillRow]
    orders: list[OrderRow]
    positions: dict[tuple[int, int], Position]
    totals: dict[str, Totals]
    notices: list[str]


class Due(IntEnum):
    """What comes next; the order is the order of work at equal times."""

    REQUEST = 0
    EXPIRY = 1
    ANSWER = 2
    TIMER = 3
    VENUE_ROW = 4
    LOCAL_ROW = 5


NEVER = 2**63 - 1

CLOSE_AGAIN_NS = 1_000_000_000
"""The first wait before what the venue did not close is closed again."""

MOST_DOUBLINGS = 5
"""So often a further wait is twice as long."""


T = TypeVar("T")


class Waiting(Generic[T]):
    """Things by due time, first in first out among equals."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, T]] = []
        self._sequence = itertools.count()

    def push(self, at_ns: int, item: T) -> None:
        """Adds a thing."""
        heapq.heappush(self._heap, (at_ns, next(self._sequence), item))

    def pop(self) -> tuple[int, T]:
        """Takes the earliest."""
        at_ns, _, item = heapq.heappop(self._heap)
        return at_ns, item

    @property
    def next_ns(self) -> int:
        """When the earliest is due."""
        return self._heap[0][0] if self._heap else NEVER


class Source:
    """Rows of one file, read by the venue and by us."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = list(rows)
        # A clock never runs backwards.
        self.venue_ns = list(itertools.accumulate((r.exch_ns for r in self.rows), max))
        self.local_ns = list(itertools.accumulate((r.recv_ns for r in self.rows), max))
        self.at_venue = 0
        self.at_local = 0

    @property
    def next_venue_ns(self) -> int:
        """When the venue sees its next row."""
        return self.venue_ns[self.at_venue] if self.at_venue < len(self.rows) else NEVER

    @property
    def next_local_ns(self) -> int:
        """When we see the next message."""
        return self.local_ns[self.at_local] if self.at_local < len(self.rows) else NEVER


@dataclass(frozen=True, slots=True)
class Timer:
    """A timer of a strategy; `interval_ns` is set for those of `every=`.

    With `closes` it is time to close again what the strategy holds in that instrument.
    """

    strategy: int
    tag: int = 0
    interval_ns: int = 0
    closes: int | None = None


def run(
    rows: Sequence[Row] | Sequence[Sequence[Row]],
    instruments: Sequence[Instrument],
    strategy: object,
    config: RunConfig | None = None,
) -> Result:
    """Runs one strategy, or a list of them, over rows (of one source, or of several).

    A strategy is an object with any of the callbacks of `mainspring.Strategy`; its `trigger` says
    when `on_book` is called (`message`, `best`, `trade`, `every:NANOSECONDS`).
    """
    several = bool(rows) and not isinstance(rows[0], Row)
    sources = [Source(source) for source in (rows if several else [rows])]  # type: ignore[arg-type]
    strategies = strategy if isinstance(strategy, list) else [strategy]
    engine = Engine(sources, list(instruments), strategies, config or RunConfig())
    return engine.run()


class Engine:
    """Everything that a run changes."""

    def __init__(
        self,
        sources: list[Source],
        instruments: list[Instrument],
        strategies: list[Any],
        config: RunConfig,
    ) -> None:
        self.sources = sources
        self.strategies = strategies
        self.triggers = [str(getattr(s, "trigger", "message")) for s in strategies]
        self.config = config
        self.markets = [MarketState(i, instrument) for i, instrument in enumerate(instruments)]
        self.venues = [Venue(i, inst, config.venue) for i, inst in enumerate(instruments)]
        self.ledger = Ledger(instruments, config.deposits)
        self.stops = Stops(config.stops, instruments, len(strategies))
        self.closings: dict[tuple[int, int], tuple[int, bool]] = {}
        self.orders: dict[int, Order] = {}
        self.requests: Waiting[Request] = Waiting()
        self.answers: Waiting[VenueEvent] = Waiting()
        self.timers: Waiting[Timer] = Waiting()
        self.last_arrival = [-NEVER] * len(instruments)
        self.last_answer = [-NEVER] * len(instruments)
        self.now_ns = 0
        self.result = Result([], [], self.ledger.positions, self.ledger.totals, [])
        self._ids = itertools.count(1)

    # The loop ---------------------------------------------------------------------------------

    def run(self) -> Result:
        """Runs to the end of the rows and of what is still in flight then."""
        self.now_ns = min(s.next_venue_ns for s in self.sources)
        self.now_ns = min(self.now_ns, *(s.next_local_ns for s in self.sources))
        for at, trigger in enumerate(self.triggers):
            self._call(at, 0, "on_start")
            if trigger.startswith("every:"):
                interval = int(trigger.removeprefix("every:"))
                self.timers.push(self.now_ns + interval, Timer(at, interval_ns=interval))
        while (due := self._next()) is not None:
            at_ns, what = due
            self.now_ns = max(self.now_ns, at_ns)
            self._work[what](self)
        for at in range(len(self.strategies)):
            self._call(at, 0, "on_stop")
        return self.result

    def _next(self) -> tuple[int, Due] | None:
        """The earliest thing; `None` when only timers are left."""
        venue_row = min(s.next_venue_ns for s in self.sources)
        local_row = min(s.next_local_ns for s in self.sources)
        if min(venue_row, local_row, self.requests.next_ns, self.answers.next_ns) == NEVER:
            return None
        return min(
            (self.requests.next_ns, Due.REQUEST),
            (self._next_expiry_ns(), Due.EXPIRY),
            (self.answers.next_ns, Due.ANSWER),
            (self.timers.next_ns, Due.TIMER),
            (venue_row, Due.VENUE_ROW),
            (local_row, Due.LOCAL_ROW),
        )

    def _next_expiry_ns(self) -> int:
        times = [venue.next_timer_ns() for venue in self.venues]
        return min((t for t in times if t is not None), default=NEVER)

    def _request_arrives(self) -> None:
        at_ns, request = self.requests.pop()
        self._send_answers(self.venues[request.instrument].on_request(request, at_ns))

    def _orders_expire(self) -> None:
        at_ns = self._next_expiry_ns()
        for venue in self.venues:
            due = venue.next_timer_ns()
            if due is not None and due <= at_ns:
                self._send_answers(venue.on_timer(at_ns))

    def _venue_row(self) -> None:
        source = min(self.sources, key=lambda s: s.next_venue_ns)
        at_ns, row = source.next_venue_ns, source.rows[source.at_venue]
        source.at_venue += 1
        self._send_answers(self.venues[row.instrument].on_row(row, at_ns))

    def _send_answers(self, events: list[VenueEvent]) -> None:
        for event in events:
            kind = _ANSWERED.get(event.kind, RequestKind.NEW)
            delay = self.config.latency.response_ns(event.exch_ns, kind)
            # One connection: an answer never overtakes the one before it.
            at_ns = max(event.exch_ns + delay, self.last_answer[event.instrument])
            self.last_answer[event.instrument] = at_ns
            self.answers.push(at_ns, event)

    # What reaches us --------------------------------------------------------------------------

    def _local_message(self) -> None:
        """All rows up to the end of the message, then the strategies."""
        source = min(self.sources, key=lambda s: s.next_local_ns)
        message: list[Row] = []
        while source.at_local < len(source.rows):
            message.append(source.rows[source.at_local])
            source.at_local += 1
            if message[-1].end_of_message:
                break
        market = self.markets[message[0].instrument]
        for row in message:
            _apply(market, row)
        market.feed_latency_ns = message[-1].recv_ns - message[-1].exch_ns
        self._watch_stops(market)
        funding = [row.qty_lots for row in message if row.kind is RowKind.FUNDING]
        if funding:
            self._settle_funding(market, funding[-1])
        self._tell_market(market, message)

    def _watch_stops(self, market: MarketState) -> None:
        for stop in self.stops.all:
            if stop.instrument != market.index:
                continue
            if self._see(stop):
                self._stop_out(stop)

    def _see(self, stop: Stop) -> bool:
        """Shows a stop its market and position; whether the position has to be closed now."""
        market = self.markets[stop.instrument]
        held = self.ledger.positions[stop.strategy, stop.instrument]
        mark = market.valuation
        gain = 0
        if mark is not None:
            gain = held.unrealised(market.instrument, Fraction(mark, RATE_UNITS))
        return stop.see(self.now_ns, held.lots, market.book.mid2, -gain)

    def _stop_out(self, stop: Stop) -> None:
        lots = self.ledger.positions[stop.strategy, stop.instrument].lots
        self.result.notices.append(f"stopped out of {lots} lots by {stop.rule}")
        for order in self.live(stop.strategy, stop.instrument):
            if not closes_at_market(order.terms):
                self._cancel(stop.strategy, order.id)
        self._close(stop.strategy, stop.instrument)

    def _settle_funding(self, market: MarketState, rate: int) -> None:
        mark = market.mark if market.mark is not None else market.valuation
        if mark is None:
            self.result.notices.append("funding without a price was left out")
            return
        self.ledger.funding(market.index, rate, Fraction(mark, RATE_UNITS))

    def _tell_market(self, market: MarketState, message: list[Row]) -> None:
        book_kinds = (RowKind.DEPTH, RowKind.CLEAR, RowKind.GAP)
        changed = any(row.kind in book_kinds for row in message)
        best = (market.book.best(Side.BUY), market.book.best(Side.SELL))
        moved = changed and best != market.best
        if changed:
            market.best = best
        trades = [_trade(market, row) for row in message if row.kind is RowKind.TRADE]
        wanted = {"message": changed, "best": moved, "trade": bool(trades)}
        for at, trigger in enumerate(self.triggers):
            for trade in trades:
                self._call(at, market.index, "on_trade", trade)
            # A book that cannot be trusted is not shown.
            if wanted.get(trigger, False) and market.book.is_usable:
                self._call(at, market.index, "on_book")

    def _timer(self) -> None:
        at_ns, timer = self.timers.pop()
        if timer.closes is not None:
            self._close_again(timer.strategy, timer.closes)
            return
        if not timer.interval_ns:
            self._call(timer.strategy, 0, "on_timer", timer.tag)
            return
        self.timers.push(at_ns + timer.interval_ns, timer)
        if self.markets[0].book.is_usable:
            self._call(timer.strategy, 0, "on_book")

    def _answer(self) -> None:
        """The venue's word on an order: the order, then the money, then the strategy."""
        _, event = self.answers.pop()
        order = self.orders[event.order_id]
        try:
            news = order.apply(event)
        except IllegalEventError as error:
            self.result.notices.append(str(error))
            return
        filled = event.kind is EventKind.FILLED
        if filled:
            self._book_fill(order, event)
        if news:
            self._record(order, _reason_code(event))
        if filled:
            fill = self._fill_of(order, event)
            self._call(order.strategy, order.terms.instrument, "on_fill", fill)
        if news:
            self._call(order.strategy, order.terms.instrument, "on_order", order)
        self._close_rest(order, filled=filled)

    def _close_rest(self, order: Order, *, filled: bool) -> None:
        """Closes what traded after a stop closed, and again what the venue did not close."""
        strategy, instrument = order.strategy, order.terms.instrument
        if filled:
            for stop in self._fired_stops(strategy, instrument):
                self._see(stop)
        if not self._has_to_be_closed(strategy, instrument):
            return
        if filled:
            self._close(strategy, instrument)
        elif order.is_terminal and closes_at_market(order.terms):
            self._close_later(strategy, instrument)

    def _fired_stops(self, strategy: int, instrument: int) -> list[Stop]:
        at = (strategy, instrument)
        return [s for s in self.stops.all if s.fired and (s.strategy, s.instrument) == at]

    def _has_to_be_closed(self, strategy: int, instrument: int) -> bool:
        held = self.ledger.positions[strategy, instrument].lots
        return held != 0 and bool(self._fired_stops(strategy, instrument))

    def _close(self, strategy: int, instrument: int) -> None:
        """Closes what is held and is not being closed already."""
        lots = self.ledger.positions[strategy, instrument].lots
        if lots == 0:
            return
        side = Side.SELL if lots > 0 else Side.BUY
        sent = (OrderState.SUBMITTED, OrderState.OPEN, OrderState.PARTIALLY_FILLED)
        left = abs(lots) - sum(
            order.terms.qty - order.filled
            for order in self.live(strategy, instrument)
            if order.state in sent and order.terms.side is side and closes_at_market(order.terms)
        )
        if left > 0:
            self._place(strategy, self.next_order_id(), closing_order(instrument, side, left))

    def _close_later(self, strategy: int, instrument: int) -> None:
        at = (strategy, instrument)
        attempts, waits = self.closings.get(at, (0, False))
        if not waits:
            self.closings[at] = (attempts, True)
            wait_ns = CLOSE_AGAIN_NS << min(attempts, MOST_DOUBLINGS)
            timer = Timer(strategy, closes=instrument)
            self.timers.push(self.now_ns + wait_ns, timer)

    def _close_again(self, strategy: int, instrument: int) -> None:
        attempts, _ = self.closings.pop((strategy, instrument))
        if self._has_to_be_closed(strategy, instrument):
            self.closings[strategy, instrument] = (attempts + 1, False)
            self._close(strategy, instrument)

    def _book_fill(self, order: Order, event: VenueEvent) -> None:
        at, side = order.terms.instrument, order.terms.side
        realised, fee = self.ledger.fill(
            order.strategy, at, side, event.price, event.qty, event.maker
        )
        self.result.fills.append(
            FillRow(
                time_ns=self.now_ns,
                exch_ns=event.exch_ns,
                order_id=order.id,
                strategy=order.strategy,
                instrument=at,
                side=side.sign,
                price_ticks=event.price,
                qty_lots=event.qty,
                maker=event.maker,
                fee=fee,
                realised=realised,
                position_lots=self.ledger.positions[order.strategy, at].lots,
            )
        )

    def _fill_of(self, order: Order, event: VenueEvent) -> Fill:
        market = self.markets[order.terms.instrument]
        return Fill(
            order_id=order.id,
            side=order.terms.side.name.lower(),
            price=market.tick.to_float(event.price),
            qty=market.lot.to_float(event.qty),
            maker=event.maker,
            exch_ns=event.exch_ns,
        )

    # What strategies ask for ------------------------------------------------------------------

    def next_order_id(self) -> int:
        """A fresh order id."""
        return next(self._ids)

    def live(self, strategy: int, instrument: int, purpose: str | None = None) -> list[Order]:
        """Live orders of a strategy in an instrument, in order of arrival."""
        return [
            order
            for order in self.orders.values()
            if order.strategy == strategy
            and order.terms.instrument == instrument
            and not order.is_terminal
            and purpose in (None, order.purpose)
        ]

    def _call(self, strategy: int, instrument: int, name: str, *arguments: object) -> None:
        """Calls a strategy, and when it returns does what it asked for."""
        callback: Callable[..., None] | None = getattr(self.strategies[strategy], name, None)
        if callback is None:
            return
        wishes: list[Wish] = []
        callback(Market(self, strategy, instrument, wishes), *arguments)
        for wish in wishes:
            self._actions[wish.action](self, strategy, *wish.arguments)

    def _quote(
        self,
        strategy: int,
        instrument: int,
        wanted: dict[Side, list[tuple[int, int]]],
        post_only: bool,
    ) -> None:
        live = self.live(strategy, instrument, "quote")
        actions = reconcile_quotes(instrument, wanted, live, post_only=post_only)
        self._act(strategy, actions, "quote")

    def _target(self, strategy: int, instrument: int, target: int, price: int | None) -> None:
        position = self.ledger.positions[strategy, instrument].lots
        live = self.live(strategy, instrument, "target")
        self._act(strategy, reconcile_target(instrument, position, target, price, live), "target")

    def _act(self, strategy: int, actions: list[Action], purpose: str) -> None:
        for action in actions:
            if isinstance(action, OrderTerms):
                self._place(strategy, self.next_order_id(), action, purpose)
            else:
                self._cancel(strategy, action)

    def _place(
        self, strategy: int, order_id: int, terms: OrderTerms, purpose: str = "explicit"
    ) -> None:
        order = Order(order_id, strategy, terms, purpose)
        self.orders[order_id] = order
        order.submit()
        self._record(order, 0)
        self._send(Request(RequestKind.NEW, order_id, terms.instrument, terms))

    def _own(self, strategy: int, order_id: int, what: str) -> Order | None:
        order = self.orders.get(order_id)
        if order is None or order.strategy != strategy:
            self.result.notices.append(f"{what} of order {order_id}: not one of this strategy")
            return None
        return order

    def _cancel(self, strategy: int, order_id: int) -> None:
        order = self._own(strategy, order_id, "cancel")
        if order is None or order.is_terminal or order.state is OrderState.PENDING_CANCEL:
            return
        order.request_cancel()
        self._record(order, 0)
        self._send(Request(RequestKind.CANCEL, order_id, order.terms.instrument))

    def _cancel_all(self, strategy: int, instrument: int) -> None:
        for order in self.live(strategy, instrument):
            self._cancel(strategy, order.id)

    def _amend(self, strategy: int, order_id: int, price: int, qty: int) -> None:
        order = self._own(strategy, order_id, "amend")
        can = (OrderState.SUBMITTED, OrderState.OPEN, OrderState.PARTIALLY_FILLED)
        if order is None or order.state not in can:
            return
        order.request_replace(price, qty)
        self._record(order, 0)
        at = order.terms.instrument
        self._send(Request(RequestKind.AMEND, order_id, at, price=price, qty=qty))

    def _hold_stop(self, strategy: int, instrument: int, rule: Rule) -> None:
        self.stops.hold(strategy, instrument, rule)
        self._watch_stops(self.markets[instrument])

    def _remove_stops(self, strategy: int, instrument: int) -> None:
        self.stops.let_go(strategy, instrument)

    def _set_timer(self, strategy: int, at_ns: int, tag: int) -> None:
        self.timers.push(max(at_ns, self.now_ns), Timer(strategy, tag))

    def _send(self, request: Request) -> None:
        sent_ns = self.now_ns + self.config.decision_ns
        delay = self.config.latency.entry_ns(sent_ns, request.kind)
        at = request.instrument
        if delay < 0:
            lost_ns = sent_ns - delay
            kind = _LOST[request.kind]
            lost = VenueEvent(request.order_id, lost_ns, kind, at, reason=RejectReason.OVERLOADED)
            self.answers.push(lost_ns, lost)
            return
        # One connection: a request never overtakes the one before it.
        arrival_ns = max(sent_ns + delay, self.last_arrival[at])
        self.last_arrival[at] = arrival_ns
        self.requests.push(arrival_ns, request)

    def _record(self, order: Order, reason: int) -> None:
        terms = order.terms
        self.result.orders.append(
            OrderRow(
                time_ns=self.now_ns,
                order_id=order.id,
                strategy=order.strategy,
                instrument=terms.instrument,
                side=terms.side.sign,
                order_type=int(terms.order_type),
                state=int(order.state),
                reason=reason,
                price_ticks=terms.price,
                qty_lots=terms.qty,
                filled_lots=order.filled,
            )
        )

    _work: ClassVar[dict[Due, Callable[[Engine], None]]] = {
        Due.REQUEST: _request_arrives,
        Due.EXPIRY: _orders_expire,
        Due.ANSWER: _answer,
        Due.TIMER: _timer,
        Due.VENUE_ROW: _venue_row,
        Due.LOCAL_ROW: _local_message,
    }
    _actions: ClassVar[dict[str, Callable[..., None]]] = {
        "quote": _quote,
        "target": _target,
        "place": _place,
        "cancel": _cancel,
        "cancel_all": _cancel_all,
        "amend": _amend,
        "set_timer": _set_timer,
        "stop": _hold_stop,
        "remove_stops": _remove_stops,
    }


_ANSWERED = {
    EventKind.CANCELLED: RequestKind.CANCEL,
    EventKind.CANCEL_REJECTED: RequestKind.CANCEL,
    EventKind.AMENDED: RequestKind.AMEND,
    EventKind.AMEND_REJECTED: RequestKind.AMEND,
}
"""Which latency an answer has; all others have that of a new order."""

_LOST = {
    RequestKind.NEW: EventKind.REJECTED,
    RequestKind.CANCEL: EventKind.CANCEL_REJECTED,
    RequestKind.AMEND: EventKind.AMEND_REJECTED,
}


def _apply(market: MarketState, row: Row) -> None:
    if row.kind is RowKind.TRADE:
        market.last_trade = row.price_ticks
    elif row.kind is RowKind.MARK:
        market.mark = row.price_ticks * RATE_UNITS + row.qty_lots
    market.book.apply(row)


def _trade(market: MarketState, row: Row) -> Trade:
    return Trade(
        exch_ns=row.exch_ns,
        price_ticks=row.price_ticks,
        price=market.tick.to_float(row.price_ticks),
        qty_lots=row.qty_lots,
        qty=market.lot.to_float(row.qty_lots),
        side=row.side.name.lower(),
    )


def _reason_code(event: VenueEvent) -> int:
    """The code that results keep: cancel reasons start at 51."""
    return 50 + event.reason if event.kind is EventKind.CANCELLED else event.reason
