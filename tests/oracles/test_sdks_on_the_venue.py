"""The SDKs of OKX, Bybit and Hyperliquid, given other addresses, trade on the exchange."""

from __future__ import annotations

import asyncio
import functools
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from mainspring.exchange import VenueServer

pytestmark = pytest.mark.oracle

KEY, SECRET, PASSPHRASE = "simulator-key", "simulator-secret", "simulator-passphrase"
WALLET = "0x" + "0123456789" * 6 + "0123"


@pytest.fixture(scope="module")
def venues() -> Iterator[dict[str, VenueServer]]:
    """All venues in one process."""
    names = ("okx", "bybit", "hyperliquid")
    servers = {name: VenueServer(name, markets=["btcusdt"], warm_up_s=60) for name in names}
    yield servers
    for server in servers.values():
        server.stop()


def until(found: Callable[[], Any], seconds: float = 15) -> Any:
    """What is found before long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := found():
            return value
        time.sleep(0.02)
    raise AssertionError("nothing came")


def in_turn(monkeypatch: pytest.MonkeyPatch, *methods: tuple[Any, str]) -> None:
    """None of these methods begins before another has ended, whichever threads call them."""
    lock = threading.RLock()

    def wait(method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def alone(*args: Any, **kwargs: Any) -> Any:
            with lock:
                return method(*args, **kwargs)

        return alone

    for owner, name in methods:
        monkeypatch.setattr(owner, name, wait(getattr(owner, name)))


# OKX


def okx_client(venues: dict[str, VenueServer], part: str, secret: str = SECRET) -> Any:
    module = pytest.importorskip(f"okx.{part}", reason="python-okx is not installed here")
    maker = getattr(module, f"{part.removesuffix('Data')}API")
    return maker(KEY, secret, PASSPHRASE, flag="0", domain=venues["okx"].url, debug=False)


@pytest.mark.parametrize("name", ["BTC-USDT", "BTC-USDT-SWAP"])
def test_okx_market_data(venues: dict[str, VenueServer], name: str) -> None:
    kind = "SWAP" if name.endswith("SWAP") else "SPOT"
    market, public = okx_client(venues, "MarketData"), okx_client(venues, "PublicData")
    (instrument,) = public.get_instruments(instType=kind)["data"]
    assert instrument["instId"] == name
    (book,) = market.get_orderbook(instId=name, sz="20")["data"]
    assert float(book["bids"][0][0]) < float(book["asks"][0][0])
    assert len(book["bids"]) == 20
    assert market.get_trades(instId=name)["data"]
    assert market.get_candlesticks(instId=name)["data"]
    assert float(market.get_ticker(instId=name)["data"][0]["last"]) > 0
    assert int(public.get_system_time()["data"][0]["ts"]) > 0


@pytest.mark.parametrize("name", ["BTC-USDT", "BTC-USDT-SWAP"])
def test_okx_an_order_lives(venues: dict[str, VenueServer], name: str) -> None:
    is_swap = name.endswith("SWAP")
    mode = "cross" if is_swap else "cash"
    trade, account = okx_client(venues, "Trade"), okx_client(venues, "Account")
    terms = {"instId": name, "tdMode": mode, "side": "buy", "ordType": "limit"}
    placed = trade.place_order(**terms, px="50000", sz="0.2", clOrdId=f"own{int(is_swap)}")
    assert placed["code"] == "0", placed
    which = {"instId": name, "ordId": placed["data"][0]["ordId"]}
    (seen,) = trade.get_order(**which)["data"]
    assert (seen["state"], seen["clOrdId"]) == ("live", f"own{int(is_swap)}")
    assert trade.amend_order(**which, newSz="0.3", newPx="49000")["code"] == "0"
    (open_one,) = trade.get_order_list(instId=name)["data"]
    assert (float(open_one["sz"]), float(open_one["px"])) == (0.3, 49_000)
    assert trade.cancel_order(**which)["code"] == "0"
    assert trade.get_order_list(instId=name)["data"] == []
    again = trade.cancel_order(**which)
    assert (again["code"], again["data"][0]["sCode"]) == ("1", "51400")
    bought = trade.place_order(
        instId=name, tdMode=mode, side="buy", ordType="market", sz="0.1", tgtCcy="base_ccy"
    )
    (done,) = trade.get_order(instId=name, ordId=bought["data"][0]["ordId"])["data"]
    assert done["state"] == "filled"
    assert trade.get_fills(instId=name)["data"][0]["ordId"] == bought["data"][0]["ordId"]
    assert {d["ccy"] for d in account.get_account_balance()["data"][0]["details"]} >= {"USDT"}
    positions = account.get_positions(instType="SWAP")["data"]
    assert not is_swap or float(positions[0]["pos"]) == 0.1
    post = trade.place_order(**{**terms, "ordType": "post_only"}, px="99000", sz="0.1")
    assert post["data"][0]["sCode"] == "51019"
    assert okx_client(venues, "Account", "wrong").get_account_balance()["code"] == "50113"


def test_okx_streams(venues: dict[str, VenueServer], monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("okx.websocket.WsPrivateAsync", reason="python-okx is not installed here")
    import websockets
    from okx.websocket.WebSocketFactory import WebSocketFactory
    from okx.websocket.WsPrivateAsync import WsPrivateAsync
    from okx.websocket.WsPublicAsync import WsPublicAsync

    async def connect(factory: Any) -> Any:
        """As the SDK's own, which can do TLS alone."""
        factory.websocket = await websockets.connect(factory.url)
        return factory.websocket

    monkeypatch.setattr(WebSocketFactory, "connect", connect)
    server = venues["okx"]
    heard: list[Any] = []

    def told(channel: str) -> list[Any]:
        return [m for m in heard if m.get("arg", {}).get("channel") == channel and "data" in m]

    async def soon(found: Callable[[], Any]) -> None:
        async with asyncio.timeout(30):
            while not found():
                await asyncio.sleep(0.02)

    async def go() -> None:
        public = WsPublicAsync(f"{server.ws_url}/ws/v5/public")
        private = WsPrivateAsync(KEY, PASSPHRASE, SECRET, f"{server.ws_url}/ws/v5/private")
        await asyncio.gather(public.connect(), private.connect())

        def on(text: str) -> None:
            heard.append(json.loads(text))

        readers = [asyncio.ensure_future(one.consume()) for one in (public, private)]
        books = [{"channel": name, "instId": "BTC-USDT"} for name in ("books", "bbo-tbt", "trades")]
        await public.subscribe(books, on)
        await private.subscribe([{"channel": "orders", "instType": "ANY"}], on)
        await soon(lambda: "orders" in [m["arg"]["channel"] for m in heard if "arg" in m])
        trade = okx_client(venues, "Trade")
        terms = {"instId": "BTC-USDT", "tdMode": "cash", "side": "buy", "ordType": "limit"}
        placed = trade.place_order(**terms, px="50000", sz="0.2")
        trade.cancel_order(instId="BTC-USDT", ordId=placed["data"][0]["ordId"])
        await soon(lambda: len(told("orders")) >= 2)
        await soon(lambda: len(told("books")) >= 2 and told("bbo-tbt") and told("trades"))
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)

    asyncio.run(go())
    assert not [m for m in heard if m.get("event") == "error"]
    assert [m["data"][0]["state"] for m in told("orders")] == ["live", "canceled"]
    assert told("books")[0]["action"] == "snapshot"
    chain = [(m["data"][0]["prevSeqId"], m["data"][0]["seqId"]) for m in told("books")]
    assert all(before[1] == after[0] for before, after in itertools.pairwise(chain))


