"""Several connections to one stream, on every dialect whose messages tell copies."""

from __future__ import annotations

from pathlib import Path

import mainspring as ms
import pytest
from dialect_side import DIALECTS, DialectSide
from mainspring.errors import ConfigError
from mainspring.exchange import VenueServer
from mainspring.live import Keep, live
from sessions_on_dialects import place, ready, until
from watching import Watcher, gaps, is_the_venues

SPEED = 0.3
"""How fast the served market goes."""

NUMBERED = ("binance", "binance_usdm", "okx", "bybit", "hyperliquid")


@pytest.mark.parametrize("venue", NUMBERED)
def test_the_first_copy_of_a_message_counts(
    server: VenueServer, tmp_path: Path, venue: str
) -> None:
    side = DialectSide(server, venue)
    there, keep = place(server, venue), Keep(copies=2)
    with live(Watcher, tmp_path / "run", venues=there, size=1.0, keep=keep) as session:
        ready(session)
        until("copies", lambda: session.venues()[0].copies_dropped > 20, session)
        until("the same book", lambda: is_the_venues(side), session)
        (shown,) = session.venues()
        session.stop()
    assert [note for note in shown.notes if note["level"] != "info"] == []
    assert gaps(tmp_path / "run") == 0


@pytest.mark.slow
@pytest.mark.parametrize("venue", NUMBERED)
def test_a_connection_that_is_lost_is_not_missed(
    server: VenueServer, tmp_path: Path, venue: str
) -> None:
    side = DialectSide(server, venue)
    there, keep = place(server, venue), Keep(copies=3)
    with live(Watcher, tmp_path / "run", venues=there, size=1.0, keep=keep) as session:
        ready(session)
        until("the same book", lambda: is_the_venues(side), session)
        # Of three connections that each last for a while one stands nearly always.
        server.set_faults(disconnect=0.02)
        until("lost connections", lambda: session.venues()[0].closed >= 6, session)
        server.set_faults(disconnect=0.0)
        ready(session)
        until("the same book", lambda: is_the_venues(side), session)
        session.stop()


@pytest.mark.parametrize("venue", ["dydx"])
def test_a_venue_that_counts_by_connection_has_no_copies(
    server: VenueServer, tmp_path: Path, venue: str
) -> None:
    there = place(server, venue)
    with pytest.raises(ConfigError, match="by connection"):
        live(Watcher, tmp_path / "run", venues=there, size=1.0, keep=Keep(copies=2))
    with pytest.raises(ConfigError, match="by connection"):
        ms.data.record(venue, DIALECTS[venue][1], url=server.url, copies=2, root=tmp_path)
