"""The kill switch reaches every venue, in every dialect, at once.

What a venue's last cancel takes is printed (`pytest -s`): milliseconds here. The bound is loose,
for machines that do other things too.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import mainspring as ms
import pytest
from dialect_side import DIALECTS, UNITS, DialectSide
from mainspring.cli import main
from mainspring.exchange import VenueServer
from mainspring.live import LiveSession, live
from sessions_on_dialects import place, ready, until

SPEED = 0.3
"""How fast the served market goes."""

BOUND_S = 10.0
SIZE = 0.04


class TwoOrders(ms.Strategy, every="50ms"):
    """Two orders that rest, again whenever there are none."""

    size: ms.Qty = "0.04"

    def on_book(self, m):
        if m.bid is None or m.ask is None:
            return
        prices = [price for price, _ in m.bids(20)[-2:]]
        if len(prices) == 2:
            m.quote(bid=tuple((price, self.size) for price in reversed(prices)), ask=())


def killed_after_s(
    session: LiveSession, side: DialectSide, kill: Callable[[], object]
) -> tuple[float, int]:
    """From the call until the venue has no order of ours, and how many it had."""
    ready(session)
    until("orders", lambda: len(side.open_orders()) >= 2, session)
    begun = time.monotonic()
    kill()
    until("cancels of the kill", lambda: side.open_orders() == [], session)
    return time.monotonic() - begun, session.status().orders


@pytest.mark.parametrize("venue", DIALECTS)
def test_a_kill_reaches_every_dialect(server: VenueServer, tmp_path: Path, venue: str) -> None:
    side = DialectSide(server, venue)
    strategy = TwoOrders(size=str(SIZE / UNITS.get(venue, 1.0)))
    with live(strategy, tmp_path / "run", venues=place(server, venue), size=1.0) as session:
        took_s, sent = killed_after_s(session, side, lambda: session.kill("the test"))
        print(f"{venue}: {1e3 * took_s:.1f} ms until the venue listed nothing")
        assert took_s < BOUND_S
        until("the end of all orders", lambda: session.status().open_orders == 0, session)
        # Nothing follows it, though the strategy wants to quote.
        assert session.halted is not None
        rows = session.status().rows
        until("more of the market", lambda: session.status().rows > rows + 20, session)
        assert (session.status().orders, side.open_orders()) == (sent, [])
        session.stop()


@pytest.mark.parametrize("venue", ["binance_usdm"])
@pytest.mark.parametrize("way", ["verb", "file", "signal"])
def test_every_way_to_kill_reaches_the_venue(
    server: VenueServer, tmp_path: Path, venue: str, way: str
) -> None:
    side, folder = DialectSide(server, venue), tmp_path / "run"
    kills: dict[str, Callable[[], object]] = {
        "verb": lambda: main(["kill", str(folder)]),
        "file": lambda: (folder / "KILL").write_text("by hand"),
        "signal": lambda: signal.raise_signal(signal.SIGUSR1),
    }
    strategy = TwoOrders(size=str(SIZE))
    there = place(server, venue)
    with live(strategy, folder, venues=there, size=1.0, signals=way == "signal") as session:
        took_s, _ = killed_after_s(session, side, kills[way])
        assert took_s < BOUND_S
        session.stop()
