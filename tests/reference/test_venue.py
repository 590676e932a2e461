"""Hand-worked cases of the simulated venue: what really happens at an exchange."""

from __future__ import annotations

import pytest
from mainspring.reference import Instrument, OrderTerms, Row, RowKind, Side, VenueConfig
from mainspring.reference.venue import Venue
from mainspring.reference.vocabulary import (
    CancelReason,
    EventKind,
    OrderType,
    RejectReason,
    Request,
    RequestKind,
    TimeInForce,
    VenueEvent,
)

BUY, SELL = Side.BUY, Side.SELL


class Desk:
    """A venue and a clock."""

    def __init__(self, **config: str) -> None:
        self.venue = Venue(0, Instrument(), VenueConfig(**config))  # type: ignore[arg-type]
        self.now_ns = 0

    def row(self, kind: RowKind, side: Side, price: int, qty: int) -> list[tuple[int, ...]]:
        self.now_ns += 1
        row = Row(self.now_ns, self.now_ns, kind, side, price, qty)
        return fills(self.venue.on_row(row, self.now_ns))

    def depth(self, side: Side, price: int, qty: int) -> list[tuple[int, ...]]:
        return self.row(RowKind.DEPTH, side, price, qty)

    def trade(self, taker: Side, price: int, qty: int) -> list[tuple[int, ...]]:
        return self.row(RowKind.TRADE, taker, price, qty)

    def send(self, order_id: int, terms: OrderTerms) -> list[VenueEvent]:
        self.now_ns += 1
        request = Request(RequestKind.NEW, order_id, 0, terms)
        return self.venue.on_request(request, self.now_ns)


def fills(events: list[VenueEvent]) -> list[tuple[int, ...]]:
    """(order, price, quantity) of each fill."""
    return [(e.order_id, e.price, e.qty) for e in events if e.kind is EventKind.FILLED]


def kinds(events: list[VenueEvent]) -> list[EventKind]:
    return [e.kind for e in events]


def test_partial_fills_add_up() -> None:
    """T1: a resting buy of 10, filled 4 and then 3, is a position of 7."""
    desk = Desk()
    desk.send(1, OrderTerms(BUY, 10, 100))
    assert desk.trade(SELL, 100, 4) == [(1, 100, 4)]
    assert desk.trade(SELL, 100, 3) == [(1, 100, 3)]
    assert desk.venue.position == 7


def test_a_fill_of_exactly_what_is_left_ends_the_order() -> None:
    """T2."""
    desk = Desk()
    desk.send(1, OrderTerms(BUY, 10, 100))
    desk.trade(SELL, 100, 4)
    assert desk.trade(SELL, 100, 6) == [(1, 100, 6)]
    assert desk.venue.orders == {}
    assert desk.trade(SELL, 100, 5) == []


def test_an_ioc_sweeps_level_by_level() -> None:
    """T3: 5 at 101, 5 at 102, 2 at 103 cost 1221."""
    desk = Desk()
    for price in (101, 102, 103):
        desk.depth(SELL, price, 5)
    events = desk.send(1, OrderTerms(BUY, 12, 110, time_in_force=TimeInForce.IOC))
    assert fills(events) == [(1, 101, 5), (1, 102, 5), (1, 103, 2)]
    assert sum(price * qty for _, price, qty in fills(events)) == 1221
    assert desk.venue.position == 12


def test_two_orders_share_one_trade() -> None:
    """T4: two buys of 4 behind a queue of 5 get at most 4.5 of a trade of 9.5."""
    desk = Desk()
    # Lots of half a unit, so that 9.5 can be said.
    desk.depth(BUY, 100, 10)
    desk.send(1, OrderTerms(BUY, 8, 100))
    desk.send(2, OrderTerms(BUY, 8, 100))
    assert desk.trade(SELL, 100, 19) == [(1, 100, 8), (2, 100, 1)]
    assert desk.venue.position == 9


def test_a_market_order_walks_the_book_and_what_it_took_stays_taken() -> None:
    """T5."""
    desk = Desk()
    desk.depth(SELL, 101, 5)
    desk.depth(SELL, 105, 7)
    market = OrderTerms(BUY, 1000, order_type=OrderType.MARKET, time_in_force=TimeInForce.IOC)
    events = desk.send(1, market)
    assert fills(events) == [(1, 101, 5), (1, 105, 7)]
    assert (events[-1].kind, events[-1].reason) == (
        EventKind.CANCELLED,
        CancelReason.NO_LIQUIDITY,
    )
    assert fills(desk.send(2, market)) == []
    desk.depth(SELL, 101, 5)
    assert fills(desk.send(3, market)) == [(3, 101, 5)]


