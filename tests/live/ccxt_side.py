"""A venue by ccxt's interface, without ccxt: an account in this process and clients of it.

Tests say what goes wrong: `script` holds, for the next calls of a method, an exception before
anything is done (`Before`), one after it was done (`After`), or an answer that never comes
(`Hangs`). What is not in the script works.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SYMBOL = "BTC/EUR"
MARKET = {
    "symbol": SYMBOL, "type": "spot", "base": "BTC", "quote": "EUR", "contractSize": None,
    "contract": False, "active": True, "precision": {"price": 0.1, "amount": 0.0001},
    "maker": 0.001, "taker": 0.002,
    "limits": {"amount": {"min": 0.0001}, "cost": {"min": 5.0}},
}  # fmt: skip
STREAMS = ("watchOrderBook", "watchTrades", "watchOrders", "watchMyTrades")
METHODS = (
    "createOrder", "cancelOrder", "fetchOpenOrders", "fetchOrders", "fetchOrder", "fetchMyTrades",
    "fetchBalance", "fetchTime", "cancelAllOrders", "createMarketOrder", "createPostOnlyOrder",
    "createOrders", "cancelOrders", "cancelAllOrdersAfter",
)  # fmt: skip


def error(name: str, base: Any = Exception) -> Any:
    """An exception of ccxt's name; those that it means one of are told by their bases."""
    return type(name, (base,), {})


ExchangeError = error("ExchangeError")
InsufficientFunds = error("InsufficientFunds", ExchangeError)
OrderNotFound = error("OrderNotFound", error("InvalidOrder", ExchangeError))
AuthenticationError = error("AuthenticationError", ExchangeError)
NetworkError = error("NetworkError")
RequestTimeout = error("RequestTimeout", NetworkError)
RateLimitExceeded = error("RateLimitExceeded", NetworkError)
ExchangeNotAvailable = error("ExchangeNotAvailable", NetworkError)


@dataclass(frozen=True)
class Before:
    """Nothing is done, and this is raised."""

    error: Exception


@dataclass(frozen=True)
class After:
    """It is done, and this is raised."""

    error: Exception


@dataclass(frozen=True)
class Hangs:
    """It is done, and no answer comes."""


@dataclass
class Blocks:
    """The client does nothing else until this is let go."""

    begun: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)


Step = Before | After | Hangs | Blocks


class Side:
    """The account at the venue."""

    def __init__(self) -> None:
        self.orders: dict[str, dict[str, Any]] = {}
        self.trades: list[dict[str, Any]] = []
        self.told: list[dict[str, Any]] = []
        self.calls: list[str] = []
        self.countdowns: list[int] = []
        self.params: list[dict[str, Any]] = []
        self.script: dict[str, deque[Step]] = {}
        self.down = False
        self._newest_ms = 0
        self._ids = itertools.count(1)

    def plan(self, method: str, *steps: Step) -> None:
        """What becomes of the next calls of a method."""
        self.script.setdefault(method, deque()).extend(steps)

    def open_orders(self) -> list[dict[str, Any]]:
        return [one for one in self.orders.values() if one["status"] == "open"]

    def place(self, side: str, price: float, amount: float, client: str = "") -> dict[str, Any]:
        order = {
            "id": f"V{next(self._ids)}", "clientOrderId": client, "symbol": SYMBOL, "side": side,
            "status": "open", "price": price, "amount": amount, "filled": 0.0,
            "timestamp": int(time.time() * 1e3),
        }  # fmt: skip
        self.orders[order["id"]] = order
        self._tell(order)
        return dict(order)

    def cancel(self, venue_id: str, *, told: bool = True) -> dict[str, Any]:
        order = self.orders.get(venue_id)
        if order is None or order["status"] != "open":
            raise OrderNotFound(f"no open order {venue_id}")
        order["status"] = "canceled"
        if told:
            self._tell(order)
        return dict(order)

    def fill(self, venue_id: str, amount: float) -> None:
        order = self.orders[venue_id]
        order["filled"] = round(order["filled"] + amount, 8)
        if order["filled"] >= order["amount"]:
            order["status"] = "closed"
        self._newest_ms = max(self._newest_ms + 1, int(time.time() * 1e3))
        self.trades.append({
            "id": f"T{len(self.trades) + 1}", "order": venue_id, "symbol": SYMBOL,
            "side": order["side"], "price": order["price"], "amount": amount,
            "takerOrMaker": "maker", "timestamp": self._newest_ms,
            "fee": {"cost": 0.01, "currency": "EUR"},
        })  # fmt: skip
        self._tell(order)

    def position(self) -> float:
        signs = {"buy": 1, "sell": -1}
        return round(sum(signs[one["side"]] * one["amount"] for one in self.trades), 8)

    def _tell(self, order: Mapping[str, Any]) -> None:
        self.told.append(dict(order))


