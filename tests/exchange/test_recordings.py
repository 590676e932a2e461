"""A recording served by the exchange: its book and trades on every dialect, our sessions inside."""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mainspring as ms
import pytest
from dialect_side import DIALECTS, UNITS, DialectSide, credentials
from mainspring.data.dataset import Dataset, RowKind
from mainspring.errors import DataError, InvalidValue, NotFoundError
from mainspring.exchange import VenueServer
from mainspring.live import LiveVenue, Recording, VenueFeed, live, paper, parity
from sessions_on_dialects import PATIENT, place, ready, same_position, until, wait_until
from watching import DEPTH, SEEN, Watcher

USUAL = ("binance_usdm", "okx", "hyperliquid", "dydx")


def serve(venue: str, data: Dataset, **settings: Any) -> VenueServer:
    return VenueServer(DIALECTS[venue][0], recording=data, limits=PATIENT, **settings)


def get(server: VenueServer, path: str) -> Any:
    with urllib.request.urlopen(server.url + path, timeout=20) as answer:
        return json.load(answer)


class Book:
    """A book as anybody would keep one of a file's rows, in ticks and lots."""

    def __init__(self, data: Dataset) -> None:
        self.sides: dict[int, dict[int, int]] = {1: {}, -1: {}}
        self.trades: list[tuple[int, int]] = []
        self.orders: dict[int, list[int]] = {}
        table = data.read()
        names = ["kind", "side", "price_ticks", "qty_lots"]
        names += ["order_id"] if data.schema == "order" else []
        for row in zip(*(table[name].tolist() for name in names), strict=True):
            self._apply(RowKind(row[0]), *row[1:])

    def _apply(self, kind: RowKind, side: int, price: int, qty: int, order: int = 0) -> None:
        if kind is RowKind.DEPTH:
            self.sides[side][price] = qty
        elif kind is RowKind.TRADE:
            self.trades.append((price, qty))
        elif kind is RowKind.ORDER_ADD:
            self.orders[order] = [side, price]
            self._shift(side, price, qty)
        elif kind is RowKind.ORDER_DELETE:
            self._shift(*self.orders.pop(order), -qty)
        elif kind is RowKind.ORDER_EXECUTE:
            side, price = self.orders[order]
            self.trades.append((price, qty))
            self._shift(side, price, -qty)

    def _shift(self, side: int, price: int, by: int) -> None:
        self.sides[side][price] = self.sides[side].get(price, 0) + by

    def best(self, depth: int) -> list[list[tuple[float, float]]]:
        """The best levels of both sides, in the sample's units."""
        there = [sorted((p, q) for p, q in self.sides[side].items() if q) for side in (1, -1)]
        there = [there[0][::-1][:depth], there[1][:depth]]
        return [[(p * 0.1, q * 0.001) for p, q in side] for side in there]


def near(book: list[list[tuple[float, float]]], size: float = 1.0) -> list[Any]:
    return [[pytest.approx((p, q / size)) for p, q in side] for side in book]


