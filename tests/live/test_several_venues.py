"""Several venues in one session, each a simulator of its own over sockets."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import mainspring as ms
import pytest
from gate import Gate
from live_sessions import until, wait_for
from mainspring.errors import ConfigError
from mainspring.exchange import VenueServer
from mainspring.live import Credentials, Hedge, LiveSession, LiveVenue, live, verify
from venue_side import KEY, SECRET, VenueSide

CREDENTIALS = Credentials(key=KEY, secret=SECRET)


@pytest.fixture
def deep() -> Iterator[VenueServer]:
    with VenueServer("binance", markets=("btcusdt",), warm_up_s=10) as server:
        yield server


@pytest.fixture
def thin() -> Iterator[VenueServer]:
    with VenueServer("bybit", markets=("btcusdt",), warm_up_s=10, seed=2) as server:
        yield server


def both(deep: VenueServer, thin: VenueServer | Gate, **settings: object) -> list[LiveVenue]:
    places = [
        LiveVenue("binance_usdm", ["BTCUSDT"], credentials=CREDENTIALS, url=deep.url),
        LiveVenue("bybit", ["BTCUSDT"], credentials=CREDENTIALS, url=thin.url, **settings),  # type: ignore[arg-type]
    ]
    for place in places:
        check = place.check()
        assert check.passed, check.problems
    return places


class Hedged(ms.Strategy, every="100ms"):
    """Quotes the thin venue around the deep one's mid; the position over both is kept small."""

    size: ms.Qty = ms.Qty("0.01")
    max_net: ms.Qty = ms.Qty("0.01")
    free_ns: int = 0

    def on_book(self, m: ms.Market) -> None:
        deep, thin = m["binance_usdm:BTCUSDT"], m["bybit:BTCUSDT"]
        if not (deep.mid > 0 and thin.mid > 0):
            return
        thin.quote(bid=((thin.bid, self.size),), ask=((thin.ask, self.size),))
        net = deep.position + thin.position
        if abs(net) >= self.max_net and m.time_ns >= self.free_ns:
            (deep.sell if net > 0 else deep.buy)(abs(net))
            self.free_ns = m.time_ns + 500_000_000


def held(session: LiveSession) -> list[int]:
    return [int(market["position_lots"]) for market in session.status().markets]


def test_a_maker_on_one_venue_hedges_on_the_other(
    deep: VenueServer, thin: VenueServer, tmp_path: Path
) -> None:
    side = VenueSide(deep.url, "binance_usdm")
    with live(Hedged, tmp_path / "run", venues=both(deep, thin), size=1.0) as session:
        wait_for(session, "fills on both", lambda s: all(m["position_lots"] for m in s.markets))
        names = [(market["venue"], market["symbol"]) for market in session.status().markets]
        assert names == [("binance_usdm", "BTCUSDT"), ("bybit", "BTCUSDT")]
        assert [venue.up for venue in session.venues()] == [True, True]
        session.kill("the test compares")
        wait_for(session, "end of orders", lambda s: s.open_orders == 0)
        until("one position", lambda: abs(side.position() * 1_000 - held(session)[0]) < 0.5)
        session.stop()
    again = verify(tmp_path / "run", Hedged())
    assert (again.same > 0, again.different) == (True, 0), again


HELD = 20
"""Lots that are held at the venue that is lost."""


class Holder(ms.Strategy, every="100ms"):
    """Holds a position on the venue that will be lost."""

    def on_book(self, m: ms.Market) -> None:
        thin = m["bybit:BTCUSDT"]
        if thin.mid > 0:
            thin.target_position(HELD / 1_000)


def test_a_lost_venue_is_hedged_on_another_until_it_is_back(
    deep: VenueServer, thin: VenueServer, tmp_path: Path
) -> None:
    side = VenueSide(deep.url, "binance_usdm")
    hedge = Hedge(on={"BTCUSDT": "binance_usdm:BTCUSDT"}, after="1s")
    with Gate(thin.port) as gate:
        places = both(deep, gate, on_disconnect=hedge)
        with live(Holder, tmp_path / "run", venues=places, size=0.5) as session:
            wait_for(session, "a position", lambda s: s.markets[1]["position_lots"] == HELD // 2)
            gate.shut()
            until("the loss", lambda: not session.venues()[1].up)
            wait_for(session, "the hedge", lambda s: s.markets[0]["position_lots"] == -HELD // 2)
            until("the hedge there", lambda: abs(side.position() * 1_000 + HELD // 2) < 0.5)
            assert held(session) == [-HELD // 2, HELD // 2]
            gate.open()
            wait_for(session, "its end", lambda s: s.markets[0]["position_lots"] == 0)
            assert session.venues()[1].up
            assert held(session)[1] == HELD // 2, "what it was for is held still"
            session.stop()
    orders = list(ms.journal.open(tmp_path / "run").records(types=["new_order"]))
    hedges = [one for one in orders if one.fields["strategy"] == 1]
    assert len(hedges) >= 2, "there and back, in the journal as a strategy's"
    again = verify(tmp_path / "run", Holder())
    assert again.different == 0, again


def test_hedges_that_cannot_be_are_refused(deep: VenueServer, tmp_path: Path) -> None:
    def start(hedge: Hedge) -> None:
        place = LiveVenue(
            "binance_usdm", ["BTCUSDT"], credentials=CREDENTIALS, url=deep.url, on_disconnect=hedge
        )
        assert place.check().passed
        live(Holder, tmp_path / "run", venues=place, size=1.0)

    with pytest.raises(ConfigError, match="ETHUSDT"):
        start(Hedge(on={"ETHUSDT": "bybit:ETHUSDT"}))
    with pytest.raises(ConfigError, match="not traded here"):
        start(Hedge(on={"BTCUSDT": "bybit:BTCUSDT"}))


def test_two_venues_from_the_command_line(
    deep: VenueServer, thin: VenueServer, tmp_path: Path, home: Path
) -> None:
    environ = {**os.environ, "MAINSPRING_HOME": str(home)}
    for name in ("BINANCE", "BYBIT"):
        environ |= {f"MAINSPRING_{name}_KEY": KEY, f"MAINSPRING_{name}_SECRET": SECRET}
    both(deep, thin)
    words = [
        sys.executable, "-m", "mainspring", "live", "native:TouchMaker",
        "--venue", "binance_usdm", "--venue", "bybit", "--symbol", "binance_usdm:BTCUSDT",
        "--symbol", "bybit:BTCUSDT", "--url", f"binance_usdm={deep.url}",
        "--url", f"bybit={thin.url}", "--size", "0.5", "--out", str(tmp_path / "run"),
        "--seconds", "4", "--json", "-e", 'parameters.size="0.02"',
        "-e", 'parameters.max_position="0.2"',
    ]  # fmt: skip
    done = subprocess.run(words, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert '"broken": null' in done.stdout, done.stdout
    assert '"venue": "bybit"' in done.stdout
    lost = subprocess.run(
        [*words, "--symbol", "BTCUSDT"], env=environ, capture_output=True, text=True, check=False
    )
    assert lost.returncode != 0
    assert "binance_usdm:SYMBOL" in lost.stdout + lost.stderr
