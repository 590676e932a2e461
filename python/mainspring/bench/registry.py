"""Which benchmarks there are, and what they need to run."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mainspring.bench import peers
from mainspring.bench.result import Measurement
from mainspring.bench.workload import Workload
from mainspring.errors import NotFoundError
from mainspring.live.latency import STAGES

Run = Callable[["Session"], Iterator[Measurement]]


@dataclass(frozen=True)
class Session:
    """How to run: the workload, how often each side counts, and whether peers take part."""

    workload: Workload
    repeats: int = 5
    smoke: bool = False
    with_peers: bool = True

    @classmethod
    def open(cls, *, repeats: int = 5, smoke: bool = False, with_peers: bool = True) -> Session:
        """A session over the workload, which is made when it is not there.

        `smoke` takes a hundredth of it and one repeat: it shows that a benchmark works, its figures
        mean nothing.
        """
        return cls(Workload.open(smoke=smoke), 1 if smoke else repeats, smoke, with_peers)

    def peer(self, package: str) -> str | None:
        """The version of a peer that takes part, or None."""
        return peers.version(package) if self.with_peers else None

    @property
    def scratch(self) -> Path:
        """A folder for what a benchmark writes."""
        folder = self.workload.folder / "scratch"
        folder.mkdir(exist_ok=True)
        return folder


@dataclass(frozen=True)
class Benchmark:
    """A benchmark: its name, its metrics, and where its code is (imported when it runs)."""

    name: str
    metrics: tuple[str, ...]
    summary: str
    code: str

    def run(self, session: Session) -> Iterator[Measurement]:
        """Measures, yielding each figure when it is known."""
        module, _, function = self.code.partition(":")
        run: Run = getattr(importlib.import_module(f"mainspring.bench.{module}"), function)
        return run(session)


_LOOPBACK = tuple(
    f"{mode}_{stage}_{metric}"
    for mode in ("sleeping", "busy")
    for stage in STAGES
    for metric in ("p50_us", "p99_us")
)

_TABLE = (
    Benchmark(
        "replay", ("rows_per_s",), "L2 replay, best prices read every 100 ms", "replay:replay"
    ),
    Benchmark("replay_mm", ("rows_per_s",), "the same with a market maker", "replay:market_maker"),
    Benchmark("replay_64", ("rows_per_s",), "64 instruments at once", "replay:many"),
    Benchmark("cold_mm_native", ("seconds",), "the market maker as a whole process", "cold:native"),
    Benchmark("cold_mm_python", ("seconds",), "the same in plain Python", "cold:python"),
    Benchmark("cold_mm_compiled", ("seconds",), "the same compiled with numba", "cold:compiled"),
    Benchmark("order_cost", ("ns_per_order",), "what a submitted order costs", "replay:order_cost"),
    Benchmark(
        "callback",
        ("empty_ns", "read4_ns", "quote_ns", "compiled_ns"),
        "a strategy callback above the native path",
        "callback:callback",
    ),
    Benchmark(
        "bars", ("seconds",), "moving averages over 500,000 bars, whole process", "bars:bars"
    ),
    Benchmark(
        "book_update", ("ns_per_update",), "a level update and the best prices", "book:update"
    ),
    Benchmark(
        "journal",
        ("append_p50_ns", "append_p99_ns", "append_max_us"),
        "a record appended and committed, 250,000 a second",
        "journal:append",
    ),
    Benchmark(
        "recovery",
        ("seconds_per_million",),
        "recovery of a session from its journal without a snapshot",
        "journal:recovery",
    ),
    Benchmark(
        "gate", ("ns_per_check", "ns_per_order"), "the risk gate with every limit", "gate:checks"
    ),
    Benchmark(
        "codec",
        (
            "ns_per_bookticker",
            "ns_per_trade",
            "ns_per_depth9",
            "ns_per_depth68",
            "messages_per_s",
        ),
        "venue messages from bytes to the applied book",
        "codec:codec",
    ),
    Benchmark(
        "event_to_order",
        ("p50_ns", "p99_ns"),
        "from a market message to its orders, approved and journaled",
        "live:event_to_order",
    ),
    Benchmark(
        "bytes_to_order",
        ("p50_ns", "p99_ns", "ed25519_sign_ns", "secp256k1_sign_ns"),
        "from a depth message's bytes to the bytes of signed orders",
        "way:bytes_to_order",
    ),
    Benchmark(
        "loopback",
        _LOOPBACK,
        "socket to socket against the exchange server, by stage",
        "way:loopback",
    ),
    Benchmark(
        "snapshot",
        ("p50_ns", "p99_ns"),
        "a picture of a running session, read from Python",
        "live:snapshot",
    ),
    Benchmark(
        "shutdown",
        ("kill_ms", "stop_ms", "stop_max_ms"),
        "a session with open orders at a venue, killed, and ended in order",
        "ending:shutdown",
    ),
    Benchmark(
        "memory",
        ("engine_bytes", "process_bytes"),
        "anonymous memory of a running session",
        "live:memory",
    ),
    Benchmark(
        "router",
        ("ns_per_route", "ns_best_venue"),
        "a route over ten venues, with fees",
        "router:routes",
    ),
    Benchmark(
        "matching",
        ("ns_per_message",),
        "a message to the matching engine, in four scenarios",
        "matching:matching",
    ),
    Benchmark(
        "exchange_load",
        ("orders_per_s", "p99_us"),
        "signed orders to the exchange server over loopback",
        "exchange_load:exchange_load",
    ),
    Benchmark("import", ("rows_per_s",), "raw Binance messages to an event file", "files:imports"),
    Benchmark("scan", ("bytes_per_s",), "touching every row of an event file", "files:scan"),
    Benchmark(
        "footprint",
        ("import_seconds", "help_seconds", "wheel_bytes", "venv_bytes", "peak_bytes"),
        "start, size and memory",
        "footprint:footprint",
    ),
)


def benchmarks() -> tuple[Benchmark, ...]:
    """All benchmarks."""
    return _TABLE


def find(name: str) -> Benchmark:
    """The benchmark of this name.

    Raises:
        NotFoundError: there is none; the message lists those there are.
    """
    for benchmark in _TABLE:
        if benchmark.name == name:
            return benchmark
    known = ", ".join(benchmark.name for benchmark in _TABLE)
    raise NotFoundError(f"no benchmark {name!r}; there are {known}")
