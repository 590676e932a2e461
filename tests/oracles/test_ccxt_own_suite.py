"""The tests inside ccxt's wheel against the built-in exchange: sync, async and pro."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
from collections.abc import Iterator
from typing import Any

import pytest
from ccxt_clients import KINDS, SYMBOL, client
from mainspring.exchange import Limits, VenueServer

pytestmark = pytest.mark.oracle

ccxt = pytest.importorskip("ccxt", reason="ccxt is not installed here")
pytest.importorskip("ccxt.test.exchange", reason="this ccxt came without its tests")

# By symbol unless said otherwise. What is not here asks for what the exchange has not (deposits,
# withdrawals, transfers, borrowing, accounts, proxies), or is never called by ccxt's own runner.
REST = [
    "after_construct",
    "features",
    "fetch_balance",
    "fetch_closed_orders",
    "fetch_currencies",
    "fetch_l2_order_book",
    "fetch_last_prices",
    "fetch_my_trades",
    "fetch_ohlcv",
    "fetch_open_orders",
    "fetch_order_book",
    "fetch_orders",
    "fetch_positions",
    "fetch_ticker",
    "fetch_tickers",
    "fetch_trades",
    "fetch_trading_fee",
    "fetch_trading_fees",
    "load_markets",
]
BARE = {
    "after_construct",
    "features",
    "fetch_balance",
    "fetch_currencies",
    "fetch_trading_fees",
    "load_markets",
}
# What ccxt's runner excuses at the venue itself: books of spot without a time, and trades whose
# price rose between two sales; the collateral of a position too small to have a liquidation price.
# ccxt's test of createOrder adds text to numbers and cannot run in Python.
EXCUSED = {
    "fetch_trades": {"sideSequence"},
    "watch_trades": {"sideSequence"},
    "watch_trades_for_symbols": {"sideSequence"},
    "fetch_l2_order_book": {"timestamp", "datetime"},
    "fetch_order_book": {"timestamp", "datetime"},
    "fetch_positions": {"collateral"},
    "watch_order_book": {"timestamp", "datetime"},
    "watch_order_book_for_symbols": {"timestamp", "datetime"},
}
NOT_SPOT = {"fetch_positions"}
NOT_SWAP = {"fetch_currencies", "fetch_trading_fee", "fetch_trading_fees"}
STREAMS = [
    "watch_bids_asks",
    "watch_ohlcv",
    "watch_order_book",
    "watch_order_book_for_symbols",
    "watch_ticker",
    "watch_tickers",
    "watch_trades",
    "watch_trades_for_symbols",
    "watch_balance",
    "watch_my_trades",
    "watch_orders",
]
LISTS = {"watch_order_book_for_symbols", "watch_trades_for_symbols"}


@pytest.fixture(scope="module")
def server() -> Iterator[VenueServer]:
    # The suite asks faster than a venue would let it.
    limits = Limits(spot_weight=100_000, usdm_weight=100_000, spot_orders=5_000, usdm_orders=5_000)
    with VenueServer(warm_up_s=180, limits=limits) as running:
        yield running


def own_test(folder: str, name: str) -> Any:
    return getattr(importlib.import_module(f"{folder}.test_{name}"), f"test_{name}")


def arguments(name: str, symbol: str) -> list[Any]:
    if name in BARE:
        return []
    if name in LISTS:
        return [[symbol]]
    return [symbol]


def excused(name: str) -> dict[str, str]:
    return dict.fromkeys(EXCUSED.get(name, ()), "not given by the venue")


def applies(name: str, kind: str) -> bool:
    return name not in (NOT_SPOT if kind == "spot" else NOT_SWAP)


def prepared(module: Any, kind: str, server: VenueServer) -> Any:
    """A client with something to look at: an open order, a closed one and a trade."""
    exchange, symbol = only(client(module, kind, server), kind), SYMBOL[kind]
    exchange.load_markets()
    bid = exchange.fetch_order_book(symbol, 5)["bids"][0][0]
    exchange.create_order(symbol, "limit", "buy", 0.01, round(bid * 0.9, 1))
    exchange.create_order(symbol, "market", "buy", 0.01)
    return exchange


def only(exchange: Any, kind: str) -> Any:
    """The client told what the exchange lists: no delivery futures, no options."""
    exchange.options["fetchMarkets"] = {"types": ["spot" if kind == "spot" else "linear"]}
    exchange.has = {**exchange.has, "spot": kind == "spot", "swap": kind == "swap"}
    exchange.has |= {"future": False, "option": False}
    return exchange


CASES = [(kind, name) for kind in KINDS for name in REST if applies(name, kind)]


@pytest.fixture(scope="module")
def sync_clients(server: VenueServer) -> dict[str, Any]:
    return {kind: prepared(ccxt, kind, server) for kind in KINDS}


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_sync(sync_clients: dict[str, Any], kind: str, name: str) -> None:
    run = own_test("ccxt.test.exchange.sync", name)
    run(sync_clients[kind], excused(name), *arguments(name, SYMBOL[kind]))


@pytest.mark.parametrize(("kind", "name"), CASES)
@pytest.mark.usefixtures("sync_clients")
def test_async(server: VenueServer, kind: str, name: str) -> None:
    async def go() -> None:
        exchange = client(importlib.import_module("ccxt.async_support"), kind, server)
        try:
            await only(exchange, kind).load_markets()
            run = own_test("ccxt.test.exchange.async", name)
            outcome = run(exchange, excused(name), *arguments(name, SYMBOL[kind]))
            if asyncio.iscoroutine(outcome):
                await outcome
        finally:
            await exchange.close()

    asyncio.run(asyncio.wait_for(go(), 60))


async def keep_trading(kind: str, server: VenueServer) -> None:
    """Gives the private streams something to tell."""
    exchange, symbol = client(importlib.import_module("ccxt.async_support"), kind, server), ""
    symbol = SYMBOL[kind]
    try:
        await exchange.load_markets()
        for turn in range(10_000):
            await exchange.create_order(symbol, "market", ["buy", "sell"][turn % 2], 0.001)
            await asyncio.sleep(0.2)
    finally:
        await exchange.close()


async def watched(kind: str, name: str, server: VenueServer) -> None:
    exchange = client(importlib.import_module("ccxt.pro"), kind, server)
    try:
        await exchange.load_markets()
        run = own_test("ccxt.pro.test.Exchange", name)
        await asyncio.wait_for(run(exchange, excused(name), *arguments(name, SYMBOL[kind])), 60)
    finally:
        await exchange.close()


@pytest.mark.parametrize("kind", KINDS)
def test_pro(server: VenueServer, kind: str) -> None:
    """All streams at once, as each of ccxt's tests watches for fifteen seconds."""
    # Futures streams do not say what of a balance is free, nor what a position is worth, here as at
    # the venue; ccxt's tests ask for both.
    names = [name for name in STREAMS if kind == "spot" or name != "watch_balance"]

    async def go() -> list[Any]:
        trader = asyncio.ensure_future(keep_trading(kind, server))
        every = [watched(kind, name, server) for name in names]
        results = await asyncio.gather(*every, return_exceptions=True)
        trader.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await trader
        return results

    outcomes = dict(zip(names, asyncio.run(go()), strict=True))
    failed = {name: error for name, error in outcomes.items() if error is not None}
    assert not failed
