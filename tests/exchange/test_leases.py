"""What a killed process left is cancelled by the watcher of its lease, at every venue.

`tests/live/test_lease.py` has the lives of a lease on Binance; here is the cancelling itself, which
goes through each venue's own adapter.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from dialect_side import DIALECTS, UNITS, DialectSide
from mainspring.exchange import VenueServer
from sessions_on_dialects import place, wait_until

# Binance is the whole story of another file; one venue of each other protocol in every run.
USUAL = ("okx", "hyperliquid")

SPEED = 0.3
"""How fast the served market goes."""

CHILD = """
import sys
sys.path.insert(0, sys.argv[1])
from dialect_side import DIALECTS, credentials
from mainspring.live import LiveVenue, live
from test_kill_switch import TwoOrders
venue, url, folder, size = sys.argv[2:]
there = LiveVenue(venue, [DIALECTS[venue][1]], url=url, credentials=credentials(venue), countdown=0)
session = live(TwoOrders(size=size), folder, venues=there, size=1.0, lease="2s")
while True:
    session.wait(0.1)
    print(session.status().open_orders, session.halted, session.failures, flush=True)
"""


def venues() -> Iterator[object]:
    for venue in DIALECTS:
        yield pytest.param(venue, marks=() if venue in USUAL else (pytest.mark.slow,))


@pytest.mark.parametrize("venue", list(venues()))
def test_the_lease_clears_what_a_killed_process_left(
    server: VenueServer,
    tmp_path: Path,
    home: Path,
    venue: str,
    awaited: Callable[..., str],
) -> None:
    side, folder = DialectSide(server, venue), tmp_path / "run"
    place(server, venue)  # looked at, so that the child may begin
    words = [sys.executable, "-c", CHILD, str(Path(__file__).parent), venue, server.url]
    size = f"{0.04 / UNITS.get(venue, 1.0):g}"
    child = subprocess.Popen(
        [*words, str(folder), size], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "MAINSPRING_HOME": str(home)},
    )  # fmt: skip
    awaited(child, lambda line: int(line.split()[0]) >= 2 and len(side.open_orders()) >= 2)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert len(side.open_orders()) >= 2, "a killed process cancels nothing"
    wait_until("cancel by the watcher", lambda: side.open_orders() == [])

    def log() -> str:
        return (folder / "lease.log").read_text()

    wait_until("the watcher's end", lambda: "the lease is over: expired" in log())
    assert ", 0 left" in log()
    secret = side.member.secret
    assert secret not in log()
    assert side.open_orders() == []
