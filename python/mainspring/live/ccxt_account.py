"""The account at a venue by ccxt: what it tells of orders and fills, and what it is asked for."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

from mainspring.live.ccxt_access import Access
from mainspring.live.ccxt_books import Newest
from mainspring.live.ccxt_orders import NotThere, Orders
from mainspring.live.ccxt_wires import Wire, Wires
from mainspring.live.ccxt_words import Words, balance_words, fill_words, position_words

_REMEMBERED = 16_384
_PAGES = 50
# Fills are listed a little twice rather than once too few.
_OVERLAP_MS = 60_000


class Account:
    """Statements about orders and fills, and answers about what the account has."""

    def __init__(self, access: Access, orders: Orders, wires: Wires) -> None:
        self._access, self._client = access, access.client
        self._orders, self._wires = orders, wires

    def listen(self, wire: Wire) -> None:
        """Begins to tell of orders and fills: by streams, or by asking where there are none."""
        for symbol in self._access.symbols:
            orders = self._told if self._access.has("watchOrders") else self._asked
            fills = self._fills if self._access.has("watchMyTrades") else self._fills_asked
            wire.begin(f"orders {symbol}", self._wires.guarded(wire, orders(wire, symbol)))
            wire.begin(f"fills {symbol}", self._wires.guarded(wire, fills(wire, symbol)))

    async def _told(self, wire: Wire, symbol: str) -> None:
        while True:
            orders = await self._client.watch_orders(symbol)
            self._wires.tell(wire, {"orders": [self._orders.words(one) for one in orders]})

    async def _asked(self, wire: Wire, symbol: str) -> None:
        """Orders of a venue without a stream of them: what is listed, and what is no more."""
        before: dict[str, str] = {}
        while True:
            listed = await self._client.fetch_open_orders(symbol)
            told = [self._orders.words(one) for one in listed]
            now = {one["id"]: one.get("client", "") for one in told}
            for gone in before.keys() - now.keys():
                with contextlib.suppress(NotThere):
                    found = await self._orders.find(symbol, before[gone], gone)
                    told.append(self._orders.words(found))
            before = now
            self._wires.tell(wire, {"orders": told})
            await asyncio.sleep(self._access.poll_s)

    async def _fills(self, wire: Wire, symbol: str) -> None:
        last = Newest(_REMEMBERED)
        while True:
            trades = last.new(await self._client.watch_my_trades(symbol))
            await self._tell_fills(wire, symbol, trades)

    async def _fills_asked(self, wire: Wire, symbol: str) -> None:
        last, since_ms = Newest(_REMEMBERED), int(time.time() * 1e3) - _OVERLAP_MS
        while True:
            trades = await self._client.fetch_my_trades(symbol, since_ms)
            await self._tell_fills(wire, symbol, last.new(trades))
            newest = max((int(one.get("timestamp") or 0) for one in trades), default=0)
            since_ms = max(since_ms, newest - _OVERLAP_MS)
            await asyncio.sleep(self._access.poll_s)

    async def _tell_fills(
        self, wire: Wire, symbol: str, trades: Sequence[Mapping[str, Any]]
    ) -> None:
        if told := await self._fill_words(symbol, trades):
            self._wires.tell(wire, {"fills": told})

    async def _fill_words(self, symbol: str, trades: Sequence[Mapping[str, Any]]) -> list[Words]:
        one, names = self._access.instruments[symbol], self._orders
        return [fill_words(trade, one, await names.name_of(symbol, trade)) for trade in trades]

    # Requests

    async def fills(self, ask: Words) -> Words:
        """All fills since a time, page by page."""
        symbol, since_ms, last = ask["symbol"], int(ask["since_ms"]), Newest(_PAGES * 10_000)
        told: list[Words] = []
        page = 1
        for _ in range(_PAGES):
            trades = await self._client.fetch_my_trades(symbol, max(0, since_ms))
            new = last.new([one for one in trades if int(one.get("timestamp") or 0) >= since_ms])
            told += await self._fill_words(symbol, new)
            newest = max((int(trade.get("timestamp") or 0) for trade in new), default=since_ms)
            if not new and len(trades) < page:
                break
            # A whole page of one millisecond, all of it known: on to the next.
            page, since_ms = max(page, len(trades)), newest if new else since_ms + 1
        return {"fills": told}

    async def balances(self, _ask: Words) -> Words:
        """What the account has."""
        known = self._access.instruments.values()
        currencies = {name for one in known for name in (one.base, one.quote)}
        return {"balances": balance_words(await self._client.fetch_balance(), currencies)}

    async def positions(self, _ask: Words) -> Words:
        """Positions in contracts."""
        found = await self._client.fetch_positions(list(self._access.symbols))
        return {"positions": position_words(found, list(self._access.instruments.values()))}

    async def position_mode(self, _ask: Words) -> Words:
        """Whether long and short positions are kept apart, where ccxt tells it."""
        if not self._access.has("fetchPositionMode"):
            return {}
        mode = await self._client.fetch_position_mode(self._access.symbols[0])
        return {"hedged": bool(mode.get("hedged"))}

    async def fees(self, ask: Words) -> Words:
        """What trading costs, where ccxt tells it."""
        if not self._access.has("fetchTradingFee"):
            return {}
        fee = await self._client.fetch_trading_fee(ask["symbol"])
        told = {name: fee.get(name) for name in ("maker", "taker")}
        return {name: f"{value:.12g}" for name, value in told.items() if value is not None}
