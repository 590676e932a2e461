"""Replay of the common workload, with and without a market maker."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from mainspring.bench import peers
from mainspring.bench.registry import Session
from mainspring.bench.result import Measurement
from mainspring.bench.timing import BenchmarkFailed, in_turn

HFTBACKTEST = {"roi": "hftbacktest", "hash": "hftbacktest, HashMap depth"}
MANY, MANY_SHARE = 64, 16
SHORT_REPEATS = 3
"""Sides that take a tenth of a second run so many times as often as others."""


def our_run(paths: Sequence[Path], strategy: Any) -> tuple[float, dict[str, int]]:
    """Seconds of a run over event files, and its counts. The models are those of the peer."""
    import mainspring as ms

    begin = time.perf_counter()
    run = ms.backtest(
        strategy,
        [str(path) for path in paths],
        venue=ms.Venue(fill_model="hft_no_partial", queue_model="prob_log"),
        latency=ms.Latency(entry="1ms", response="1ms"),
        cash=1_000_000_000,
        every="100ms",
    )
    seconds = time.perf_counter() - begin
    counts: dict[str, int] = run.facts.engine["counts"]
    return seconds, counts


def reader() -> Any:
    """The strategy that only reads the best prices."""
    import mainspring as ms

    return ms.native.Noop(read=True)


def touch_maker() -> Any:
    """The market maker of the workload."""
    import mainspring as ms

    return ms.native.TouchMaker(size="0.01", max_position="0.1")


def replay(session: Session) -> Iterator[Measurement]:
    """Rows a second, best prices read every 100 ms."""
    path = session.workload.event_file()
    yield from _beside(session, "replay", [path], reader, "replay", nautilus="replay")


def market_maker(session: Session) -> Iterator[Measurement]:
    """The same with the market maker; submits, cancels and fills must equal the peer's."""
    path = session.workload.event_file()
    yield from _beside(session, "replay_mm", [path], touch_maker, "mm", nautilus="mm")


def many(session: Session) -> Iterator[Measurement]:
    """Many instruments at once, a share of the rows each."""
    share = 1 if session.smoke else MANY_SHARE
    paths = session.workload.event_files(MANY, share)
    extra = ("--assets", str(MANY), "--share", str(share))
    yield from _beside(session, "replay_64", paths, reader, "replay", *extra)


def _beside(
    session: Session,
    name: str,
    paths: Sequence[Path],
    strategy: Callable[[], Any],
    mode: str,
    *extra: str,
    nautilus: str | None = None,
) -> Iterator[Measurement]:
    """Our rows a second beside each peer's."""
    folder = str(session.workload.folder)
    rows = our_run(paths, strategy())[1]["rows"]
    sides: dict[str, Callable[[], float]] = {
        "ours": lambda: rows / our_run(paths, strategy())[0],
    }
    hft = session.peer("hftbacktest")
    with ExitStack() as stack:
        if hft:
            for depth, label in HFTBACKTEST.items():
                arguments = (folder, mode, "--depth", depth, *extra)
                server = stack.enter_context(peers.Server("hftbacktest_replay.py", *arguments))
                _same_work(name, paths, strategy, server.run(), rows)
                sides[label] = lambda server=server: _rate(server.run())  # type: ignore[misc]
        figures = in_turn(sides, SHORT_REPEATS * session.repeats, warm_ups=2)
    value = figures.pop("ours")
    if not figures:
        yield Measurement(name, "rows_per_s", "rows/s", value, "hftbacktest")
    for label, peer_value in figures.items():
        versions = {"hftbacktest": hft or ""}
        yield Measurement(name, "rows_per_s", "rows/s", value, label, peer_value, versions)
    version = session.peer("nautilus_trader")
    if version and nautilus:
        peer_value = _rate(peers.run("nautilus.py", folder, nautilus)[1])
        versions = {"nautilus_trader": version}
        yield Measurement(
            name, "rows_per_s", "rows/s", value, "nautilus_trader", peer_value, versions
        )


def _rate(line: dict[str, Any]) -> float:
    return float(line["rows"]) / float(line["seconds"])


def _same_work(
    name: str, paths: Sequence[Path], strategy: Callable[[], Any], peer: dict[str, Any], rows: int
) -> None:
    """Refuses a comparison of different work."""
    if peer["rows"] != rows:
        raise BenchmarkFailed(f"{name}: we replay {rows} rows, the peer {peer['rows']}")
    if "submits" not in peer:
        return
    counts = our_run(paths, strategy())[1]
    ours = (counts["orders"], counts["cancels"], counts["fills"])
    theirs = (peer["submits"], peer["cancels"], peer["fills"])
    if ours != theirs:
        raise BenchmarkFailed(f"{name}: submits, cancels, fills are {ours}, the peer's {theirs}")


def order_cost(session: Session) -> Iterator[Measurement]:
    """What a submitted order costs, all in: the market maker's time above the bare replay's."""
    paths = [session.workload.event_file()]
    orders = our_run(paths, touch_maker())[1]["orders"]
    sides: dict[str, Callable[[], float]] = {
        "mm": lambda: our_run(paths, touch_maker())[0],
        "bare": lambda: our_run(paths, reader())[0],
    }
    hft = session.peer("hftbacktest")
    with ExitStack() as stack:
        submits = 1
        if hft:
            folder = str(session.workload.folder)
            for mode in ("mm", "replay"):
                server = stack.enter_context(peers.Server("hftbacktest_replay.py", folder, mode))
                submits = max(submits, int(server.run().get("submits", 1)))
                sides[f"peer {mode}"] = lambda server=server: float(  # type: ignore[misc]
                    server.run()["seconds"]
                )
        seconds = in_turn(sides, SHORT_REPEATS * session.repeats, warm_ups=2)
    value = 1e9 * (seconds["mm"] - seconds["bare"]) / orders
    peer_value = None
    if hft:
        peer_value = 1e9 * (seconds["peer mm"] - seconds["peer replay"]) / submits
    versions = {"hftbacktest": hft} if hft else {}
    yield Measurement(
        "order_cost", "ns_per_order", "ns", value, "hftbacktest", peer_value, versions
    )
