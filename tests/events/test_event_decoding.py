"""Events of records: every event that is asked for, in order, with cause and correlation."""

from __future__ import annotations

import dataclasses
import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mainspring.events import (
    Decoder,
    EmergencyLiquidation,
    Event,
    MarginWarning,
    Memory,
    OrderCanceled,
    OrderChanged,
    OrderCreated,
    OrderFilled,
    OrderStuck,
    PositionChanged,
    PositionStateChanged,
    RiskMetricsUpdated,
    RiskTerms,
    TradingHalted,
    replay,
)
from mainspring.events.types import TYPES, by_name, names
from session_records import INSTRUMENT, SECOND, STATES, Scribe, small_session

# Their names, and the fields that each must have beside its time.
ASKED_FOR = {
    "PositionChanged": {"old", "new"},
    "OrderFilled": {"order_id", "size", "price", "is_buy"},
    "OrderCanceled": {"order_id"},
    "PositionStateChanged": {"old", "new", "position"},
    "MarginWarning": {"available", "used", "threshold"},
    "EmergencyLiquidation": {"position", "reason"},
    "OrderStuck": {"order_id", "state", "duration_s"},
    "OrderCreated": {"order_id", "size", "price", "is_buy"},
    "MarketDataUpdated": {"mid", "spread_bps"},
    "RiskMetricsUpdated": {"margin_used", "margin_available"},
}


@pytest.mark.parametrize("name", ASKED_FOR)
def test_every_event_that_is_asked_for_exists(name: str) -> None:
    kind = by_name(name)
    assert kind is not None
    assert ASKED_FOR[name] <= set(kind.__dataclass_fields__)
    assert {"sequence", "time_ns", "cause", "correlation"} <= set(kind.__dataclass_fields__)
    assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]


def test_types_are_found_in_any_spelling() -> None:
    assert by_name("order_filled") is by_name("order-filled") is by_name("OrderFilled")
    assert by_name("nothing") is None
    assert set(names()) == set(TYPES) - {"OfOrder"}


def test_the_terms_are_those_that_the_engine_ran_with() -> None:
    assert RiskTerms.of({}) == RiskTerms()
    margin = {
        "leverage": 5,
        "buffer_bps": 1_000,
        "emergency_bps": 8_000,
        "maintenance_rate": "0.03",
    }
    states = {"warning_bps": 5_000, "critical_bps": 9_000}
    run = {"limits": {"max_position": "2"}, "margin": margin, "position_states": states}
    terms = RiskTerms.of({"run": run, "foreign": "cancel"})
    assert terms == RiskTerms.of(run)
    assert (terms.leverage, terms.buffer, terms.max_position) == (5, Decimal("0.1"), 2)
    assert terms.maintenance_ratio == Decimal("0.03")
    positions = map(Decimal, ("1", "-1.1", "1.9", "-2.1"))
    assert [terms.state(one) for one in positions] == [
        "normal", "warning", "critical", "over_limit"
    ]  # fmt: skip


def told(scribe: Scribe, terms: RiskTerms | None = None) -> list[Event]:
    return list(replay(scribe.memory, terms=terms))


def test_the_events_of_a_small_session() -> None:
    events = told(small_session())
    assert [event.name for event in events] == [
        "SessionStarted", "ConnectionChanged",
        "OrderCreated", "OrderChanged", "OrderChanged",
        "OrderCreated", "OrderChanged",
        "OrderChanged", "OrderFilled", "PositionChanged",
        "OrderChanged", "OrderFilled", "PositionChanged",
        "MarketDataUpdated", "EquityUpdated",
        "OrderChanged", "OrderCanceled",
        "OrderCreated", "OrderChanged", "OrderChanged", "OrderStuck",
        "CommandGiven", "TradingHalted", "EmergencyLiquidation", "Notice",
        "SessionStopped",
    ]  # fmt: skip
    created, first_fill = events[2], events[8]
    assert isinstance(created, OrderCreated)
    assert (created.size, created.price, created.is_buy) == (0.01, 100.0, True)
    assert isinstance(first_fill, OrderFilled)
    assert (first_fill.size, first_fill.price, first_fill.fee) == (0.004, 100.0, Decimal("0.01"))
    moved = events[12]
    assert isinstance(moved, PositionChanged)
    assert (moved.old, moved.new, moved.old_lots, moved.new_lots) == (0.004, 0.01, 4, 10)
    canceled = events[16]
    assert isinstance(canceled, OrderCanceled)
    assert canceled.reason == "requested"
    stuck = next(event for event in events if isinstance(event, OrderStuck))
    assert (stuck.order_id, stuck.state, stuck.duration_s, stuck.attempts) == (3, "unknown", 1.0, 5)
    flattened = next(event for event in events if isinstance(event, EmergencyLiquidation))
    assert (flattened.position, flattened.reason) == (0.01, "a test")