def test_the_queue_in_front_is_served_first() -> None:
    desk = Desk(queue_model="risk_averse")
    desk.depth(BUY, 100, 5)
    desk.send(1, OrderTerms(BUY, 4, 100))
    assert desk.trade(SELL, 100, 3) == []
    desk.depth(BUY, 100, 6)
    assert desk.trade(SELL, 100, 3) == [(1, 100, 1)]


def test_a_trade_through_our_price_meets_us_first() -> None:
    desk = Desk()
    desk.depth(BUY, 100, 50)
    desk.send(1, OrderTerms(BUY, 4, 100))
    assert desk.trade(SELL, 99, 3) == [(1, 100, 3)]


def test_the_market_crossing_us_gives_no_more_than_it_shows() -> None:
    desk = Desk()
    desk.send(1, OrderTerms(BUY, 4, 100))
    desk.send(2, OrderTerms(BUY, 4, 101))
    assert desk.depth(SELL, 99, 6) == [(2, 101, 4), (1, 100, 2)]
    assert desk.venue.available(SELL, 99) == 0
    # Setting the level anew shows six others.
    assert desk.depth(SELL, 99, 6) == [(1, 100, 2)]


@pytest.mark.parametrize(
    ("rule", "expected", "resting"),
    [
        ("cancel_newest", [(2, CancelReason.SELF_TRADE)], [1]),
        ("cancel_oldest", [(1, CancelReason.SELF_TRADE)], [2]),
        ("cancel_both", [(1, CancelReason.SELF_TRADE), (2, CancelReason.SELF_TRADE)], []),
    ],
)
def test_self_trade_prevention(
    rule: str, expected: list[tuple[int, int]], resting: list[int]
) -> None:
    desk = Desk(self_trade=rule)
    desk.send(1, OrderTerms(SELL, 4, 100))
    events = desk.send(2, OrderTerms(BUY, 4, 100))
    cancelled = [(e.order_id, e.reason) for e in events if e.kind is EventKind.CANCELLED]
    assert cancelled == expected
    assert list(desk.venue.orders) == resting


def test_post_only_is_refused_whatever_we_took() -> None:
    desk = Desk()
    desk.depth(SELL, 101, 5)
    desk.send(1, OrderTerms(BUY, 5, 101))
    events = desk.send(2, OrderTerms(BUY, 1, 101, post_only=True))
    assert [e.reason for e in events] == [RejectReason.POST_ONLY_WOULD_TAKE]


def test_reduce_only_is_cut_and_the_cut_is_told() -> None:
    desk = Desk()
    desk.depth(SELL, 101, 5)
    desk.send(1, OrderTerms(BUY, 3, 101))
    events = desk.send(2, OrderTerms(SELL, 9, 105, reduce_only=True))
    assert kinds(events) == [EventKind.ACCEPTED, EventKind.AMENDED]
    assert events[1].qty == 3
    assert desk.trade(BUY, 106, 50) == [(2, 105, 3)]
    assert desk.venue.orders == {}


def test_an_iceberg_shows_slice_after_slice() -> None:
    desk = Desk()
    desk.send(1, OrderTerms(BUY, 5, 100, order_type=OrderType.ICEBERG, display=2))
    assert desk.trade(SELL, 100, 9) == [(1, 100, 2)]
    assert desk.trade(SELL, 100, 9) == [(1, 100, 2)]
    assert desk.trade(SELL, 100, 9) == [(1, 100, 1)]


def test_hft_no_partial_keeps_its_faults() -> None:
    """T4 and T5 as hftbacktest has them: one trade fills both whole, taking costs no depth."""
    desk = Desk(fill_model="hft_no_partial")
    desk.depth(BUY, 100, 5)
    desk.depth(SELL, 101, 5)
    desk.send(1, OrderTerms(BUY, 4, 100))
    desk.send(2, OrderTerms(BUY, 4, 100))
    assert desk.trade(SELL, 100, 9) == [(1, 100, 4), (2, 100, 4)]
    market = OrderTerms(BUY, 1000, order_type=OrderType.MARKET, time_in_force=TimeInForce.IOC)
    assert fills(desk.send(3, market)) == [(3, 101, 1000)]
