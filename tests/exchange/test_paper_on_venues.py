"""Paper sessions on a venue's own market data: real prices, no key, and no order that leaves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import mainspring as ms
import pytest
from dialect_side import DIALECTS, UNITS, DialectSide
from mainspring.cli import main
from mainspring.errors import ConfigError, InvalidValue
from mainspring.exchange import Faults, VenueServer
from mainspring.live import LiveSession, VenueFeed, paper, parity, verify
from sessions_on_dialects import ready, until
from watching import SEEN, Watcher, gaps, is_the_venues

USUAL = ("binance", "okx", "hyperliquid", "dydx")


def venues() -> Iterator[object]:
    for venue in DIALECTS:
        yield pytest.param(venue, marks=() if venue in USUAL else (pytest.mark.slow,))


def feed_of(server: VenueServer, venue: str) -> VenueFeed:
    return VenueFeed(venue, [DIALECTS[venue][1]], url=server.url)


def maker(venue: str) -> ms.native.TouchMaker:
    size, most = (f"{qty / UNITS.get(venue, 1.0):g}" for qty in (0.02, 0.2))
    return ms.native.TouchMaker(size=size, max_position=most, every="50ms")


@pytest.mark.parametrize("venue", list(venues()))
def test_orders_fill_by_the_models_and_stay_here(
    server: VenueServer, tmp_path: Path, venue: str
) -> None:
    side = DialectSide(server, venue)
    with paper(maker(venue), tmp_path / "run", venue=feed_of(server, venue)) as session:
        ready(session)
        until("a fill", lambda: session.status().fills >= 1, session)
        assert side.open_orders() == []
        # A halt cancels at the models, and asks nothing of the venue either.
        session.kill("the test compares")
        until("end of orders", lambda: session.status().open_orders == 0, session)
        assert [n for n in session.venues()[0].notes if n["level"] == "error"] == []
        outcome = session.stop()
    assert outcome.broken is None
    assert abs(side.position()) < 1e-9
    found = parity(tmp_path / "run")
    assert found.same, found
    assert found.fills == outcome.status.totals["fills"]
    assert verify(tmp_path / "run").different == 0


@pytest.mark.parametrize("venue", ["binance_usdm"])
def test_a_lost_feed_is_a_gap_and_comes_back(
    server: VenueServer, tmp_path: Path, venue: str
) -> None:
    side, folder = DialectSide(server, venue), tmp_path / "run"
    with paper(Watcher, folder, venue=feed_of(server, venue)) as session:
        ready(session)
        until("the same book", lambda: is_the_venues(side), session)
        server.set_faults(disconnect=1.0)
        until("lost connections", lambda: session.venues()[0].closed >= 2, session)
        server.set_faults(Faults())
        until("a gap", lambda: gaps(folder) >= 1, session)
        ready(session)
        SEEN.clear()
        until("the same book", lambda: is_the_venues(side), session)
        session.stop()
    assert parity(folder).same


@pytest.mark.parametrize("venue", ["okx"])
def test_a_second_start_goes_on_without_asking_the_venue(
    server: VenueServer, tmp_path: Path, venue: str
) -> None:
    def resting(session: LiveSession) -> bool:
        return session.status().open_orders >= 1

    folder = tmp_path / "run"
    with paper(maker(venue), folder, venue=feed_of(server, venue)) as session:
        until("an order", lambda: resting(session), session)
        session.stop(cancel=False)
    with paper(maker(venue), folder, venue=feed_of(server, venue)) as session:
        assert session.resumed
        until("an order", lambda: resting(session), session)
        session.kill("an order that was there before, too")
        until("end of orders", lambda: session.status().open_orders == 0, session)
        session.stop()
    assert parity(folder).same


@pytest.mark.parametrize("venue", ["binance"])
def test_the_verb_trades_on_a_venues_data_on_paper(
    server: VenueServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], venue: str
) -> None:
    out = str(tmp_path / "run")
    words = ["--venue", venue, "--symbol", "BTCUSDT", "--url", server.url, "--out", out]
    assert main(["paper", *words, "--seconds", "2", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["broken"] is None
    assert told["status"]["markets"][0]["venue"] == venue
    assert main(["parity", out]) == 0


def test_what_cannot_be_is_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match="no venue 'nowhere'"):
        paper(Watcher, tmp_path / "a", venue=VenueFeed("nowhere", ["BTCUSDT"]))
    with pytest.raises(ConfigError, match="name the symbols"):
        paper(Watcher, tmp_path / "b", venue=VenueFeed("binance", []))
    nobody = VenueFeed("binance", ["BTCUSDT"], url="http://127.0.0.1:9")
    with pytest.raises(ConfigError, match="cannot be reached"):
        paper(Watcher, tmp_path / "c", venue=nobody)
    assert main(["paper", "--symbol", "BTCUSDT", "--seconds", "1"]) == 2