# Bybit


def bybit_http(venues: dict[str, VenueServer], secret: str = SECRET) -> Any:
    module = pytest.importorskip("pybit.unified_trading", reason="pybit is not installed here")
    session = module.HTTP(api_key=KEY, api_secret=secret)
    session.endpoint = venues["bybit"].url
    return session


@pytest.mark.parametrize("category", ["spot", "linear"])
def test_bybit_market_data(venues: dict[str, VenueServer], category: str) -> None:
    session = bybit_http(venues)
    which = {"category": category, "symbol": "BTCUSDT"}
    (instrument,) = session.get_instruments_info(**which)["result"]["list"]
    assert instrument["status"] == "Trading"
    book = session.get_orderbook(**which, limit=50)["result"]
    assert float(book["b"][0][0]) < float(book["a"][0][0])
    assert session.get_public_trade_history(**which)["result"]["list"]
    assert session.get_kline(**which, interval=1)["result"]["list"]
    assert float(session.get_tickers(**which)["result"]["list"][0]["lastPrice"]) > 0
    assert int(session.get_server_time()["result"]["timeSecond"]) > 0


@pytest.mark.parametrize("category", ["spot", "linear"])
def test_bybit_an_order_lives(venues: dict[str, VenueServer], category: str) -> None:
    from pybit.exceptions import InvalidRequestError

    session = bybit_http(venues)
    which = {"category": category, "symbol": "BTCUSDT"}
    terms = {**which, "side": "Buy", "orderType": "Limit", "qty": "0.02", "price": "50000"}
    order = session.place_order(**terms, orderLinkId=f"own-{category}")["result"]["orderId"]
    (seen,) = session.get_open_orders(**which)["result"]["list"]
    assert (seen["orderStatus"], seen["orderLinkId"]) == ("New", f"own-{category}")
    session.amend_order(**which, orderId=order, qty="0.03", price="49000")
    (seen,) = session.get_open_orders(**which)["result"]["list"]
    assert (float(seen["qty"]), float(seen["price"])) == (0.03, 49_000)
    session.cancel_order(**which, orderId=order)
    assert session.get_open_orders(**which)["result"]["list"] == []
    with pytest.raises(InvalidRequestError) as refused:
        session.cancel_order(**which, orderId=order)
    assert refused.value.status_code == (170_213 if category == "spot" else 110_001)
    session.place_order(**terms)
    assert len(session.cancel_all_orders(**which)["result"]["list"]) == 1
    market = {**which, "side": "Buy", "orderType": "Market", "qty": "0.01"}
    bought = session.place_order(**market, marketUnit="baseCoin")["result"]["orderId"]
    fills = session.get_executions(**which)["result"]["list"]
    assert fills[0]["orderId"] == bought
    wallet = session.get_wallet_balance(accountType="UNIFIED")["result"]["list"][0]
    assert {coin["coin"] for coin in wallet["coin"]} >= {"USDT", "BTC"}
    if category == "linear":
        (position,) = session.get_positions(**which)["result"]["list"]
        assert (position["side"], float(position["size"])) == ("Buy", 0.01)
    with pytest.raises(InvalidRequestError) as refused:
        bybit_http(venues, "wrong").get_wallet_balance(accountType="UNIFIED")
    assert refused.value.status_code == 10_004