class Client:
    """A client of ccxt.pro at that venue."""

    id = "somewhere"
    precisionMode = 4  # noqa: N815

    def __init__(self, side: Side, *, streams: bool = True, lacks: tuple[str, ...] = ()) -> None:
        self.side = side
        has = {**dict.fromkeys(STREAMS, streams), **dict.fromkeys(METHODS, True)}
        self.has = {name: there and name not in lacks for name, there in has.items()}
        self.options: dict[str, Any] = {}
        self.features: dict[str, Any] = {}
        self.refused_price, self.nameless = 0.0, False
        self.markets = {SYMBOL: MARKET}
        self.apiKey = self.secret = ""
        self.last_response_headers: dict[str, str] = {}
        self.closed = False
        self._seen = {"orders": len(side.told), "fills": len(side.trades)}
        self._deaf: set[str] = set()
        self._sights = 0

    async def _asked(self, method: str) -> Step | None:
        """What the script has for this call; an exception that comes before is raised."""
        side = self.side
        side.calls.append(method)
        await asyncio.sleep(0.001)
        if side.down:
            raise NetworkError("nobody answers")
        step = side.script[method].popleft() if side.script.get(method) else None
        if isinstance(step, Before):
            raise step.error
        if isinstance(step, Blocks):
            step.begun.set()
            assert step.go.wait(60)
        return step

    async def _done(self, step: Step | None, answer: Any) -> Any:
        if isinstance(step, After):
            raise step.error
        if isinstance(step, Hangs):
            await asyncio.sleep(3_600)
        return answer

    async def load_markets(self, _reload: bool = False) -> dict[str, Any]:
        await self._asked("load_markets")
        return self.markets

    async def fetch_time(self) -> int:
        await self._asked("fetch_time")
        return int(time.time() * 1e3)

    # Market data

    async def fetch_order_book(self, _symbol: str, _depth: int = 0) -> dict[str, Any]:
        await self._asked("fetch_order_book")
        self._sights += 1
        bids = [[round(50_000 - 0.1 * n, 1), 0.5 + self._sights % 2] for n in range(1, 6)]
        asks = [[round(50_000 + 0.1 * n, 1), 0.5 + n] for n in range(1, 6)]
        return {"bids": bids, "asks": asks, "timestamp": time.time() * 1e3}

    async def watch_order_book(self, symbol: str) -> dict[str, Any]:
        await asyncio.sleep(0.02)
        return await self.fetch_order_book(symbol)

    async def fetch_trades(self, _symbol: str) -> list[dict[str, Any]]:
        return []

    async def watch_trades(self, _symbol: str) -> list[dict[str, Any]]:
        await asyncio.sleep(3_600)
        return []

    # The account

    async def watch_orders(self, _symbol: str) -> list[dict[str, Any]]:
        return await self._heard("orders", self.side.told)

    async def watch_my_trades(self, _symbol: str) -> list[dict[str, Any]]:
        return await self._heard("fills", self.side.trades)

    async def _heard(self, stream: str, all_told: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """What is new of a stream; what came while it was down is not heard."""
        if stream in self._deaf:
            self._deaf.discard(stream)
            self._seen[stream] = len(all_told)
        while len(all_told) <= self._seen[stream] and not self.side.down:
            await asyncio.sleep(0.005)
        if self.side.down:
            self._deaf.add(stream)
            raise NetworkError("the stream ended")
        new, self._seen[stream] = all_told[self._seen[stream] :], len(all_told)
        return [dict(one) for one in new]

    async def create_order(
        self, _symbol: str, _kind: str, side: str, amount: float, price: float | None, params: Any
    ) -> dict[str, Any]:
        step = await self._asked("create_order")
        self.side.params.append(params)
        order = self.side.place(side, price or 50_000.0, amount, params["clientOrderId"])
        return dict(await self._done(step, order))

    async def cancel_order(self, venue_id: str, _symbol: str) -> dict[str, Any]:
        step = await self._asked("cancel_order")
        return dict(await self._done(step, self.side.cancel(venue_id)))

    async def create_orders(self, orders: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """As many as have a price that is not refused; ccxt sorts what it answers by time."""
        step = await self._asked("create_orders")
        answers = []
        for one in orders:
            client = one["params"]["clientOrderId"]
            if one["price"] == self.refused_price:
                refused = {"code": "-2010", "msg": f"no room at {one['price']}"}
                answers.append({"id": None, "clientOrderId": client, "status": "rejected",
                                "info": refused, "timestamp": None})  # fmt: skip
            else:
                answers.append(self.side.place(one["side"], one["price"], one["amount"], client))
        if self.nameless:
            answers = [{**one, "clientOrderId": None} for one in answers]
        return [dict(one) for one in await self._done(step, answers[::-1])]

    async def cancel_orders(self, ids: list[str], _symbol: str) -> list[dict[str, Any]]:
        step = await self._asked("cancel_orders")
        return list(await self._done(step, [self.side.cancel(one) for one in ids]))

    async def cancel_all_orders_after(self, timeout_ms: int) -> dict[str, Any]:
        self.side.countdowns.append(timeout_ms)
        await self._asked("cancel_all_orders_after")
        return {}

    def feature_value(self, _symbol: str, method: str) -> dict[str, Any]:
        """What ccxt knows of a method in a market."""
        return dict(self.features.get(method, {}))

    async def edit_order(
        self, venue_id: str, _symbol: str, _kind: str, side: str, amount: float, price: float,
        params: Any,
    ) -> dict[str, Any]:  # fmt: skip
        step = await self._asked("edit_order")
        if (client := params.get("clientOrderId")) is not None:
            self.side.cancel(venue_id)
            return dict(await self._done(step, self.side.place(side, price, amount, client)))
        order = self.side.orders[venue_id]
        order.update(price=price, amount=amount)
        return dict(await self._done(step, {"id": venue_id, "symbol": SYMBOL}))

    async def cancel_all_orders(self, _symbol: str) -> list[dict[str, Any]]:
        await self._asked("cancel_all_orders")
        return [self.side.cancel(one["id"]) for one in self.side.open_orders()]

    async def fetch_order(self, venue_id: str, _symbol: str, _params: Any) -> dict[str, Any]:
        await self._asked("fetch_order")
        if venue_id not in self.side.orders:
            raise OrderNotFound(venue_id)
        return dict(self.side.orders[venue_id])

    async def fetch_open_orders(self, _symbol: str) -> list[dict[str, Any]]:
        await self._asked("fetch_open_orders")
        return [dict(one) for one in self.side.open_orders()]

    async def fetch_orders(self, _symbol: str) -> list[dict[str, Any]]:
        await self._asked("fetch_orders")
        return [dict(one) for one in self.side.orders.values()]

    async def fetch_my_trades(self, _symbol: str, since: int) -> list[dict[str, Any]]:
        await self._asked("fetch_my_trades")
        # Pages of two.
        return [dict(one) for one in self.side.trades if one["timestamp"] >= since][:2]

    async def fetch_balance(self) -> dict[str, Any]:
        await self._asked("fetch_balance")
        held = {"BTC": round(10.0 + self.side.position(), 8), "EUR": 100_000.0}
        return {"total": held, "free": dict(held)}

    async def close(self) -> None:
        self.closed = True
