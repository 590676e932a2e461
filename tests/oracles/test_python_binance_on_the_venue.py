"""python-binance, unchanged but for its addresses, trades on the built-in exchange."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from mainspring.exchange import VenueServer

pytestmark = pytest.mark.oracle

binance = pytest.importorskip("binance", reason="python-binance is not installed here")

KEYS = ("simulator-key", "simulator-secret")
SYMBOL = "BTCUSDT"


@pytest.fixture(scope="module")
def server() -> Iterator[VenueServer]:
    with VenueServer(warm_up_s=120) as running:
        yield running


def addresses(server: VenueServer) -> dict[str, str]:
    return {
        "API_URL": f"{server.url}/api",
        "MARGIN_API_URL": f"{server.url}/sapi",
        "FUTURES_URL": f"{server.url}/fapi",
        "WS_API_URL": f"{server.ws_url}/ws-api/v3",
        "WS_FUTURES_URL": f"{server.ws_url}/ws-fapi/v1",
    }


@pytest.fixture
def point(server: VenueServer, monkeypatch: pytest.MonkeyPatch) -> VenueServer:
    base = importlib_base()
    for name, url in addresses(server).items():
        monkeypatch.setattr(base, name, url)
    manager = binance.BinanceSocketManager
    monkeypatch.setattr(manager, "STREAM_URL", f"{server.ws_url}/")
    monkeypatch.setattr(manager, "FSTREAM_URL", f"{server.ws_url}/")
    return server


def importlib_base() -> Any:
    from binance.base_client import BaseClient

    return BaseClient


@pytest.fixture
def client(point: VenueServer) -> Any:
    return binance.Client(*KEYS)


def test_market_data(client: Any) -> None:
    assert client.get_server_time()["serverTime"] > 0
    (symbol,) = [s for s in client.get_exchange_info()["symbols"] if s["symbol"] == SYMBOL]
    assert {f["filterType"] for f in symbol["filters"]} >= {"PRICE_FILTER", "LOT_SIZE"}
    assert client.get_symbol_info(SYMBOL)["baseAsset"] == "BTC"
    book = client.get_order_book(symbol=SYMBOL, limit=50)
    assert float(book["bids"][0][0]) < float(book["asks"][0][0])
    assert len(client.get_recent_trades(symbol=SYMBOL, limit=20)) == 20
    assert len(client.get_aggregate_trades(symbol=SYMBOL, limit=20)) == 20
    assert client.get_klines(symbol=SYMBOL, interval="1m")
    assert next(iter(client.aggregate_trade_iter(SYMBOL, last_id=1)))["a"] > 1
    assert float(client.get_avg_price(symbol=SYMBOL)["price"]) > 0
    assert float(client.get_ticker(symbol=SYMBOL)["lastPrice"]) > 0
    assert len(client.get_all_tickers()) == 2
    assert client.get_orderbook_ticker(symbol=SYMBOL)["symbol"] == SYMBOL


def test_futures_market_data(client: Any) -> None:
    assert client.futures_ping() == {}
    assert client.futures_exchange_info()["symbols"][0]["contractType"] == "PERPETUAL"
    book = client.futures_order_book(symbol=SYMBOL, limit=50)
    assert float(book["bids"][0][0]) < float(book["asks"][0][0])
    assert client.futures_recent_trades(symbol=SYMBOL)
    assert client.futures_klines(symbol=SYMBOL, interval="1m")
    assert float(client.futures_mark_price(symbol=SYMBOL)["markPrice"]) > 0
    assert client.futures_funding_rate(symbol=SYMBOL)
    assert client.futures_orderbook_ticker(symbol=SYMBOL)["symbol"] == SYMBOL
    assert float(client.futures_open_interest(symbol=SYMBOL)["openInterest"]) >= 0


def test_a_spot_order_lives(client: Any) -> None:
    bid = float(client.get_orderbook_ticker(symbol=SYMBOL)["bidPrice"])
    client.create_test_order(
        symbol=SYMBOL, side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.01", price="50000"
    )
    price = f"{bid * 0.99:.1f}"
    order = client.order_limit_buy(symbol=SYMBOL, quantity="0.01", price=price)
    assert client.get_order(symbol=SYMBOL, orderId=order["orderId"])["status"] == "NEW"
    assert [o["orderId"] for o in client.get_open_orders(symbol=SYMBOL)] == [order["orderId"]]
    replaced = client.cancel_replace_order(
        symbol=SYMBOL, side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.02", price=price,
        cancelReplaceMode="STOP_ON_FAILURE", cancelOrderId=order["orderId"],
    )  # fmt: skip
    assert replaced["cancelResult"] == "SUCCESS"
    second = replaced["newOrderResponse"]["orderId"]
    assert client.cancel_order(symbol=SYMBOL, orderId=second)["status"] == "CANCELED"
    bought = client.order_market_buy(symbol=SYMBOL, quantity="0.01")
    assert bought["status"] == "FILLED"
    assert bought["fills"]
    assert client.get_my_trades(symbol=SYMBOL)[-1]["orderId"] == bought["orderId"]
    assert len(client.get_all_orders(symbol=SYMBOL)) >= 3
    assert float(client.get_asset_balance("BTC")["free"]) > 10
    assert {b["asset"] for b in client.get_account()["balances"]} == {"BTC", "ETH", "USDT"}
    with pytest.raises(binance.exceptions.BinanceAPIException) as refused:
        client.cancel_order(symbol=SYMBOL, orderId=second)
    assert (refused.value.code, refused.value.status_code) == (-2011, 400)


def test_a_futures_order_lives(client: Any) -> None:
    bid = float(client.futures_orderbook_ticker(symbol=SYMBOL)["bidPrice"])
    terms = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    order = client.futures_create_order(**terms, quantity="0.01", price=f"{bid * 0.99:.1f}")
    which = {"symbol": SYMBOL, "orderId": order["orderId"]}
    changed = client.futures_modify_order(
        **which, side="BUY", quantity="0.02", price=f"{bid * 0.98:.1f}"
    )
    assert float(changed["origQty"]) == 0.02
    assert [o["orderId"] for o in client.futures_get_open_orders(symbol=SYMBOL)] == [
        order["orderId"]
    ]
    assert client.futures_cancel_order(**which)["status"] == "CANCELED"
    client.futures_create_order(symbol=SYMBOL, side="BUY", type="MARKET", quantity="0.01")
    (position,) = client.futures_position_information(symbol=SYMBOL)
    assert float(position["positionAmt"]) == 0.01
    assert client.futures_account_trades(symbol=SYMBOL)
    client.futures_create_order(
        symbol=SYMBOL, side="SELL", type="MARKET", quantity="0.01", reduceOnly="true"
    )
    assert client.futures_change_leverage(symbol=SYMBOL, leverage=10)["leverage"] == 10
    assert client.futures_cancel_all_open_orders(symbol=SYMBOL)["code"] == 200
    assert float(client.futures_account()["totalWalletBalance"]) > 900_000
    assert client.futures_account_balance()[0]["asset"] == "USDT"


def soon(awaited: Any) -> Any:
    return asyncio.wait_for(awaited, 20)


STREAMS = {
    "spot trade": lambda m: m.trade_socket(SYMBOL),
    "spot aggTrade": lambda m: m.aggtrade_socket(SYMBOL),
    "spot depth": lambda m: m.depth_socket(SYMBOL),
    "spot depth 5": lambda m: m.depth_socket(SYMBOL, depth="5"),
    "spot kline": lambda m: m.kline_socket(SYMBOL, "1m"),
    "spot mini ticker": lambda m: m.symbol_miniticker_socket(SYMBOL),
    "spot ticker": lambda m: m.symbol_ticker_socket(SYMBOL),
    "spot all mini tickers": lambda m: m.miniticker_socket(),
    "spot all tickers": lambda m: m.ticker_socket(),
    "spot best prices": lambda m: m.symbol_book_ticker_socket(SYMBOL),
    "spot several": lambda m: m.multiplex_socket(["btcusdt@trade", "ethusdt@trade"]),
    "futures aggTrade": lambda m: m.aggtrade_futures_socket(SYMBOL),
    "futures mark price": lambda m: m.symbol_mark_price_socket(SYMBOL),
    "futures all mark prices": lambda m: m.all_mark_price_socket(),
    "futures all tickers": lambda m: m.futures_ticker_socket(),
    "futures ticker": lambda m: m.individual_symbol_ticker_futures_socket(SYMBOL),
    "futures best prices": lambda m: m.symbol_ticker_futures_socket(SYMBOL),
    "futures depth": lambda m: m.futures_depth_socket(SYMBOL),
    "futures several": lambda m: m.futures_multiplex_socket(["btcusdt@aggTrade", "btcusdt@depth"]),
}


@pytest.mark.usefixtures("point")
def test_every_stream_tells() -> None:
    async def first(manager: Any, name: str) -> Any:
        async with STREAMS[name](manager) as stream:
            return await soon(stream.recv())

    async def go() -> dict[str, Any]:
        client = await binance.AsyncClient.create(*KEYS)
        manager = binance.BinanceSocketManager(client)
        try:
            heard = await asyncio.gather(*(first(manager, name) for name in STREAMS))
        finally:
            await client.close_connection()
        return dict(zip(STREAMS, heard, strict=True))

    heard = asyncio.run(go())
    errors = {name: m for name, m in heard.items() if isinstance(m, dict) and m.get("e") == "error"}
    assert not errors
    assert heard["spot several"]["stream"].endswith("@trade")


@pytest.mark.usefixtures("point")
def test_the_depth_cache_follows_the_book() -> None:
    async def go() -> None:
        client = await binance.AsyncClient.create(*KEYS)
        try:
            async with binance.DepthCacheManager(client, SYMBOL) as cached:
                for _ in range(5):
                    cache = await soon(cached.recv())
            assert cache.get_bids()[0][0] < cache.get_asks()[0][0]
        finally:
            await client.close_connection()

    asyncio.run(go())


@pytest.mark.parametrize("kind", ["spot", "futures"])
@pytest.mark.usefixtures("point")
def test_orders_and_user_events_over_websockets(kind: str) -> None:
    async def go() -> list[str]:
        client = await binance.AsyncClient.create(*KEYS)
        manager = binance.BinanceSocketManager(client)
        is_spot = kind == "spot"
        user = manager.user_socket() if is_spot else manager.futures_user_socket()
        place = client.ws_create_order if is_spot else client.ws_futures_create_order
        cancel = client.ws_cancel_order if is_spot else client.ws_futures_cancel_order
        try:
            async with user as events:
                await asyncio.sleep(0.5)
                order = await soon(
                    place(
                        symbol=SYMBOL, side="BUY", type="LIMIT", timeInForce="GTC",
                        quantity="0.01", price="50000",
                    )
                )  # fmt: skip
                await soon(cancel(symbol=SYMBOL, orderId=order["orderId"]))
                statuses: list[str] = []
                while "CANCELED" not in statuses:
                    event = await soon(events.recv())
                    told = event.get("event", event)
                    told = told.get("o", told) if told["e"] == "ORDER_TRADE_UPDATE" else told
                    if "X" in told:
                        statuses.append(told["X"])
                return statuses
        finally:
            await client.close_connection()

    assert asyncio.run(go()) == ["NEW", "CANCELED"]
