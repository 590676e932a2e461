"""Market data by ccxt: what a client of it says becomes books and trades of a paper session.

The client here is a stand-in with ccxt's interface, so that these tests need no ccxt; the real one
reads the simulator in `tests/oracles/test_ccxt_feed_on_the_venue.py`.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

import mainspring as ms
import pytest
from live_sessions import until, wait_for
from mainspring.cli import main
from mainspring.cli.exits import Exit
from mainspring.errors import ConfigError
from mainspring.live import CcxtFeed, LiveSession, paper, parity
from mainspring.live.ccxt_books import Newest, changed, counted, on_grid
from mainspring.live.ccxt_instruments import instrument_of

MARKET = {
    "symbol": "BTC/EUR", "type": "spot", "base": "BTC", "quote": "EUR", "contractSize": None,
    "precision": {"price": 0.1, "amount": 0.0001}, "maker": 0.001, "taker": 0.002,
    "limits": {"amount": {"min": 0.00025}, "cost": {"min": 5.0}},
}  # fmt: skip


class Client:
    """A client of ccxt.pro whose market moves a tick up and down."""

    precisionMode = 4  # noqa: N815

    def __init__(self, *, streams: bool = True, fails_at: int = 0) -> None:
        self.markets = {"BTC/EUR": MARKET}
        self.has = {"watchOrderBook": streams, "watchTrades": streams}
        self.sights = self.trades = 0
        self.fails_at, self.closed = fails_at, False

    async def load_markets(self, _reload: bool = False) -> dict[str, Any]:
        return self.markets

    async def watch_order_book(self, symbol: str) -> dict[str, Any]:
        await asyncio.sleep(0.005)
        return await self.fetch_order_book(symbol)

    async def fetch_order_book(self, _symbol: str, _depth: int = 0) -> dict[str, Any]:
        self.sights += 1
        if self.sights == self.fails_at:
            raise ConnectionError("the venue went away")
        mid = 50_000 + self.sights % 2 / 10
        bids = [[round(mid - 0.1 * n, 1), 0.5 + n] for n in range(1, 9)]
        asks = [[round(mid + 0.1 * n, 1), 0.5 + n] for n in range(1, 9)]
        return {"bids": bids, "asks": asks, "timestamp": time.time() * 1e3}

    async def watch_trades(self, symbol: str) -> list[dict[str, Any]]:
        await asyncio.sleep(0.01)
        return await self.fetch_trades(symbol)

    async def fetch_trades(self, _symbol: str) -> list[dict[str, Any]]:
        self.trades += 1
        one = {"price": 49_999.5, "amount": 3.0, "timestamp": time.time() * 1e3}
        named = [{**one, "id": str(self.trades - n), "side": "sell"} for n in (1, 0)]
        return [*named, {**one, "id": f"x{self.trades}", "side": None}]

    async def close(self) -> None:
        self.closed = True


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "run"


def start(folder: Path, client: Client, **settings: Any) -> LiveSession:
    feed = CcxtFeed("somewhere", ["BTC/EUR"], client=lambda: client, depth=5, **settings)
    maker = ms.native.TouchMaker(size="0.01", max_position="0.1", every="20ms")
    return paper(maker, folder, venue=feed)


@pytest.mark.parametrize("streams", [True, False])
def test_a_strategy_trades_on_paper_on_what_ccxt_says(folder: Path, streams: bool) -> None:
    client = Client(streams=streams)
    with start(folder, client, poll="20ms") as session:
        wait_for(session, "fills", lambda s: s.fills >= 2)
        (venue,) = session.venues()
        assert (venue.venue, venue.up, venue.fresh) == ("somewhere", True, True)
        assert any("slower" in note["text"] for note in venue.notes), "that it is slow is said"
        outcome = session.stop()
    assert (outcome.broken, client.closed) == (None, True)
    found = parity(folder)
    assert found.same, found
    (market,) = outcome.status.markets
    assert (market["symbol"], market["venue"]) == ("BTC/EUR", "somewhere")
    kinds = kinds_of(folder)
    # Five levels a side at first, then changes; trades without a taker are left out.
    assert kinds["depth"] > 10
    assert kinds["trade"] >= 2
    assert kinds["trade"] <= client.trades + 1, "repeated trades are told once"


def kinds_of(folder: Path) -> dict[str, int]:
    counts: dict[str, int] = {}
    for record in ms.journal.open(folder).records(types=["market"]):
        for row in record.fields["rows"]:
            counts[row["kind"]] = counts.get(row["kind"], 0) + 1
    return counts


def test_a_venue_that_goes_away_is_a_gap_until_its_book_is_whole_again(folder: Path) -> None:
    client = Client(fails_at=50)
    with start(folder, client) as session:
        until("the loss", lambda: session.venues()[0].closed == 1)
        until("the return", lambda: session.venues()[0].up)
        before = session.status().rows
        wait_for(session, "more rows", lambda s: s.rows > before + 20)
        (venue,) = session.venues()
        assert "the venue went away" in venue.last_closed
        session.stop()
    assert kinds_of(folder)["gap"] == 1
    assert parity(folder).same


def test_one_symbol_that_fails_is_a_gap_of_its_own(folder: Path) -> None:
    client = Client()
    client.markets["ETH/EUR"] = {**MARKET, "symbol": "ETH/EUR", "base": "ETH"}
    sees, breaks = client.watch_order_book, asyncio.Event()
    returned: list[str] = []

    async def watched(symbol: str) -> dict[str, Any]:
        if symbol == "ETH/EUR" and breaks.is_set():
            breaks.clear()
            returned.append("from here on")
            raise ValueError("nobody understands this message")
        if returned:
            returned.append(symbol)
        return await sees(symbol)

    client.watch_order_book = watched  # type: ignore[method-assign]
    feed = CcxtFeed("somewhere", ["BTC/EUR", "ETH/EUR"], client=lambda: client)
    with paper(ms.native.Noop(), folder, venue=feed) as session:
        until("both", lambda: session.venues()[0].fresh)
        wait_for(session, "rows", lambda s: s.rows > 200)
        breaks.set()

        def told() -> bool:
            return any("nobody understands" in n["text"] for n in session.venues()[0].notes)

        until("the reason", told)
        until("the return", lambda: returned.count("ETH/EUR") > 20)
        before = session.status().rows
        wait_for(session, "more rows", lambda s: s.rows > before + 200)
        assert session.venues()[0].closed == 0, "the other one is not lost"
        session.stop()
    rows = [
        (record.fields["instrument"], row["kind"])
        for record in ms.journal.open(folder).records(types=["market"])
        for row in record.fields["rows"]
    ]
    gaps = [at for at, (_, kind) in enumerate(rows) if kind == "gap"]
    assert [rows[at][0] for at in gaps] == [1]
    after = [row for row in rows[gaps[0] + 1 :] if row[0] == 1 and row[1] != "trade"]
    assert after[0][1] == "clear", "the book begins anew"
    assert parity(folder).same


def test_prices_off_the_grid_are_not_taken(folder: Path) -> None:
    client = Client()

    async def between(_symbol: str) -> dict[str, Any]:
        await asyncio.sleep(0.005)
        return {"bids": [[49_999.95, 1.0]], "asks": [[50_000.0, 1.0]], "timestamp": None}

    client.watch_order_book = between  # type: ignore[method-assign, assignment]
    with start(folder, client) as session:
        until("the reason", lambda: "not on the grid" in session.venues()[0].last_closed)
        assert session.stop().status.markets[0]["bid_ticks"] is None
    assert not {"depth", "clear"} & kinds_of(folder).keys()


def test_a_feed_that_cannot_be_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    maker = ms.native.Noop()
    with pytest.raises(ConfigError, match="no ETH/EUR"):
        paper(maker, folder, venue=CcxtFeed("somewhere", ["ETH/EUR"], client=Client))
    with pytest.raises(ConfigError, match="name the symbols"):
        paper(maker, folder, venue=CcxtFeed("somewhere", [], client=Client))
    monkeypatch.setitem(sys.modules, "ccxt.pro", None)
    with pytest.raises(ConfigError, match=r"mainspring\[ccxt\]"):
        paper(maker, folder, venue=CcxtFeed("kraken", ["BTC/EUR"]))
    words = ["--venue", "ccxt:kraken", "--symbol", "BTC/EUR", "--out", str(folder)]
    assert main(["paper", *words, "--seconds", "1"]) == Exit.CONFIG
    assert "slower" in capsys.readouterr().err


def test_markets_become_instruments() -> None:
    spot = instrument_of("somewhere", MARKET, 4)
    assert (str(spot.tick), str(spot.lot), str(spot.min_qty)) == ("0.1", "0.0001", "0.0003")
    assert (str(spot.min_notional), str(spot.taker_fee)) == ("5", "0.002")
    places = {**MARKET, "precision": {"price": 1, "amount": 4}}
    assert instrument_of("somewhere", places, 2).tick == spot.tick
    swap = {**MARKET, "type": "swap", "inverse": True, "contractSize": 100}
    assert instrument_of("somewhere", swap, 4).kind == "inverse_perpetual"
    with pytest.raises(ConfigError, match="options"):
        instrument_of("somewhere", {**MARKET, "type": "option"}, 4)
    with pytest.raises(ConfigError, match="no fixed grid"):
        instrument_of("somewhere", MARKET, 3)


def test_books_are_told_by_their_changes() -> None:
    assert changed({1: 5, 2: 6}, {2: 7, 3: 8}) == [(1, 0), (2, 7), (3, 8)]
    assert counted([[10.0, 0.25], [9.9, 0.05], [9.8, 1.0]], (0.1, 0.1), 2) == {100: 2}
    with pytest.raises(ValueError, match="grid"):
        on_grid(1.05, 0.1)
    newest = Newest(remembered=2)
    assert len(newest.new([{"id": "a"}, {"id": "b"}, {"id": "a"}])) == 2
    assert newest.new([{"id": "b"}]) == []
