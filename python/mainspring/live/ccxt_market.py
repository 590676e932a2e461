"""Market data of a venue by ccxt: books, trades, mark prices and funding."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from mainspring.data.instruments import Instrument
from mainspring.errors import MainspringError
from mainspring.live.ccxt_access import Access
from mainspring.live.ccxt_books import Newest, Shown, counted, on_grid
from mainspring.live.ccxt_wires import Wire, Wires, longer
from mainspring.live.ccxt_words import Words, plain

# Funding rates change slowly, and some venues tell those of all instruments at once.
_FUNDING_S = 10.0


class Market:
    """What a session subscribes to, each stream of each instrument in a task of its own."""

    def __init__(self, access: Access, wires: Wires) -> None:
        self._access, self._client, self._wires = access, access.client, wires
        self._due: dict[str, float] = {}
        self._waits: dict[str, float] = {}

    def heed(self, wire: Wire, message: Words) -> None:
        """Begins or ends what a connection is subscribed to."""
        for symbol in message["symbols"]:
            for name, work in self._streams(wire, message["stream"], symbol):
                if message["do"] == "leave":
                    wire.stop(name)
                else:
                    wire.begin(name, self._kept(wire, name, symbol, work))

    def _streams(
        self, wire: Wire, stream: str, symbol: str
    ) -> list[tuple[str, Callable[[], Awaitable[None]]]]:
        name = f"{stream} {symbol}"
        if stream == "book":
            return [(name, lambda: self._book(wire, name, symbol))]
        if stream == "trades":
            return [(name, lambda: self._trades(wire, name, symbol))]
        if not self._client.markets[symbol].get("contract"):
            return []
        funding = f"funding {symbol}"
        return [
            (name, lambda: self._marks(wire, name, symbol)),
            (funding, lambda: self._funding(wire, funding, symbol)),
        ]

    async def _kept(
        self, wire: Wire, name: str, symbol: str, work: Callable[[], Awaitable[None]]
    ) -> None:
        """Goes on with a stream that failed, while other books are heard; else all is lost."""
        while True:
            await asyncio.sleep(max(0.0, self._due.get(name, 0.0) - time.monotonic()))
            try:
                return await work()
            except asyncio.CancelledError:
                raise
            except MainspringError:
                return None  # the session is over
            except Exception as error:
                wait_s = self._waits[name] = longer(self._waits.get(name, 0.0))
                self._due[name] = time.monotonic() + wait_s
                wire.failing.add(name)
                if not self._tell_failure(wire, name, symbol, error):
                    return None

    def _tell_failure(self, wire: Wire, name: str, symbol: str, error: Exception) -> bool:
        """Says what is lost; false when it is the connection."""
        marks = name.split(maxsplit=1)[0] in ("mark", "funding")
        others = {f"book {one}" for one in self._access.symbols if one != symbol}
        if not marks and others <= wire.failing:
            self._wires.lost(wire, error)
            return False
        try:
            self._wires.tell(wire, {"refused": f"{name}: {self._access.shown(error)}"})
            if not marks:
                self._wires.tell(wire, {"lost": symbol})
        except MainspringError:
            return False
        return True

    def _tell(self, wire: Wire, name: str, message: Words) -> None:
        self._waits.pop(name, None)
        wire.failing.discard(name)
        wire.told.add(name)
        self._wires.tell(wire, message)

    # Books

    async def _book(self, wire: Wire, name: str, symbol: str) -> None:
        client, depth = self._client, self._access.depth
        streamed, book = self._access.has("watchOrderBook"), Shown()
        if name in wire.told:
            # A stream that goes on tells nothing while nothing changes.
            self._show(wire, name, symbol, book, await client.fetch_order_book(symbol, depth))
        while True:
            if streamed:
                # ccxt's own limit is one of a few of each venue's: what is deeper is cut off here.
                seen = await client.watch_order_book(symbol)
            else:
                seen = await client.fetch_order_book(symbol, depth)
            self._show(wire, name, symbol, book, seen)
            if not streamed:
                await asyncio.sleep(self._access.poll_s)

    def _show(
        self, wire: Wire, name: str, symbol: str, book: Shown, seen: Mapping[str, Any]
    ) -> None:
        one = self._access.instruments[symbol]
        grid, depth = (float(one.tick), float(one.lot)), self._access.depth
        bids, asks = (counted(seen[side], grid, depth) for side in ("bids", "asks"))
        whole = book.is_empty
        changes = (book.bids_to(bids), book.asks_to(asks))
        if any(changes):
            told = {"book": symbol, "whole": int(whole), "ms": _now_ms(seen.get("timestamp"))}
            bid_rows, ask_rows = (_levels(side, one) for side in changes)
            self._tell(wire, name, {**told, "bids": bid_rows, "asks": ask_rows})

    # Trades

    async def _trades(self, wire: Wire, name: str, symbol: str) -> None:
        client, last = self._client, Newest()
        streamed = self._access.has("watchTrades")
        ask = client.watch_trades if streamed else client.fetch_trades
        while True:
            rows = [self._trade(symbol, one) for one in last.new(await ask(symbol))]
            if rows := [row for row in rows if row is not None]:
                self._tell(wire, name, {"trades": symbol, "rows": rows})
            if not streamed:
                await asyncio.sleep(self._access.poll_s)

    def _trade(self, symbol: str, trade: Mapping[str, Any]) -> list[Any] | None:
        if trade.get("side") not in ("buy", "sell") or not trade.get("price"):
            return None  # who took is not guessed
        one = self._access.instruments[symbol]
        lots = int(trade["amount"] / float(one.lot) + 1e-9)
        if lots <= 0:
            return None
        price = f"{on_grid(trade['price'], float(one.tick)) * one.tick:f}"
        return [price, f"{lots * one.lot:f}", trade["side"], _now_ms(trade.get("timestamp"))]

    # Mark prices and funding

    async def _marks(self, wire: Wire, name: str, symbol: str) -> None:
        """Mark prices where ccxt has a stream of them, or no funding rate that tells them too."""
        if self._access.has("watchMarkPrice"):
            while True:
                self._mark(wire, name, symbol, await self._client.watch_mark_price(symbol))
        if self._access.has("fetchMarkPrice") and not self._tells_funding():
            while True:
                self._mark(wire, name, symbol, await self._client.fetch_mark_price(symbol))
                await asyncio.sleep(self._access.poll_s)

    def _tells_funding(self) -> bool:
        return self._access.has("watchFundingRate") or self._access.has("fetchFundingRate")

    def _mark(self, wire: Wire, name: str, symbol: str, seen: Mapping[str, Any]) -> None:
        if (price := plain(seen.get("markPrice"))) is not None:
            told = {"mark": symbol, "price": price, "ms": _now_ms(seen.get("timestamp"))}
            self._tell(wire, name, told)

    async def _funding(self, wire: Wire, name: str, symbol: str) -> None:
        """The rate of the running period and when it is settled."""
        if self._client.markets[symbol].get("type") != "swap" or not self._tells_funding():
            return
        streamed, marks = self._access.has("watchFundingRate"), self._access.has("watchMarkPrice")
        while True:
            if streamed:
                seen = await self._client.watch_funding_rate(symbol)
            else:
                seen = await self._client.fetch_funding_rate(symbol)
            words: Words = {
                "price": None if marks else plain(seen.get("markPrice")),
                "rate": plain(seen.get("fundingRate")),
                "next_ms": seen.get("fundingTimestamp"),
            }
            if known := {word: value for word, value in words.items() if value is not None}:
                now = _now_ms(seen.get("timestamp"))
                self._tell(wire, name, {"mark": symbol, **known, "ms": now})
            if not streamed:
                await asyncio.sleep(max(_FUNDING_S, self._access.poll_s))


def _levels(changes: Sequence[tuple[int, int]], one: Instrument) -> list[list[str]]:
    return [[f"{ticks * one.tick:f}", f"{lots * one.lot:f}"] for ticks, lots in changes]


def _now_ms(time_ms: Any) -> int:
    return int(time_ms or time.time() * 1e3)