@pytest.fixture(scope="module", params=[False, True], ids=["levels", "orders"])
def sample(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAINSPRING_HOME", str(tmp_path_factory.mktemp("home")))
        return ms.sample("btcusdt", hours=0.02, seed=3, l3=request.param)


def venues() -> Iterator[object]:
    for venue in DIALECTS:
        if "spot" not in venue and venue != "binance":
            yield pytest.param(venue, marks=() if venue in USUAL else (pytest.mark.slow,))


def ended(server: VenueServer) -> bool:
    return server.recording is not None and server.recording.ended


@pytest.mark.parametrize("venue", [*USUAL, "bybit"])
def test_the_recordings_book_is_served_and_stays_at_its_end(
    sample: Dataset, tmp_path: Path, venue: str
) -> None:
    recorded = near(Book(sample).best(DEPTH), UNITS.get(venue, 1.0))
    with serve(venue, sample, speed=200) as server:
        feed = VenueFeed(venue, [DIALECTS[venue][1]], url=server.url)
        with paper(Watcher, tmp_path / "run", venue=feed) as session:
            ready(session)
            until("its end", lambda: ended(server), session)
            until("the recording's last book", lambda: recorded == SEEN, session)
            assert session.venues()[0].up, "connections stay"
            session.stop()
        assert DialectSide(server, venue).book(DEPTH) == tuple(recorded)
        state = server.recording
        assert state is not None
        assert (state.error, state.laps) == (None, 0)
        exchanged = int(sample.read()["exch_ns"].max())
        assert state.time_ns == exchanged


def test_its_trades_are_the_public_trades_and_the_market_halts(sample: Dataset) -> None:
    trades = [(f"{price * 0.1:.1f}", f"{qty * 0.001:g}") for price, qty in Book(sample).trades]
    with serve("binance_usdm", sample, speed=1_000) as server:
        wait_until("its end", lambda: ended(server))
        told = get(server, "/fapi/v1/trades?symbol=BTCUSDT&limit=1000")
        assert [(f"{float(t['price']):.1f}", f"{float(t['qty']):g}") for t in told] == trades[
            -1000:
        ]
        assert len(trades) > 30
        (symbol,) = get(server, "/fapi/v1/exchangeInfo")["symbols"]
        assert (symbol["status"], symbol["filters"][0]["tickSize"]) == ("BREAK", "0.1")
        assert get(server, "/api/v3/exchangeInfo")["symbols"] == [], (
            "it was recorded as a perpetual"
        )
        assert get(server, "/simulator/recording")["ended"] is True


@pytest.mark.parametrize("venue", list(venues()))
def test_a_session_of_ours_rests_in_it_and_is_filled_by_its_takers(
    sample: Dataset, tmp_path: Path, venue: str
) -> None:
    # Prices of five digits stand behind the recorded best ones: they are reached now and then.
    speed = 10 if venue == "hyperliquid" else 3
    with serve(venue, sample, speed=speed, repeat=True) as server:
        side = DialectSide(server, venue)
        size = f"{0.02 / UNITS.get(venue, 1.0):g}"
        maker = ms.native.TouchMaker(size=size, max_position=f"{float(size) * 10:g}", every="50ms")
        with live(maker, tmp_path / "run", venues=place(server, venue), size=1.0) as session:
            ready(session)
            until("a fill", lambda: session.status().fills >= 1, session)
            session.kill("the test compares")
            until("end of orders", lambda: session.status().open_orders == 0, session)
            until("the same position", lambda: same_position(session, side), session)
            assert side.open_orders() == []
            outcome = session.stop()
        assert outcome.broken is None
        assert abs(side.position()) > 1e-9 or outcome.status.totals["fills"] > 1


def test_several_instruments_and_files_are_played_together(home: Path) -> None:
    both = ms.sample(["btcusdt", "ethusdt"], hours=0.01, seed=4)
    other = ms.sample("altusdt", hours=0.005, seed=4, l3=True)
    seen = Last()
    ms.backtest(seen, [*both.paths, *other.paths], cash=1_000_000)
    with VenueServer(recording=[*both.paths, *other.paths], speed=1_000) as server:
        wait_until("its end", lambda: ended(server))
        assert set(seen.books) == {"BTCUSDT", "ETHUSDT", "ALTUSDT"}
        for symbol, book in seen.books.items():
            depth = get(server, f"/fapi/v1/depth?symbol={symbol}&limit=5")
            assert levels_of(depth) == near(book), symbol


def levels_of(depth: dict[str, Any]) -> list[list[tuple[float, float]]]:
    """The best levels as Binance tells them."""
    return [[(float(p), float(q)) for p, q in depth[side][:DEPTH]] for side in ("bids", "asks")]


def _shared(name: str) -> Path:
    root = os.environ.get("MAINSPRING_SHARED", Path(__file__).resolve().parents[3] / "shared")
    file = Path(root) / "data" / name
    if not file.is_file():
        if os.environ.get("MAINSPRING_REQUIRE_SHARED") == "1":
            pytest.fail(f"{file} is missing and MAINSPRING_REQUIRE_SHARED is set")
        pytest.skip(f"no {file}")
    return file


class Last(ms.Strategy):
    """The best levels of each market at every message: the last of them stay."""

    def on_start(self, m):
        self.books: dict[str, list[list[tuple[float, float]]]] = {}

    def on_book(self, m):
        self.books[m.symbol] = [m.bids(DEPTH), m.asks(DEPTH)]


def test_a_recording_of_nasdaq_is_served(home: Path) -> None:
    file = _shared("lobster-aapl-2012/AAPL_2012-06-21_message_50_first40000.csv.gz")
    data = ms.data.import_file(file, "lobster", out=home / "aapl.mse")
    (instrument,) = data.instruments
    seen = Last()
    ms.backtest(seen, data, cash=1_000_000)
    start, end = data.span_ns
    with VenueServer(recording=data, speed=(end - start) / 3e9) as server:
        assert server.recording is not None
        wait_until("its end", lambda: ended(server))
        assert server.recording.error is None
        depth = get(server, f"/api/v3/depth?symbol={instrument.symbol}&limit=5")
        assert levels_of(depth) == near(seen.books[instrument.symbol])


LEVELS = {
    "binance_usdm": ("binance-raw-2024/usdm_btcusdt_20240808.gz", "BTCUSDT", 0.01),
    "bybit": ("bybit-raw-2024/2024-12-01_XRPUSDT_ob500.jsonl.gz", "XRPUSDT", 10.0),
    "hyperliquid": ("hyperliquid-raw-2025/btcusd_20250126_first30.jsonl.gz", "BTC", 0.01),
}


@pytest.mark.parametrize("venue", LEVELS)
def test_recorded_levels_of_venues_are_served_by_their_own_protocol(
    home: Path, tmp_path: Path, venue: str
) -> None:
    name, symbol, size = LEVELS[venue]
    data = ms.data.import_file(_shared(name), out=home / "levels.mse")
    seen = Last()
    ms.backtest(seen, data, cash=1_000_000)
    (book,) = seen.books.values()
    start, end = data.span_ns
    with serve(venue, data, speed=(end - start) / 2e9) as server:
        with paper(
            Watcher, tmp_path / "run", venue=VenueFeed(venue, [symbol], url=server.url)
        ) as s:
            until("its end", lambda: ended(server), s)
            until("the last best prices", lambda: best(SEEN) == best(near(book)), s)
            s.stop()
        assert server.recording is not None
        assert server.recording.error is None
    with serve(venue, data, speed=(end - start) / 20e9, repeat=True) as server:
        there = LiveVenue(venue, [symbol], credentials=credentials(venue), url=server.url)
        assert there.check().passed, there.check()
        maker = ms.native.TouchMaker(size=f"{size:g}", max_position=f"{size * 20:g}", every="20ms")
        with live(maker, tmp_path / "live", venues=there, size=1.0) as session:
            ready(session)
            until("a fill", lambda: session.status().fills >= 1, session)
            session.kill("the test has seen enough")
            until("end of orders", lambda: session.status().open_orders == 0, session)
            assert session.stop().broken is None


def best(book: list[Any]) -> list[Any]:
    """The best level of both sides."""
    return [side[:1] for side in book]


def test_a_session_trades_among_the_orders_of_nasdaq(home: Path, tmp_path: Path) -> None:
    file = _shared("lobster-aapl-2012/AAPL_2012-06-21_message_50_first40000.csv.gz")
    data = ms.data.import_file(file, "lobster", out=home / "aapl.mse")
    with VenueServer(recording=data, speed=20, repeat=True, limits=PATIENT) as server:
        there = LiveVenue("binance", ["AAPL"], credentials=credentials("binance"), url=server.url)
        assert there.check().passed, there.check()
        maker = ms.native.TouchMaker(size="10", max_position="50", every="20ms")
        with live(maker, tmp_path / "run", venues=there, size=1.0) as session:
            ready(session)
            until("fills", lambda: session.status().fills >= 3, session)
            session.kill("the test has seen enough")
            until("end of orders", lambda: session.status().open_orders == 0, session)
            outcome = session.stop()
        assert outcome.broken is None


def test_a_paper_session_takes_the_same_recording(sample: Dataset, tmp_path: Path) -> None:
    feed = Recording(sample.paths[0], speed=20)
    with paper(Watcher, tmp_path / "look", venue=feed) as session:
        until("the recording's last book", lambda: near(Book(sample).best(DEPTH)) == SEEN, session)
        session.stop()
    maker = ms.native.TouchMaker(size="0.02", max_position="0.2", every="50ms")
    with paper(maker, tmp_path / "run", venue=feed) as session:
        until("fills", lambda: session.status().fills >= 2, session)
        outcome = session.stop()
    assert outcome.broken is None
    found = parity(tmp_path / "run")
    assert found.same, found


BAD: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "no such file": ({"recording": "nowhere.mse"}, NotFoundError, "nowhere"),
    "no event file": ({"recording": "text.mse"}, DataError, "not an event file"),
    "damaged": ({"recording": "bad.mse"}, DataError, "damaged"),
    "stands still": ({"recording": "good.mse", "speed": 0}, InvalidValue, "speed"),
    "no such model": ({"recording": "good.mse", "queue_model": "luck"}, InvalidValue, "luck"),
    "twice": ({"recording": ["good.mse", "orders.mse"]}, DataError, "give one of both"),
    "bars": ({"recording": "bars.mse"}, DataError, "bars"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_played_is_refused_before_anything_is_served(
    home: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    folder = home.parent
    monkeypatch.chdir(folder)
    good = ms.sample("btcusdt", hours=0.001).paths[0].read_bytes()
    (folder / "good.mse").write_bytes(good)
    orders = ms.sample("btcusdt", hours=0.001, l3=True).paths[0]
    (folder / "orders.mse").write_bytes(orders.read_bytes())
    damaged = bytearray(good)
    damaged[len(good) // 2] ^= 0xFF
    (folder / "bad.mse").write_bytes(damaged)
    (folder / "text.mse").write_text("some words that are no rows")
    btc = ms.data.instrument("BTCUSDT", tick="0.1", lot="0.001")
    bars = {"time": [0, 60_000_000_000], "open": [1.0, 1.0], "high": [1.0, 1.0]}
    bars |= {"low": [1.0, 1.0], "close": [1.0, 1.0], "volume": [1.0, 1.0]}
    ms.data.write_bars(folder / "bars.mse", bars, btc, interval="1m")
    settings, error, words = BAD[name]
    with pytest.raises(error, match=words):
        VenueServer(**settings)
