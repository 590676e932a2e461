"""A long session on two products of the simulator while things go wrong there.

The simulator runs in a process of its own, so that what is measured of this one is the session.
Every few seconds a fault of a seeded choice begins and ends. Now and then the session is halted:
then ours has to be the venue's, order by order and lot by lot, by a client that has nothing to do
with sessions. Run it by `make soak`, or `python tests/live/soak.py --minutes 60`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import mainspring as ms
from mainspring.live import Credentials, Keep, LiveSession, LiveVenue, live, verify
from venue_side import KEY, SECRET, VenueSide

PRODUCTS = ("binance", "binance_usdm")

FAULTS: tuple[dict[str, Any], ...] = (
    {"disconnect": 0.01},
    {"gap": 0.02},
    {"duplicate": 0.05},
    {"reorder": 0.02},
    {"too_many_requests": 0.1},
    {"server_error": 0.1},
    {"unknown_outcome": 0.1},
    {"partial_fill": 0.5},
    {"latency_ms": 40.0, "latency_log_sd": 0.5},
    {"clock_skew_ms": 700},
    {"maintenance": True},
    {"gap": 0.01, "duplicate": 0.01, "disconnect": 0.005, "unknown_outcome": 0.05},
)
"""What goes wrong, one at a time; a ban is left out because it does nothing for two minutes."""

FAULT_S, REST_S = 6.0, 8.0
"""A fault lasts so long, and then all is well for so long."""


@dataclass
class Report:
    """What a soak found.

    Attributes:
        minutes: How long it ran.
        compared: How often both sides were compared.
        mismatches: What differed, in words.
        faults: How often each fault was injected.
        memory_mib: Memory of the session: minute and MiB.
        venue_memory_mib: That of the simulator.
        orders: Orders sent.
        fills: Fills booked.
        connections_lost: Connections that ended.
        found: What the journal has of reconciliations and anomalies, by name.
        replayed: Records whose decisions came out the same when the journal was run again.
        replay_differences: Those that did not.
        outcome: Why the session broke off; None when it ended in order.
    """

    minutes: float = 0.0
    compared: int = 0
    mismatches: list[str] = field(default_factory=list)
    faults: dict[str, int] = field(default_factory=dict)
    memory_mib: list[tuple[float, float]] = field(default_factory=list)
    venue_memory_mib: list[tuple[float, float]] = field(default_factory=list)
    orders: int = 0
    fills: int = 0
    connections_lost: int = 0
    found: dict[str, int] = field(default_factory=dict)
    replayed: int = 0
    replay_differences: int = 0
    outcome: str | None = None

    def growth_mib(self) -> float:
        """Memory of the session at the end, over that after the first tenth of the time."""
        begun = [mib for minute, mib in self.memory_mib if minute <= self.minutes / 10]
        return self.memory_mib[-1][1] - (begun or [self.memory_mib[0][1]])[-1]


@contextlib.contextmanager
def venue() -> Iterator[tuple[int, int]]:
    """A simulator in a process of its own: its port, and its process."""
    command = [sys.executable, "-m", "mainspring", "venue", "serve", "--port", "0", "--json"]
    child = subprocess.Popen(
        [*command, "--market", "btcusdt"], stdout=subprocess.PIPE, text=True, bufsize=1
    )
    assert child.stdout is not None
    told = ""
    while "rest" not in told or "}" not in told:
        line = child.stdout.readline()
        if not line:
            raise RuntimeError("the simulator did not start")
        told += line
    port = int(json.loads(told)["rest"].rpartition(":")[2])
    try:
        yield port, child.pid
    finally:
        child.terminate()
        child.wait(timeout=10)


def set_faults(port: int, faults: dict[str, Any]) -> None:
    """All faults of the simulator; those not named are over."""
    body = json.dumps(faults).encode()
    address = f"http://127.0.0.1:{port}/simulator/faults"
    urllib.request.urlopen(address, data=body, timeout=10).close()


def own_mib(process: int) -> float:
    """Memory of a process that is its own: mapped files, such as the journal, are not (Linux)."""
    told = Path(f"/proc/{process}/status").read_text()
    return round(int(told.partition("RssAnon:")[2].split()[0]) / 1024, 2)


def until(check: Callable[[], bool], seconds: float, every: float = 0.05) -> bool:
    """Whether something becomes true within so long."""
    end = time.monotonic() + seconds
    while not check():
        if time.monotonic() > end:
            return False
        time.sleep(every)
    return True


class Ledger:
    """The position at the venue by its own list of our trades, which it names one by one."""

    def __init__(self, side: VenueSide) -> None:
        self.side = side
        self.next_id, self.lots = 0, 0
        self.path = "myTrades" if side.path == "/api/v3" else "userTrades"

    def position_lots(self) -> int:
        while True:
            path = f"{self.side.path}/{self.path}"
            trades = self.side.ask("GET", path, symbol="BTCUSDT", fromId=self.next_id, limit=1000)
            for one in trades:
                bought = one.get("isBuyer", one.get("buyer"))
                lots = round(float(one["qty"]) * LOTS)
                self.lots += lots if bought else -lots
                self.next_id = max(self.next_id, int(one["id"]) + 1)
            if len(trades) < 1_000:
                return self.lots


def _add(counts: dict[str, int], what: str) -> None:
    counts[what] = counts.get(what, 0) + 1


LOTS = 1_000
"""Lots in a coin, for both."""


class Soak:
    """One run: faults in turn, comparisons between them, and what came of it."""

    def __init__(self, port: int, folder: Path, seed: int) -> None:
        self.port, self.folder = port, folder
        self.draw = random.Random(seed)
        self.report = Report()
        url = f"http://127.0.0.1:{port}"
        self.sides = [VenueSide(url, product) for product in PRODUCTS]
        self.ledgers = [Ledger(side) for side in self.sides]
        credentials = Credentials(key=KEY, secret=SECRET)
        self.places = [
            LiveVenue(product, ["BTCUSDT"], credentials=credentials, url=url)
            for product in PRODUCTS
        ]

    def run(self, minutes: float, process: int) -> Report:
        for place in self.places:
            check = place.check()
            assert check.passed, check.problems
        maker = ms.native.TouchMaker(size="0.01", max_position="0.1", every="200ms")
        orders = {"patience": {"reconcile_ns": 5_000_000_000}}
        keep = Keep(segment_mib=8, snapshot="20s")
        begun = time.monotonic()
        with live(
            maker, self.folder, venues=self.places, size=1.0, keep=keep, orders=orders
        ) as session:
            until(lambda: session.status().orders > 3, 20)
            next_look = 0.0
            while (passed := (time.monotonic() - begun) / 60) < minutes and not session.has_ended:
                self._one_fault(session)
                if passed >= next_look:
                    next_look = passed + max(0.25, minutes / 120)
                    self._compare(session)
                    self._measure((time.monotonic() - begun) / 60, process)
            self._compare(session)
            self._measure((time.monotonic() - begun) / 60, process)
            self._count(session)
            self.report.outcome = session.stop().broken
        self.report.minutes = round((time.monotonic() - begun) / 60, 2)
        self._look_back()
        return self.report

    def _one_fault(self, session: LiveSession) -> None:
        fault = self.draw.choice(FAULTS)
        _add(self.report.faults, "+".join(fault))
        set_faults(self.port, fault)
        session.wait(FAULT_S)
        set_faults(self.port, {})
        session.wait(REST_S)

    def _compare(self, session: LiveSession) -> None:
        """Halts trading, and compares both sides once nothing moves any more."""
        session.kill("the soak compares")
        if not until(lambda: session.status().open_orders == 0, 60):
            self._differs(f"orders are open for a minute after a halt: {session.status()}")
        # Rarely: the budget of requests is the session's too.
        if not until(lambda: not self._differences(session), 30, every=1.5):
            for what in self._differences(session):
                self._differs(what)
        self.report.compared += 1
        session.rearm("the soak has compared")
        before = session.status().orders
        if not until(lambda: session.status().orders > before, 60):
            self._differs(f"no orders for a minute after a halt: {session.venues()}")

    def _differences(self, session: LiveSession) -> list[str]:
        try:
            return self._differences_now(session)
        except urllib.error.HTTPError as error:
            return [f"the venue could not be asked: {error}"]

    def _differences_now(self, session: LiveSession) -> list[str]:
        found = []
        for market, side, ledger in zip(
            session.status().markets, self.sides, self.ledgers, strict=True
        ):
            ours, theirs = market["position_lots"], ledger.position_lots()
            if ours != theirs:
                found.append(f"{side.path}: position {ours} here, {theirs} there")
            if side.path == "/fapi/v1" and abs(side.position() * LOTS - ours) > 0.5:
                found.append(f"{side.path}: position {ours} here, {side.position()} in its books")
            found += [f"{side.path}: open there: {one['orderId']}" for one in side.open_orders()]
        return found

    def _differs(self, what: str) -> None:
        self.report.mismatches.append(what)
        print("MISMATCH", what, flush=True)

    def _measure(self, minute: float, process: int) -> None:
        minute = round(minute, 2)
        self.report.memory_mib.append((minute, own_mib(os.getpid())))
        self.report.venue_memory_mib.append((minute, own_mib(process)))
        print(json.dumps({"minute": minute, "mib": self.report.memory_mib[-1][1],
                          "venue_mib": self.report.venue_memory_mib[-1][1],
                          "mismatches": len(self.report.mismatches),
                          "faults": sum(self.report.faults.values())}), flush=True)  # fmt: skip

    def _count(self, session: LiveSession) -> None:
        status = session.status()
        self.report.orders, self.report.fills = status.orders, status.fills
        self.report.connections_lost = sum(one.closed for one in session.venues())

    def _look_back(self) -> None:
        """What the journal has, and whether it comes out the same when it is run again."""
        for record in ms.journal.open(self.folder).records(types=["event"]):
            _add(self.report.found, str(record.fields.get("event")))
        again = verify(self.folder)
        self.report.replayed, self.report.replay_differences = again.same, again.different


def soak(minutes: float, seed: int = 1, folder: Path | None = None) -> Report:
    """Runs for so long and tells what came of it."""
    with contextlib.ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        os.environ["MAINSPRING_HOME"] = str(folder / "home")
        port, process = stack.enter_context(venue())
        return Soak(port, folder / "run", seed).run(minutes, process)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    report = soak(given.minutes, given.seed, given.folder)
    print(json.dumps({**asdict(report), "growth_mib": report.growth_mib()}, indent=1))
    return 1 if report.mismatches or report.replay_differences or report.outcome else 0


if __name__ == "__main__":
    sys.exit(main())
