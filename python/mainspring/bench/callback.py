"""What a strategy callback costs above the same run with a native strategy."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Iterator
from typing import Any

from mainspring.bench.registry import Session
from mainspring.bench.replay import reader, touch_maker
from mainspring.bench.result import Measurement
from mainspring.bench.timing import in_turn


def strategies() -> dict[str, Any]:
    """A strategy for each thing that a callback may do."""
    import mainspring as ms

    class Empty(ms.Strategy):
        """Does nothing."""

        def on_book(self, m: ms.Market) -> None:
            """Nothing."""

    class Read4(ms.Strategy):
        """Reads four fields."""

        def on_book(self, m: ms.Market) -> None:
            """Best prices in both units."""
            _ = m.bid, m.ask, m.bid_ticks, m.ask_ticks

    class Quote(ms.Strategy):
        """Joins both touches, as the native market maker does."""

        def on_book(self, m: ms.Market) -> None:
            """The same rule."""
            position = m.position
            bid = ((m.bid, 0.01),) if position < 0.1 - 1e-9 else ()
            ask = ((m.ask, 0.01),) if position > -0.1 + 1e-9 else ()
            m.quote(bid=bid, ask=ask)

    found = {"empty_ns": Empty(), "read4_ns": Read4(), "quote_ns": Quote()}
    if importlib.util.find_spec("numba") is not None:

        @ms.compiled
        class Compiled(ms.Strategy):
            """Does nothing, in machine code."""

            def on_book(self, m: ms.Market) -> None:
                """Nothing."""

        found["compiled_ns"] = Compiled()
    return found


def callback(session: Session) -> Iterator[Measurement]:
    """Nanoseconds a call, at every message that changes the book.

    What a run costs before its first call is measured on a short run of each side and taken off.
    """
    import mainspring as ms

    path, short = str(session.workload.event_file()), ms.sample("btcusdt", hours=0.01)
    calls = 1

    def seconds(strategy: Any) -> float:
        nonlocal calls
        begin = time.perf_counter()
        run = ms.backtest(strategy, path, cash=1_000_000_000)
        elapsed = time.perf_counter() - begin
        begin = time.perf_counter()
        start = ms.backtest(strategy, short, cash=1_000_000_000)
        elapsed -= time.perf_counter() - begin
        counts = [one.facts.engine["counts"]["callbacks"] for one in (run, start)]
        calls = counts[0] - counts[1]
        return elapsed

    sides = {"bare": lambda: seconds(reader()), "maker": lambda: seconds(touch_maker())}
    for metric, strategy in strategies().items():
        sides[metric] = lambda strategy=strategy: seconds(strategy)  # type: ignore[misc]
    figures = in_turn(sides, session.repeats)
    for metric in strategies():
        native = figures["maker" if metric == "quote_ns" else "bare"]
        yield Measurement("callback", metric, "ns", 1e9 * (figures[metric] - native) / calls)