def test_bybit_streams(venues: dict[str, VenueServer], monkeypatch: pytest.MonkeyPatch) -> None:
    unified = pytest.importorskip("pybit.unified_trading", reason="pybit is not installed here")
    trading = pytest.importorskip("pybit._websocket_trading")
    streams = pytest.importorskip("pybit._websocket_stream")
    # It asks first and remembers then who wants the answer: a venue next door answers sooner.
    in_turn(
        monkeypatch,
        (streams._WebSocketManager, "_on_message"),
        (streams._V5WebSocketManager, "subscribe"),
        (trading._V5TradeWebSocketManager, "_send_order_operation"),
    )
    base = venues["bybit"].ws_url
    monkeypatch.setattr(unified, "PUBLIC_WSS", base + "/v5/public/{CHANNEL_TYPE}")
    monkeypatch.setattr(unified, "PRIVATE_WSS", base + "/v5/private")
    monkeypatch.setattr(trading, "TRADE_WSS", base + "/v5/trade")
    # Else `exit` may connect anew (the reader takes the venue's close for an error) and never end.
    common = {"testnet": False, "restart_on_error": False}
    keys = {**common, "api_key": KEY, "api_secret": SECRET}
    books: list[Any] = []
    trades: list[Any] = []
    orders: list[Any] = []
    answers: list[Any] = []
    public = unified.WebSocket(channel_type="linear", **common)
    private = unified.WebSocket(channel_type="private", **keys)
    desk = unified.WebSocketTrading(**keys)
    try:
        public.orderbook_stream(50, "BTCUSDT", books.append)
        public.trade_stream("BTCUSDT", trades.append)
        private.order_stream(orders.append)
        time.sleep(0.5)
        which = {"category": "linear", "symbol": "BTCUSDT"}
        desk.place_order(answers.append, **which, side="Buy", orderType="Limit", qty="0.01",
                         price="50000")  # fmt: skip
        placed = until(lambda: answers and answers[-1])
        assert placed["retCode"] == 0, placed
        desk.cancel_order(answers.append, **which, orderId=placed["data"]["orderId"])
        until(lambda: len(orders) >= 2)
        assert [m["data"][0]["orderStatus"] for m in orders] == ["New", "Cancelled"]
        until(lambda: len(books) > 5 and trades)
        last = books[-1]["data"]
        assert float(last["b"][0][0]) < float(last["a"][0][0])
    finally:
        for one in (public, private, desk):
            one.exit()


# Hyperliquid