def test_sequences_and_parts_are_in_order_and_unique() -> None:
    events = told(small_session())
    places = [(event.sequence, event.part) for event in events]
    assert places == sorted(set(places))
    assert [event.time_ns for event in events] == sorted(event.time_ns for event in events)


def test_a_fill_belongs_to_the_market_message_that_its_order_was_decided_on() -> None:
    scribe = Scribe()
    scribe.input("start")
    tick = scribe.market()
    scribe.new_order(1)
    scribe.market()
    scribe.fill(1, 10)
    chain = list(replay(scribe.memory, correlation=tick))
    assert [event.name for event in chain] == [
        "OrderCreated", "OrderChanged", "OrderFilled", "PositionChanged"
    ]  # fmt: skip
    created, changed, filled, moved = chain
    assert created.cause == tick
    assert changed.cause == filled.cause == moved.cause == filled.sequence - 2
    assert list(replay(scribe.memory, order_id=1)) == chain[:3]


def test_an_order_of_an_outside_strategy_belongs_to_what_that_had_seen() -> None:
    scribe = Scribe()
    tick = scribe.market()
    scribe.market()
    scribe.input("wishes", decided=tick, strategy=0)
    scribe.new_order(1)
    scribe.order(1, "submitted")
    assert {event.correlation for event in told(scribe)} == {tick}


def test_position_states_and_margin_are_told_when_their_terms_are_known() -> None:
    scribe = Scribe()
    for number, lots in enumerate((70, 1, 14, 1, 14, 1), 1):
        scribe.market()
        scribe.new_order(number, lots=lots)
        scribe.fill(number, lots)
    scribe.market()
    scribe.new_order(9, side=-1, lots=60)
    scribe.fill(9, 60)
    terms = RiskTerms(max_position=Decimal("0.1"))
    states = [event for event in told(scribe, terms) if isinstance(event, PositionStateChanged)]
    # 0.070 is not yet beyond 70 %, 0.071 is; 0.085 is not yet beyond 85 %; 0.100 not over.
    assert [(one.old, one.new, one.position) for one in states] == [
        ("normal", "warning", 0.071),
        ("warning", "critical", 0.086),
        ("critical", "over_limit", 0.101),
        ("over_limit", "normal", 0.041),
    ]
    assert not [event for event in told(scribe) if isinstance(event, PositionStateChanged)]


def test_a_margin_warning_comes_once_when_little_is_left_and_again_after_recovery() -> None:
    scribe = Scribe()
    scribe.market()
    scribe.new_order(1, lots=10_000)  # 10 units at 100
    scribe.fill(1, 10_000)
    for equity in (3_000, 1_400, 1_300, 3_000, 1_400):
        scribe.sample(equity)
    events = told(scribe, RiskTerms(leverage=Decimal(1), buffer=Decimal("0.2")))
    metrics = [event for event in events if isinstance(event, RiskMetricsUpdated)]
    # The first sample of a market comes before that of the account.
    assert [(one.margin_used, one.margin_available) for one in metrics] == [
        (1_000, 1_400), (1_000, 120), (1_000, 40), (1_000, 1_400), (1_000, 120)
    ]  # fmt: skip
    warnings = [event for event in events if isinstance(event, MarginWarning)]
    assert [(one.available, one.used, one.threshold) for one in warnings] == [
        (120, 1_000, 200), (120, 1_000, 200)
    ]  # fmt: skip


