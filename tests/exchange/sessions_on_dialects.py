"""What tests of live sessions on the dialects share."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from dialect_side import DIALECTS, DialectSide, credentials
from mainspring.exchange import Limits, VenueServer
from mainspring.live import LiveSession, LiveVenue

# Tests look at the venue more often than it lets people.
PATIENT = Limits(spot_weight=10**6, usdm_weight=10**6, spot_orders=10**4, usdm_orders=10**4)

# Every dialect's lot of the market, in the base currency.
LOT = 0.001


def serve(venue: str, **settings: Any) -> VenueServer:
    """The dialect of a venue."""
    dialect = DIALECTS[venue][0]
    return VenueServer(dialect, markets=("btcusdt",), warm_up_s=30, limits=PATIENT, **settings)


def place(server: VenueServer, venue: str, **settings: Any) -> LiveVenue:
    """The dialect as a venue that was looked at."""
    symbols = [DIALECTS[venue][1]]
    there = LiveVenue(venue, symbols, credentials=credentials(venue), url=server.url, **settings)
    check = there.check()
    assert check.passed, check
    return there


def until(what: str, check: Callable[[], bool], session: LiveSession, seconds: float = 60) -> None:
    """Waits; what did not come is told with what the session went through."""
    begun = time.monotonic()
    while not check():
        notes = list(session.venues()[0].notes)[-10:] if session.venues() else []
        story = (session.status(), session.entries, notes)
        assert time.monotonic() - begun < seconds, f"no {what}: {story}"
        assert not session.has_ended, f"no {what}: ended, {session.entries}"
        time.sleep(0.02)


def wait_until(what: str, check: Callable[[], bool], seconds: float = 60) -> None:
    """As `until`, where the session is another process's."""
    begun = time.monotonic()
    while not check():
        assert time.monotonic() - begun < seconds, f"no {what}"
        time.sleep(0.02)


def ready(session: LiveSession) -> None:
    """Waits until the venue is there and its book is whole."""
    until("market", lambda: session.venues()[0].up and session.venues()[0].fresh, session)


def same_position(session: LiveSession, side: DialectSide) -> bool:
    """Whether session and venue hold the same."""
    lots = int(session.status().markets[0]["position_lots"])
    return abs(side.position() - lots * LOT) < 1e-6
