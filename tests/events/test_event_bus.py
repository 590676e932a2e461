"""Subscribers: each in its own time, none in the way of another."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mainspring as ms
import pytest
from mainspring.errors import MainspringError
from mainspring.events import (
    Bus,
    CounterSubscriber,
    Event,
    Gap,
    JournalSource,
    LogSubscriber,
    Memory,
    OrderFilled,
    OrderStuck,
    TradingHalted,
    replay,
)
from mainspring.events.bus import MAX_FAILURES
from session_records import SECOND, Scribe, small_session


class Collects(list[Event]):
    def __call__(self, event: Event) -> None:
        self.append(event)


def test_a_subscriber_is_told_everything_in_order() -> None:
    scribe = small_session()
    got = Collects()
    with Bus(scribe.memory) as bus:
        subscription = bus.subscribe(got)
        assert subscription.wait(scribe.memory.newest)
        scribe.market()
        scribe.new_order(10)
        assert subscription.wait(scribe.memory.newest)
    assert got == list(replay(scribe.memory))
    assert subscription.delivered == len(got)
    assert not subscription.alive


def test_a_subscriber_is_told_of_the_types_that_it_wants() -> None:
    scribe = small_session()
    got = Collects()
    with Bus(scribe.memory) as bus:
        assert bus.subscribe(got, types=[OrderFilled, OrderStuck]).wait(scribe.memory.newest)
    assert [event.name for event in got] == ["OrderFilled", "OrderFilled", "OrderStuck"]


def test_a_subscriber_can_begin_anywhere() -> None:
    scribe = small_session()
    every = list(replay(scribe.memory))
    middle = every[len(every) // 2].sequence
    later, new = Collects(), Collects()
    with Bus(scribe.memory) as bus:
        late = bus.subscribe(later, after=middle)
        fresh = bus.subscribe(new, after=None)
        assert late.wait(scribe.memory.newest)
        scribe.market()
        scribe.new_order(10)
        assert fresh.wait(scribe.memory.newest)
        assert late.wait(scribe.memory.newest)
    assert later == [event for event in replay(scribe.memory) if event.sequence > middle]
    assert [event.name for event in new] == ["OrderCreated"]


def test_a_slow_subscriber_delays_nobody() -> None:
    scribe = Scribe()
    held = threading.Event()
    slow_got, fast_got = Collects(), Collects()

    def slow(event: Event) -> None:
        held.wait(30)
        slow_got(event)

    with Bus(scribe.memory) as bus:
        slow_one, fast_one = bus.subscribe(slow), bus.subscribe(fast_got)
        scribe.market()
        took = 0.0
        for number in range(1, 501):
            began = time.perf_counter()
            scribe.new_order(number)
            took = max(took, time.perf_counter() - began)
        assert fast_one.wait(scribe.memory.newest)
        assert len(fast_got) == 500
        assert slow_got == []
        assert bus.lag(slow_one) > 400
        held.set()
        assert slow_one.wait(scribe.memory.newest)
        assert slow_got == fast_got
        assert bus.lag(slow_one) == 0
    assert took < 1.0


def test_a_raising_subscriber_harms_nobody_and_is_counted() -> None:
    scribe = Scribe()
    got, odd = Collects(), Collects()

    def raises(event: Event) -> None:
        if event.order is not None and event.order % 2:
            raise RuntimeError(f"order {event.order}")
        odd(event)

    with Bus(scribe.memory) as bus:
        bad, good = bus.subscribe(raises), bus.subscribe(got)
        scribe.market()
        for number in range(1, 101):
            scribe.new_order(number)
        assert good.wait(scribe.memory.newest)
        assert bad.wait(scribe.memory.newest)
        assert bad.alive
    assert len(got) == 100
    assert len(odd) == bad.delivered == bad.failures == 50
    assert str(bad.last_error) == "order 99"


def test_a_subscriber_that_only_fails_is_given_up() -> None:
    scribe = Scribe()

    def fails(event: Event) -> None:
        raise ValueError(event.name)

    with Bus(scribe.memory) as bus:
        bad = bus.subscribe(fails)
        scribe.market()
        for number in range(1, 2 * MAX_FAILURES):
            scribe.new_order(number)
        assert bad.wait(scribe.memory.newest)
        assert bad.given_up
        assert bad.failures == MAX_FAILURES


def test_a_subscriber_behind_retention_gets_a_gap() -> None:
    scribe = Scribe(retention=50)
    held, entered = threading.Event(), threading.Event()
    got = Collects()

    def slow(event: Event) -> None:
        entered.set()
        held.wait(30)
        got(event)

    scribe.market()
    with Bus(scribe.memory) as bus:
        one = bus.subscribe(slow, types=[OrderFilled])
        scribe.new_order(1, lots=100_000)
        scribe.fill(1, 1)
        assert entered.wait(10)
        for _ in range(100):
            scribe.fill(1, 1)
        held.set()
        assert one.wait(scribe.memory.newest)
    assert one.gaps == 1
    gap = next(event for event in got if isinstance(event, Gap))
    assert gap.last == scribe.memory.newest - 50
    assert gap.last >= gap.first
    after = [event.sequence for event in got[got.index(gap) + 1 :]]
    assert after
    assert all(sequence > gap.last for sequence in after)


def test_a_gap_comes_with_the_state_behind_it(tmp_path: Path) -> None:
    session = ms.journal.rehearse(tmp_path / "session", records=2_000)
    source = JournalSource(session)
    state = source.snapshot()
    assert state == session.state()
    assert state["sequence"] == source.newest
    scribe = Scribe(retention=10)
    scribe.memory._snapshot = lambda: state
    scribe.market()
    for number in range(1, 41):
        scribe.new_order(number)
    got = Collects()
    with Bus(scribe.memory) as bus:
        one = bus.subscribe(got, after=5)
        assert one.wait(scribe.memory.newest)
        assert isinstance(got[0], Gap)
        assert got[0].snapshot == state

        def broken() -> dict[str, Any]:
            raise MainspringError("the state is gone")

        scribe.memory._snapshot = broken
        got = Collects()
        one = bus.subscribe(got, after=5)
        assert one.wait(scribe.memory.newest)
        assert isinstance(got[0], Gap), "told all the same"
        assert got[0].snapshot is None
        assert "the state is gone" in str(one.last_error)


def test_a_subscriber_that_asks_for_what_is_gone_gets_a_gap() -> None:
    scribe = Scribe(retention=10)
    scribe.market()
    for number in range(1, 41):
        scribe.new_order(number)
    got = Collects()
    with Bus(scribe.memory) as bus:
        assert bus.subscribe(got, after=5).wait(scribe.memory.newest)
    assert isinstance(got[0], Gap)
    assert (got[0].first, got[0].last) == (6, 31)
    assert len(got) == 11


def test_the_history_is_bounded_and_answers_questions() -> None:
    scribe = small_session()
    with Bus(scribe.memory, history=10) as bus:
        assert bus.wait()
        every = list(replay(scribe.memory))
        assert bus.total == len(every)
        assert bus.history() == every[-10:]
        assert bus.history(3) == every[-3:]
        assert bus.history(0) == []
        assert [event.name for event in bus.history(types=[TradingHalted])] == ["TradingHalted"]
        assert bus.history(order_id=3) == [event for event in every[-10:] if event.order == 3]
        edge = every[-4].time_ns
        assert bus.history(since_ns=edge) == [e for e in every[-10:] if e.time_ns >= edge]
        assert bus.history(until_ns=edge) == [e for e in every[-10:] if e.time_ns < edge]


def test_closing_does_not_wait_for_a_subscriber_that_hangs() -> None:
    scribe = small_session()
    forever = threading.Event()
    bus = Bus(scribe.memory)
    entered = threading.Event()

    def hangs(_: Event) -> None:
        entered.set()
        forever.wait(60)

    bus.subscribe(hangs)
    assert entered.wait(10)
    began = time.monotonic()
    bus.close()
    assert time.monotonic() - began < 10
    forever.set()


def test_an_ended_source_ends_its_subscribers() -> None:
    scribe = small_session()
    scribe.memory.finish()
    bus = Bus(scribe.memory)
    got = Collects()
    one = bus.subscribe(got)
    assert one.wait(scribe.memory.newest)
    one._thread.join(10)
    assert not one.alive
    assert got


def test_log_and_counters(caplog: pytest.LogCaptureFixture) -> None:
    scribe = small_session()
    counters = CounterSubscriber()
    caplog.set_level(logging.INFO, logger="mainspring.events")
    with Bus(scribe.memory) as bus:
        for subscriber in (LogSubscriber(), counters):
            assert bus.subscribe(subscriber).wait(scribe.memory.newest)
    counts = counters.counts()
    assert counts["OrderFilled"] == 2
    assert counts["OrderChanged"] == sum(
        r.message.startswith("OrderChanged") for r in caplog.records
    )
    assert counters.last_time_ns == scribe.now
    halted = next(r for r in caplog.records if r.message.startswith("TradingHalted"))
    assert halted.levelno == logging.CRITICAL
    assert halted.__dict__["event"]["reason"] == "a test"


def test_waiting_for_records_costs_no_polling() -> None:
    memory = Memory()
    cursor = memory.cursor()
    began = time.monotonic()
    assert cursor.read(1, 0.05) == ()
    assert time.monotonic() - began >= 0.05
    threading.Timer(0.05, lambda: memory.append("clock", SECOND, {})).start()
    assert len(cursor.read(1, 10.0)) == 1


def test_what_a_recovery_cut_away_is_told_and_forgotten() -> None:
    scribe = Scribe()
    got = Collects()
    tick = scribe.market()
    scribe.new_order(1)
    scribe.fill(1, 4)
    kept = scribe.memory.newest
    scribe.fill(1, 5)
    with Bus(scribe.memory) as bus:
        one = bus.subscribe(got)
        assert one.wait(scribe.memory.newest)
        before = len(got)
        scribe.memory.cut(kept)
        scribe.orders[1]["filled_lots"], scribe.position = 4, 4
        assert wait_for(lambda: len(got) > before)
        scribe.fill(1, 6)
        assert one.wait(scribe.memory.newest)
    gap = got[before]
    assert isinstance(gap, Gap)
    assert (gap.sequence, gap.last) == (kept + 1, kept)
    after = got[before + 1 :]
    assert [event.name for event in after] == ["OrderChanged", "OrderFilled", "PositionChanged"]
    assert after == [event for event in replay(scribe.memory) if event.sequence > kept]
    assert {event.correlation for event in after} == {tick}


def wait_for(condition: Callable[[], bool]) -> bool:
    until = time.monotonic() + 10
    while not condition() and time.monotonic() < until:
        time.sleep(0.001)
    return condition()
