"""A session on real time: from an event to approved orders, and what a session holds in memory."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from mainspring import _core
from mainspring.bench.registry import Session
from mainspring.bench.result import Measurement

MESSAGES = 150_000

READS = 50_000

LIMITS = {
    "price_collar_bps": 500,
    "max_order_qty": "1",
    "max_order_notional": "100000",
    "max_position": "0.5",
    "max_open_orders": 100,
    "max_gross_exposure": "100000000",
    "max_net_exposure": "100000000",
    "max_symbol_exposure": "100000000",
    "max_leverage": "10",
    "max_allocation": "1",
    "max_concentration": "1",
    "max_order_rate": {"count": 300, "window_ns": 10_000_000_000},
    "max_cancel_rate": {"count": 300, "window_ns": 10_000_000_000},
    "max_message_rate": {"count": 600, "window_ns": 10_000_000_000},
    "max_daily_trades": 10_000_000,
    "max_daily_loss": "100000000",
    "max_losing_streak": 1_000_000,
    "max_data_age_ns": 60_000_000_000,
    "trading_hours": "daily 00:00-24:00",
    "restricted": ["XMR"],
    "breaker": {},
    "drawdown": {"reduce_bps": 500, "stop_bps": 1000},
}
"""Every limit that there is, none of which the market maker reaches; rates as venues have them."""

STRATEGY = {"kind": "touch_maker", "size": "0.01", "max_position": "0.1"}

FEATURES = ("mid", "imbalance", "weighted_mid", "ofi:window=5s", "ewma_volatility:halflife=60s")


def event_to_order(session: Session) -> Iterator[Measurement]:
    """A message in, its orders approved and journaled out, in one thread, every message timed.

    Market maker, features, reconciler, limits and the journal on the disk take part; the venue
    answers at once, outside of what is timed, and what the clock alone asks of the session is done
    between messages. The times contain one reading of the clock.
    """
    messages = MESSAGES // (100 if session.smoke else 1)
    config = {"run": {"deposits": [["USDT", "1000000000"]], "limits": LIMITS, "features": FEATURES}}
    found: list[tuple[int, ...]] = []
    for _ in range(session.repeats):
        folder = session.scratch / "event_to_order"
        shutil.rmtree(folder, ignore_errors=True)
        to_order, _ = _core.time_event_to_order(
            session.workload.event_file(),
            folder,
            json.dumps(config),
            json.dumps(STRATEGY),
            messages,
        )
        shutil.rmtree(folder)
        found.append(to_order)
    for metric, index in (("p50_ns", 0), ("p99_ns", 1)):
        value = statistics.median(times[index] for times in found)
        yield Measurement("event_to_order", metric, "ns", value)


PROGRAM = """
import json, sys, tempfile, time
import mainspring as ms
from mainspring import _core

def anonymous():
    with open("/proc/self/status") as status:
        fields = dict(line.split(":", 1) for line in status)
    return int(fields["RssAnon"].split()[0]) * 1024

from mainspring.live import PaperVenue, paper
before = anonymous()
with tempfile.TemporaryDirectory() as folder:
    maker = ms.native.TouchMaker(size="0.01", max_position="0.1", every="20ms")
    with paper(maker, folder, venue=PaperVenue(speed=20)) as session:
        session.wait(float(sys.argv[1]))
        after = anonymous()
print(json.dumps([after - before, after]))
"""


def memory(session: Session) -> Iterator[Measurement]:
    """Anonymous memory of a process that runs a session, and what of it the session brought.

    The session's built-in venue and its generated market are in it.
    """
    seconds = 1 if session.smoke else 10
    found: list[Any] = []
    for _ in range(session.repeats):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(seconds)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        found.append(json.loads(done.stdout))
    for metric, index in (("engine_bytes", 0), ("process_bytes", 1)):
        yield Measurement("memory", metric, "bytes", statistics.median(f[index] for f in found))


def snapshot(session: Session) -> Iterator[Measurement]:
    """A whole picture of a running session, read from Python in another thread than the kernel's.

    The kernel writes meanwhile: twenty times as many messages as the market has. The times contain
    one reading of the clock.
    """
    from mainspring import native
    from mainspring.live import PaperVenue, paper

    reads = READS // (100 if session.smoke else 1)
    maker = native.TouchMaker(size="0.01", max_position="0.1", every="20ms")
    found: list[list[int]] = []
    for _ in range(session.repeats):
        folder = session.scratch / "snapshot"
        shutil.rmtree(folder, ignore_errors=True)
        with paper(maker, folder, venue=PaperVenue(speed=20)) as running:
            while running.status().rows == 0:
                running.wait(0.01)
            found.append(sorted(_times(running.status, reads)))
        shutil.rmtree(folder)
    for metric, share in (("p50_ns", 0.5), ("p99_ns", 0.99)):
        value = statistics.median(times[int(share * (reads - 1))] for times in found)
        yield Measurement("snapshot", metric, "ns", value)


def _times(call: Callable[[], object], count: int) -> Iterator[int]:
    for _ in range(count):
        begun = time.perf_counter_ns()
        call()
        yield time.perf_counter_ns() - begun
