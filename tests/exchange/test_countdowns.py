"""The venue's own countdown cancels what a killed process left, wherever there is one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from dialect_side import UNITS, DialectSide
from mainspring.exchange import VenueServer
from sessions_on_dialects import place, wait_until

# What each venue takes at least: OKX ten seconds, Hyperliquid five.
COUNTDOWNS = {"binance_usdm": "2s", "okx": "10s", "okx_spot": "10s", "hyperliquid": "6s"}

SPEED = 0.3
"""How fast the served market goes."""

CHILD = """
import sys
sys.path.insert(0, sys.argv[1])
from dialect_side import DIALECTS, credentials
from mainspring.live import LiveVenue, live
from test_kill_switch import TwoOrders
venue, url, folder, size, countdown = sys.argv[2:]
there = LiveVenue(
    venue, [DIALECTS[venue][1]], url=url, credentials=credentials(venue), countdown=countdown
)
session = live(TwoOrders(size=size), folder, venues=there, size=1.0)
while True:
    session.wait(0.1)
    print(session.status().open_orders, session.halted, session.failures, flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("venue", COUNTDOWNS)
def test_the_venue_clears_what_a_killed_process_left(
    server: VenueServer,
    tmp_path: Path,
    home: Path,
    venue: str,
    awaited: Callable[..., str],
) -> None:
    side = DialectSide(server, venue)
    place(server, venue)  # looked at, so that the child may begin
    size = f"{0.04 / UNITS.get(venue, 1.0):g}"
    words = [sys.executable, "-c", CHILD, str(Path(__file__).parent), venue, server.url]
    child = subprocess.Popen(
        [*words, str(tmp_path / "run"), size, COUNTDOWNS[venue]], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "MAINSPRING_HOME": str(home)},
    )  # fmt: skip
    awaited(child, lambda line: int(line.split()[0]) >= 2 and len(side.open_orders()) >= 2)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert len(side.open_orders()) >= 2, "a killed process cancels nothing"
    wait_until("cancel by the venue", lambda: side.open_orders() == [])
