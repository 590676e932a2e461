"""Recordings of market data by ccxt, from Python and from the command line.

The client is the stand-in of `ccxt_recorded`; the real one is recorded on the simulator in
`tests/oracles/test_ccxt_records.py`.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mainspring as ms
import pytest
from live_sessions import until
from mainspring.cli import main
from mainspring.cli.exits import Exit
from mainspring.data import Recorder
from mainspring.errors import ConfigError, InvalidValue
from mainspring.live import CcxtFeed

SYMBOL = "BTC/USDT:USDT"
MARKET = {
    "symbol": SYMBOL, "type": "swap", "base": "BTC", "quote": "USDT", "contractSize": 0.01,
    "contract": True, "linear": True, "inverse": False,
    "precision": {"price": 0.1, "amount": 1.0}, "maker": 0.0002, "taker": 0.0005,
    "limits": {"amount": {"min": 1.0}, "cost": {"min": 5.0}},
}  # fmt: skip
PERIOD_S = 1.0


class Client:
    """A client of ccxt.pro for a perpetual that pays funding every second."""

    id = "somewhere"
    precisionMode = 4  # noqa: N815

    def __init__(self, *, fails_at: int = 0) -> None:
        streams = ("watchOrderBook", "watchTrades", "watchMarkPrice", "watchFundingRate")
        self.has = {**dict.fromkeys(streams, True), "fetchTime": True}
        self.markets = {SYMBOL: MARKET}
        self.sights, self.fails_at, self.closed = 0, fails_at, False
        self.periods: set[float] = set()

    async def load_markets(self, _reload: bool = False) -> dict[str, Any]:
        return self.markets

    async def fetch_time(self) -> int:
        return int(time.time() * 1e3)

    # As ccxt does it: what comes from the venue goes through these two.

    def handle_message(self, _socket: Any, message: dict[str, Any]) -> None:
        self.seen = message

    def on_rest_response(self, *said: Any) -> str:
        return str(said[5]).strip()

    async def fetch_order_book(self, _symbol: str, _depth: int = 0) -> dict[str, Any]:
        body = json.dumps({"asked": self.sights})
        self.on_rest_response(200, "OK", "https://x.test", "GET", {}, body, {}, None)
        return self._book()

    async def watch_order_book(self, _symbol: str) -> dict[str, Any]:
        await asyncio.sleep(0.005)
        self.sights += 1
        if self.sights == self.fails_at:
            raise ConnectionError("the venue went away")
        self.handle_message(None, {"sight": self.sights})
        return self._book()

    def _book(self) -> dict[str, Any]:
        mid = 50_000 + self.sights % 2 / 10
        bids = [[round(mid - 0.1 * n, 1), 5 + n] for n in range(1, 9)]
        asks = [[round(mid + 0.1 * n, 1), 5 + n] for n in range(1, 9)]
        return {"bids": bids, "asks": asks, "timestamp": time.time() * 1e3}

    async def watch_trades(self, _symbol: str) -> list[dict[str, Any]]:
        await asyncio.sleep(0.01)
        one = {"price": 49_999.5, "amount": 3.0, "timestamp": time.time() * 1e3}
        return [{**one, "id": str(self.sights), "side": "sell"}]

    async def watch_mark_price(self, _symbol: str) -> dict[str, Any]:
        await asyncio.sleep(0.05)
        return {"markPrice": 50_000.05, "timestamp": int(time.time() * 1e3)}

    async def watch_funding_rate(self, _symbol: str) -> dict[str, Any]:
        await asyncio.sleep(0.05)
        now = time.time()
        due = (now // PERIOD_S + 1) * PERIOD_S
        self.periods.add(due)
        return {"fundingRate": 0.0001, "fundingTimestamp": int(due * 1e3), "timestamp": now * 1e3}

    async def close(self) -> None:
        self.closed = True


def source(client: Client, **settings: Any) -> CcxtFeed:
    return CcxtFeed("somewhere", [SYMBOL], client=lambda: client, **settings)


def kinds(data: Any) -> set[str]:
    names = {1: "depth", 2: "trade", 6: "mark", 7: "funding"}
    return {names[kind] for kind in map(int, data.read().to_numpy()["kind"]) if kind in names}


def test_what_ccxt_says_is_a_data_set_and_what_it_heard_lies_beside(tmp_path: Path) -> None:
    client = Client()
    with Recorder(source(client), root=tmp_path, name="a/b", raw=True) as recorder:
        until("rows", lambda: recorder.progress.rows > 1_000)
        until("funding", lambda: len(client.periods) > 2)
        assert recorder.progress.fresh
        assert recorder.progress.clock_offset_ns is not None
    recording = recorder.stop()
    assert (recording.gaps, recording.broken, client.closed) == (0, "", True)
    data = ms.data.Catalog(tmp_path).get("a/b")
    assert data.rows == recording.rows
    assert all(report.worst != "error" for report in data.check())
    (one,) = data.instruments
    assert (one.symbol, one.venue, one.kind) == (SYMBOL, "somewhere", "linear_perpetual")
    assert (str(one.tick), str(one.lot), str(one.multiplier)) == ("0.1", "1", "0.01")
    (origin,) = data.provenance
    assert origin["source"] == "somewhere_by_library"
    assert origin["facts"]["by"].startswith("ccxt ")
    assert kinds(data) == {"depth", "trade", "mark", "funding"}
    assert recording.raw is not None
    with gzip.open(recording.raw, "rt") as lines:
        texts = [line.partition(" ") for line in lines]
    assert len(texts) == recording.raw_lines
    heard = [json.loads(text) for _, _, text in texts]
    sights = [one["sight"] for one in heard if "sight" in one]
    assert sights == list(range(sights[0], sights[0] + len(sights))), "each once, in order"
    assert all(int(stamp) > 10**18 for stamp, _, _ in texts)


def test_a_loss_is_a_gap_and_then_a_whole_book(tmp_path: Path) -> None:
    client = Client(fails_at=50)
    with Recorder(source(client), root=tmp_path, name="cut") as recorder:
        until("the loss", lambda: recorder.progress.closed == 1)
        rows = recorder.progress.rows
        recorder.wait(60, rows=rows + 300)
        assert "the venue went away" in recorder.progress.last_closed
    recording = recorder.stop()
    assert recording.gaps == 1
    (report,) = ms.data.Catalog(tmp_path).get("cut").check()
    assert report.worst != "error", report.text


def test_a_backtest_trades_on_what_was_recorded(tmp_path: Path) -> None:
    recorded = ms.data.record(source(Client()), root=tmp_path, name="tape", rows=2_000)
    assert recorded.path is not None
    maker = ms.native.TouchMaker(size="1", max_position="10", every="20ms")
    result = ms.backtest(maker, ms.data.open(recorded.path), cash=100_000)
    assert len(result.fills) > 0


def test_what_cannot_be_recorded_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(why: str, how: Callable[[], Recorder], kind: Any = ConfigError) -> None:
        with pytest.raises(kind, match=why):
            how()

    def of(**settings: Any) -> Callable[[], Recorder]:
        return lambda: Recorder(source(Client()), root=tmp_path, **settings)

    refused("ccxt's client", of(url="ws://127.0.0.1:1"), InvalidValue)
    refused("ccxt's client", of(copies=2), InvalidValue)
    refused("names its symbols", lambda: Recorder(source(Client()), "ETH/USDT"), InvalidValue)
    odd = CcxtFeed("somewhere", ["X/Y"], client=Client)
    refused("knows no X/Y", lambda: Recorder(odd, root=tmp_path))

    class Silent(Client):
        handle_message: Any = None

    refused("leave `raw` out", lambda: Recorder(source(Silent()), root=tmp_path, raw=True))
    monkeypatch.setitem(sys.modules, "ccxt.pro", None)
    refused(r"mainspring\[ccxt\]", lambda: Recorder("ccxt:kraken", "BTC/EUR", root=tmp_path))
    refused("needs a symbol", lambda: Recorder("ccxt:kraken", (), root=tmp_path), InvalidValue)
    assert list(tmp_path.rglob("*.mse")) == []


def test_the_command_line_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pro = SimpleNamespace(somewhere=lambda _config: Client())
    monkeypatch.setitem(sys.modules, "ccxt.pro", pro)
    words = ["data", "record", "--venue", "ccxt:somewhere", "--symbol", SYMBOL, "--json"]
    words += ["--root", str(tmp_path), "--rows", "300", "--seconds", "60"]
    assert main(words) == Exit.OK
    shown = json.loads(capsys.readouterr().out)
    assert shown["rows"] >= 300
    assert shown["name"].startswith("live/somewhere/btcusdt-usdt-")
    assert main([*words, "--test"]) == Exit.USAGE
