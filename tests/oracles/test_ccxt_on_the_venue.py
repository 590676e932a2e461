"""ccxt, unchanged but for its addresses, trades on the built-in exchange: REST and ccxt pro."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from ccxt_clients import KINDS, SYMBOL, client
from mainspring.exchange import VenueServer

pytestmark = pytest.mark.oracle

ccxt = pytest.importorskip("ccxt", reason="ccxt is not installed here")
pro = pytest.importorskip("ccxt.pro", reason="ccxt.pro is not installed here")


@pytest.fixture(scope="module")
def server() -> Iterator[VenueServer]:
    with VenueServer(warm_up_s=120) as running:
        yield running


@pytest.mark.parametrize("kind", KINDS)
def test_market_data(server: VenueServer, kind: str) -> None:
    exchange, symbol = client(ccxt, kind, server), SYMBOL[kind]
    markets = exchange.load_markets()
    assert markets[symbol]["precision"] == {**markets[symbol]["precision"], "price": 0.1}
    book = exchange.fetch_order_book(symbol, 20)
    assert len(book["bids"]) == len(book["asks"]) == 20
    assert book["bids"][0][0] < book["asks"][0][0]
    ticker = exchange.fetch_ticker(symbol)
    assert ticker["low"] <= ticker["last"] <= ticker["high"]
    trades = exchange.fetch_trades(symbol, limit=50)
    assert len(trades) == 50
    assert [t["timestamp"] for t in trades] == sorted(t["timestamp"] for t in trades)
    bars = exchange.fetch_ohlcv(symbol, "1m")
    assert all(low <= min(first, last) for _, first, _, low, last, _ in bars)
    assert abs(exchange.fetch_time() - exchange.milliseconds()) < 5_000


@pytest.mark.parametrize("kind", KINDS)
def test_an_order_is_placed_seen_changed_and_cancelled(server: VenueServer, kind: str) -> None:
    exchange, symbol = client(ccxt, kind, server), SYMBOL[kind]
    exchange.load_markets()
    bid = exchange.fetch_order_book(symbol, 5)["bids"][0][0]
    order = exchange.create_order(symbol, "limit", "buy", 0.01, round(bid * 0.99, 1))
    assert exchange.fetch_order(order["id"], symbol)["status"] == "open"
    exchange.edit_order(order["id"], symbol, "limit", "buy", 0.02, round(bid * 0.98, 1))
    (changed,) = exchange.fetch_open_orders(symbol)
    assert (changed["amount"], changed["price"]) == (0.02, round(bid * 0.98, 1))
    assert exchange.cancel_order(changed["id"], symbol)["status"] == "canceled"
    assert exchange.fetch_open_orders(symbol) == []
    with pytest.raises(ccxt.OrderNotFound):
        exchange.cancel_order(changed["id"], symbol)


@pytest.mark.parametrize("kind", KINDS)
def test_a_fill_is_in_trades_balance_and_position(server: VenueServer, kind: str) -> None:
    exchange, symbol = client(ccxt, kind, server), SYMBOL[kind]
    exchange.load_markets()
    before = exchange.fetch_balance()
    order = exchange.create_order(symbol, "market", "buy", 0.02)
    fetched = exchange.fetch_order(order["id"], symbol)
    assert (fetched["status"], fetched["filled"]) == ("closed", 0.02)
    mine = [t for t in exchange.fetch_my_trades(symbol) if t["order"] == order["id"]]
    assert sum(trade["amount"] for trade in mine) == pytest.approx(0.02)
    fees = sum(trade["fee"]["cost"] for trade in mine)
    after = exchange.fetch_balance()
    if kind == "spot":
        cost = sum(trade["cost"] for trade in mine)
        paid = before["USDT"]["total"] - after["USDT"]["total"]
        assert paid == pytest.approx(cost + fees)
        assert after["BTC"]["total"] - before["BTC"]["total"] == pytest.approx(0.02)
    else:
        # ccxt's total has the unrealised profit in it; the wallet has not.
        wallets = [float(b["info"]["totalWalletBalance"]) for b in (before, after)]
        assert wallets[0] - wallets[1] == pytest.approx(fees)
        (position,) = exchange.fetch_positions([symbol])
        assert (position["side"], position["contracts"]) == ("long", 0.02)
        exchange.create_order(symbol, "market", "sell", 0.02, None, {"reduceOnly": True})
        assert exchange.fetch_positions([symbol]) == []


@pytest.mark.parametrize("kind", KINDS)
def test_refusals_are_typed(server: VenueServer, kind: str) -> None:
    exchange, symbol = client(ccxt, kind, server), SYMBOL[kind]
    exchange.load_markets()
    ask = exchange.fetch_order_book(symbol, 5)["asks"][0][0]
    # ccxt knows most codes by address, and here the address is ours: some come as the base class.
    with pytest.raises(ccxt.ExchangeError):
        exchange.create_order(symbol, "limit", "buy", 1_000, ask)
    with pytest.raises(ccxt.InvalidOrder):
        exchange.create_order(
            symbol, "limit", "buy", 0.01, round(ask * 1.01, 1), {"postOnly": True}
        )
    with pytest.raises(ccxt.AuthenticationError):
        client(ccxt, kind, server, secret="wrong").fetch_balance()


def test_conditional_orders_of_a_swap(server: VenueServer) -> None:
    exchange, symbol = client(ccxt, "swap", server), SYMBOL["swap"]
    exchange.load_markets()
    bid = exchange.fetch_order_book(symbol, 5)["bids"][0][0]
    below = {"stopLossPrice": round(bid * 0.9, 1)}
    stop = exchange.create_order(symbol, "market", "sell", 0.01, None, below)
    (waiting,) = exchange.fetch_open_orders(symbol, params={"trigger": True})
    assert waiting["id"] == stop["id"]
    exchange.cancel_order(stop["id"], symbol, {"trigger": True})
    assert exchange.fetch_open_orders(symbol, params={"trigger": True}) == []
    assert exchange.set_leverage(10, symbol)["leverage"] == 10
    assert exchange.fetch_funding_rate(symbol)["fundingRate"] == 0.0001


async def watch(kind: str, server: VenueServer) -> None:
    exchange, symbol = client(pro, kind, server), SYMBOL[kind]

    async def soon(awaited: Any) -> Any:
        return await asyncio.wait_for(awaited, 30)

    try:
        await exchange.load_markets()
        for _ in range(10):
            book = await soon(exchange.watch_order_book(symbol))
        assert book["bids"][0][0] < book["asks"][0][0]
        assert await soon(exchange.watch_trades(symbol))
        assert (await soon(exchange.watch_ticker(symbol)))["last"] > 0
        assert await soon(exchange.watch_ohlcv(symbol, "1m"))
        orders = asyncio.ensure_future(exchange.watch_orders(symbol))
        balance = asyncio.ensure_future(exchange.watch_balance())
        await asyncio.sleep(2)
        price = round(book["bids"][0][0] * 0.99, 1)
        placed = await soon(exchange.create_order_ws(symbol, "limit", "buy", 0.01, price))
        assert (await soon(orders))[-1]["id"] == placed["id"]
        orders = asyncio.ensure_future(exchange.watch_orders(symbol))
        await soon(exchange.cancel_order_ws(placed["id"], symbol))
        assert (await soon(orders))[-1]["status"] == "canceled"
        mine = asyncio.ensure_future(exchange.watch_my_trades(symbol))
        await asyncio.sleep(1)
        bought = await soon(exchange.create_order(symbol, "market", "buy", 0.01))
        assert (await soon(mine))[-1]["order"] == bought["id"]
        assert (await soon(balance))["USDT"]["total"] > 0
        assert "info" in await soon(exchange.fetch_balance_ws())
    finally:
        await exchange.close()


@pytest.mark.parametrize("kind", KINDS)
def test_streams_and_orders_over_websockets(server: VenueServer, kind: str) -> None:
    asyncio.run(watch(kind, server))