def test_halts_and_what_the_engine_tells_are_events() -> None:
    scribe = Scribe()
    scribe.input("clock")
    scribe.output("event", {"event": "halted", "cause": "drawdown"})
    scribe.output("event", {"event": "strategy_stopped", "strategy": 0, "cause": "x"})
    anomaly = {"event": "order_anomaly", "order": 5, "what": "bad_fill", "text": "too much"}
    scribe.output("event", anomaly)
    scribe.output("event", {"event": "foreign_order", "venue_order": 7})
    adopted = {"event": "order_adopted", "order": 1 << 56, "venue_order": 7, "strategy": 0}
    scribe.output("event", adopted)
    traded = {"venue_order": 8, "instrument": 0, "side": "buy", "price": 1_000, "qty": 2}
    scribe.output("event", {"event": "foreign_fill", **traded})
    scribe.output("event", {"event": "position_mismatch", "instrument": 0, "ours": 1, "theirs": 2})
    scribe.output("event", {"event": "newer", "detail": 1})
    scribe.input("command", command="rearm", reason="looked at")
    names_told = [event.name for event in told(scribe)]
    assert names_told == [
        "TradingHalted", "StrategyStopped", "OrderAnomaly", "ForeignOrderFound", "OrderAdopted",
        "ForeignFill", "PositionMismatch", "EngineEvent", "CommandGiven", "TradingRearmed",
    ]  # fmt: skip
    assert isinstance(told(scribe)[0], TradingHalted)


steps = st.lists(
    st.tuples(st.sampled_from(["new", "state", "fill", "sample"]), st.integers(1, 5)), max_size=60
)


@given(steps, st.integers(0, 60))
def test_a_copy_of_a_decoder_goes_on_alike(actions: list[tuple[str, int]], cut: int) -> None:
    scribe = Scribe()
    for action, number in actions:
        if action == "new" and number not in scribe.orders:
            scribe.market()
            scribe.new_order(number, side=1 if number % 2 else -1)
        elif action == "state" and number in scribe.orders:
            scribe.input("report", order_id=number)
            scribe.order(number, STATES[number + 2])
        elif action == "fill" and number in scribe.orders:
            scribe.fill(number, number)
        elif action == "sample":
            scribe.sample(100_000 + number, bid=990 + number)
    records = scribe.memory.read(1, 10_000, 0.0)
    whole, first = Decoder([INSTRUMENT]), Decoder([INSTRUMENT])
    events = [event for record in records for event in whole.decode(record)]
    begun = [event for record in records[:cut] for event in first.decode(record)]
    second = first.copy()
    assert begun + [e for record in records[cut:] for e in second.decode(record)] == events
    fills = [event for event in events if isinstance(event, OrderFilled)]
    moves = [event for event in events if isinstance(event, PositionChanged)]
    assert sum((1 if one.is_buy else -1) * one.qty_lots for one in fills) == scribe.position
    assert moves == [] or moves[-1].new_lots == scribe.position
    assert all(moves[i].new_lots == moves[i + 1].old_lots for i in range(len(moves) - 1))
    for event in events:
        assert json.loads(json.dumps(event.to_dict()))["event"] == event.name
        assert dataclasses.replace(event) == event
        assert isinstance(event, OrderChanged) is (event.name == "OrderChanged")


def test_memory_of_ended_orders_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mainspring.events.decoding.REMEMBERED_ORDERS", 10)
    decoder = Decoder([INSTRUMENT])
    scribe = Scribe()
    for number in range(1, 101):
        scribe.market()
        scribe.new_order(number)
        scribe.order(number, "cancelled" if number > 1 else "open")
    for record in scribe.memory.read(1, 10_000, 0.0):
        decoder.decode(record)
    assert len(decoder._orders) == 11  # the last ten that ended, and the one that is open
    assert 1 in decoder._orders


def test_memory_keeps_the_last_records_and_says_what_is_gone() -> None:
    memory = Memory(retention=3)
    for number in range(5):
        memory.append("clock", number * SECOND, {})
    cursor = memory.cursor(0)
    missing, *_ = cursor.read(10, 0.0)
    assert (missing.expected, missing.next) == (1, 3)  # type: ignore[union-attr]
    assert [one.sequence for one in cursor.read(10, 0.0)] == [3, 4, 5]  # type: ignore[union-attr]
