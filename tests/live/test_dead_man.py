"""A process that dies leaves nothing where the venue counts down; stale feeds stop quoting."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import mainspring as ms
import pytest
from live_sessions import until, wait_for
from mainspring.exchange import VenueServer
from mainspring.live import Credentials, LiveVenue, live
from venue_side import KEY, SECRET, VenueSide

CREDENTIALS = Credentials(key=KEY, secret=SECRET)


@pytest.fixture
def server() -> Iterator[VenueServer]:
    with VenueServer("binance", markets=("btcusdt",), warm_up_s=10) as server:
        yield server


class Resting(ms.Strategy, every="100ms"):
    """One order far below the market, for as long as the market can be relied on."""

    def on_book(self, m: ms.Market) -> None:
        if m.mid > 0:
            m.quote(bid=((round(m.bid - 2_000, 1), 0.01),), ask=())


CHILD = """
import sys, time
sys.path.insert(0, sys.argv[3])
from mainspring.live import LiveVenue, live
from test_dead_man import CREDENTIALS, Resting
venue = LiveVenue("binance_usdm", ["BTCUSDT"], url=sys.argv[1], credentials=CREDENTIALS,
                  countdown="2s")
session = live(Resting, sys.argv[2], venues=venue, size=1.0)
while True:
    session.wait(0.1)
    print(session.status().open_orders, session.halted, session.failures, flush=True)
"""


def test_the_venue_counts_down_when_the_process_is_gone(
    server: VenueServer,
    tmp_path: Path,
    home: Path,
    awaited: Callable[..., str],
) -> None:
    side = VenueSide(server.url, "binance_usdm")
    venue = LiveVenue("binance_usdm", ["BTCUSDT"], credentials=CREDENTIALS, url=server.url)
    assert venue.check().passed
    words = [sys.executable, "-c", CHILD, server.url, str(tmp_path / "run")]
    child = subprocess.Popen(
        [*words, str(Path(__file__).parent)], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "MAINSPRING_HOME": str(home)},
    )  # fmt: skip
    begun = time.monotonic()
    # It is told to go on waiting for as long as the process lives.
    awaited(child, lambda line: int(line.split()[0]) >= 1 and time.monotonic() - begun > 4)
    assert len(side.open_orders()) == 1
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert len(side.open_orders()) == 1, "a killed process cancels nothing"
    until("cancel by the venue", lambda: side.open_orders() == [], 10.0)


def test_a_stale_feed_stops_quoting_until_it_is_fresh(server: VenueServer, tmp_path: Path) -> None:
    side = VenueSide(server.url, "binance_usdm")
    venue = LiveVenue("binance_usdm", ["BTCUSDT"], credentials=CREDENTIALS, url=server.url)
    assert venue.check().passed
    with live(Resting, tmp_path / "run", venues=venue, size=1.0) as session:
        until("a quote", lambda: len(side.open_orders()) == 1)
        # Every connection for market data is cut as soon as it says something.
        server.set_faults(disconnect=1.0)
        until("the loss", lambda: not session.venues()[0].fresh)
        until("nothing that rests", lambda: side.open_orders() == [])
        server.set_faults(disconnect=0.0)
        until("the feed", lambda: session.venues()[0].fresh)
        wait_for(session, "a quote again", lambda s: s.open_orders == 1)
        session.stop()