@pytest.fixture(scope="module")
def hyperliquid(venues: dict[str, VenueServer]) -> Any:
    pytest.importorskip("hyperliquid.exchange", reason="hyperliquid's SDK is not installed here")
    from eth_account import Account
    from hyperliquid.exchange import Exchange

    return Exchange(Account.from_key(WALLET), venues["hyperliquid"].url)


def test_hyperliquid_an_order_lives(hyperliquid: Any, venues: dict[str, VenueServer]) -> None:
    from hyperliquid.utils.types import Cloid

    info, own = hyperliquid.info, hyperliquid.wallet.address
    book = info.l2_snapshot("BTC")
    bid = float(book["levels"][0][0]["px"])
    assert bid < float(book["levels"][1][0]["px"])
    assert float(info.all_mids()["BTC"]) > 0
    cloid = Cloid.from_int(7)
    gtc = {"limit": {"tif": "Gtc"}}
    placed = hyperliquid.order("BTC", True, 0.02, 50_000, gtc, cloid=cloid)
    assert placed["status"] == "ok", placed
    oid = placed["response"]["data"]["statuses"][0]["resting"]["oid"]
    assert [o["oid"] for o in info.open_orders(own)] == [oid]
    assert info.query_order_by_cloid(own, cloid)["order"]["status"] == "open"
    changed = hyperliquid.modify_order(oid, "BTC", True, 0.03, 49_000, gtc)
    oid = changed["response"]["data"]["statuses"][0]["resting"]["oid"]
    assert info.query_order_by_oid(own, oid)["order"]["order"]["origSz"] == "0.03"
    gone = hyperliquid.cancel("BTC", oid)["response"]["data"]["statuses"]
    assert gone == ["success"]
    assert info.open_orders(own) == []
    again = hyperliquid.cancel("BTC", oid)["response"]["data"]["statuses"][0]
    assert "never placed" in again["error"]
    bought = hyperliquid.market_open("BTC", True, 0.01)
    assert bought["response"]["data"]["statuses"][0]["filled"]["totalSz"] == "0.01"
    state = info.user_state(own)
    assert state["assetPositions"][0]["position"]["szi"] == "0.01"
    assert info.user_fills(own)[0]["coin"] == "BTC"
    hyperliquid.market_close("BTC")
    assert info.user_state(own)["assetPositions"] == []
    alo = hyperliquid.order("BTC", True, 0.01, 99_000, {"limit": {"tif": "Alo"}})
    assert "Post only" in alo["response"]["data"]["statuses"][0]["error"]
    assert hyperliquid.update_leverage(10, "BTC")["status"] == "ok"


def test_hyperliquid_strangers_are_refused(venues: dict[str, VenueServer]) -> None:
    pytest.importorskip("hyperliquid.exchange", reason="hyperliquid's SDK is not installed here")
    from eth_account import Account
    from hyperliquid.exchange import Exchange

    stranger = Exchange(Account.from_key("0x" + "11" * 32), venues["hyperliquid"].url)
    refused = stranger.order("BTC", True, 0.02, 50_000, {"limit": {"tif": "Gtc"}})
    assert refused["status"] == "err"
    assert stranger.wallet.address.lower() in refused["response"]


def test_hyperliquid_streams(hyperliquid: Any, venues: dict[str, VenueServer]) -> None:
    from hyperliquid.info import Info

    own = hyperliquid.wallet.address
    info = Info(venues["hyperliquid"].url)
    until(lambda: info.ws_manager.ws_ready)  # what is subscribed just then would be forgotten
    heard: dict[str, list[Any]] = {}
    lock = threading.Lock()

    def on(message: Any) -> None:
        with lock:
            heard.setdefault(message["channel"], []).append(message["data"])

    try:
        for kind in ("l2Book", "bbo", "trades", "activeAssetCtx"):
            info.subscribe({"type": kind, "coin": "BTC"}, on)
        for kind in ("orderUpdates", "userFills"):
            info.subscribe({"type": kind, "user": own}, on)
        until(lambda: {"l2Book", "bbo", "trades", "userFills"} <= set(heard))
        placed = hyperliquid.order("BTC", True, 0.01, 50_000, {"limit": {"tif": "Gtc"}})
        oid = placed["response"]["data"]["statuses"][0]["resting"]["oid"]
        hyperliquid.cancel("BTC", oid)
        until(lambda: len(heard.get("orderUpdates", [])) >= 2)
        assert [u[0]["status"] for u in heard["orderUpdates"]] == ["open", "canceled"]
    finally:
        info.disconnect_websocket()
