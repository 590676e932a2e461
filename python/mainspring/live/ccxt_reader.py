"""Reads a venue by ccxt on a thread of its own and brings what comes to a paper session."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import ROUND_CEILING, Decimal
from typing import Any

from mainspring import _core
from mainspring.data.instruments import Instrument, Kind, instrument
from mainspring.errors import ConfigError, MainspringError
from mainspring.live.ccxt_feed import SLOWER, CcxtFeed
from mainspring.live.config import span_ns

_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.25, 30.0


class CcxtReader:
    """Reads a venue by ccxt on a thread of its own and brings what comes to a session.

    Raises:
        ConfigError: The venue cannot be reached, or a symbol cannot be traded by this engine.
    """

    def __init__(self, feed: CcxtFeed, *, timeout_s: float = 30.0) -> None:
        self._feed = feed
        self._client = feed.make_client()
        self._loop = asyncio.new_event_loop()
        self._poll_s = span_ns(feed.poll, "poll") / 1e9
        self._stale_s = max(0.1, span_ns(feed.stale, "stale") / 1e9)
        self._missing = set(range(len(feed.symbols)))
        self._up = False
        self._thread = threading.Thread(target=self._turn, name="ccxt", daemon=True)
        self._thread.start()
        try:
            self.instruments = self._load(timeout_s)
            told = [one.to_dict() for one in self.instruments]
            self.pusher = _core.FeedPusher(feed.venue, json.dumps(told))
        except BaseException:
            self.close()
            raise
        self.pusher.note("warning", SLOWER.format(venue=feed.venue))
        self._grids = [(float(one.tick), float(one.lot)) for one in self.instruments]

    def _turn(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _load(self, timeout_s: float) -> list[Instrument]:
        loading = asyncio.run_coroutine_threadsafe(self._client.load_markets(), self._loop)
        try:
            markets = loading.result(timeout_s)
        except Exception as error:
            loading.cancel()
            what = f"{self._feed.venue}: its markets cannot be read: {type(error).__name__}"
            raise ConfigError(what) from error
        return [self._instrument(markets, symbol) for symbol in self._feed.symbols]

    def _instrument(self, markets: Mapping[str, Any], symbol: str) -> Instrument:
        if symbol not in markets:
            raise ConfigError(f"ccxt knows no {symbol} of {self._feed.exchange}")
        market = markets[symbol]
        return instrument_of(self._feed.venue, market, int(self._client.precisionMode))

    def begin(self) -> None:
        """Begins to read; the session must be there."""
        for index, symbol in enumerate(self._feed.symbols):
            for work in (self._books(index, symbol), self._trades(index, symbol)):
                asyncio.run_coroutine_threadsafe(work, self._loop)

    def close(self) -> None:
        """Ends the thread and the client's connections."""
        if self._loop.is_closed() or not self._thread.is_alive():
            return
        closing = asyncio.run_coroutine_threadsafe(self._close(), self._loop)
        # What cannot be closed in time goes with the process.
        with contextlib.suppress(Exception):
            closing.result(5.0)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5.0)

    async def _close(self) -> None:
        mine = asyncio.current_task()
        tasks = [task for task in asyncio.all_tasks() if task is not mine]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._client.close()

    # Books

    async def _books(self, index: int, symbol: str) -> None:
        book = Shown()
        wait_s = _FIRST_WAIT_S
        while True:
            try:
                await self._watch_book(index, symbol, book)
            except asyncio.CancelledError:
                raise
            except MainspringError:
                return  # the session is over
            except Exception as error:
                if not self._lost(index, symbol, error):
                    return
                book.clear()
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
            else:
                wait_s = _FIRST_WAIT_S

    async def _watch_book(self, index: int, symbol: str, book: Shown) -> None:
        """One sight of a book, or one question about it when nothing comes."""
        depth = self._feed.depth
        watched = self._client.has.get("watchOrderBook")
        if not watched:
            if not book.is_empty:
                await asyncio.sleep(self._poll_s)
            self._show(index, book, await self._client.fetch_order_book(symbol, depth))
            return
        try:
            # ccxt's own limit is one of a few of each venue's: what is deeper is cut off here.
            seen = await asyncio.wait_for(self._client.watch_order_book(symbol), self._stale_s)
        except TimeoutError:
            seen = await self._client.fetch_order_book(symbol, depth)
        self._show(index, book, seen)

    def _show(self, index: int, book: Shown, seen: Mapping[str, Any]) -> None:
        grid, depth = self._grids[index], self._feed.depth
        bids, asks = (counted(seen[side], grid, depth) for side in ("bids", "asks"))
        whole = book.is_empty
        changes = (book.bids_to(bids), book.asks_to(asks))
        exch_ns = int((seen.get("timestamp") or time.time() * 1e3) * 1e6)
        if whole:
            self._there(index)
        self.pusher.book(index, changes[0], changes[1], exch_ns, whole)

    def _there(self, index: int) -> None:
        """A book is whole: the venue is there when all are."""
        self._missing.discard(index)
        if not self._missing and not self._up:
            self._up = True
            self.pusher.link(True, "")

    def _lost(self, index: int, symbol: str, error: Exception) -> bool:
        """Marks a book as lost; false when the session is over."""
        why = f"{symbol}: {type(error).__name__}: {error}"[:300]
        self._missing.add(index)
        try:
            self.pusher.note("warning", why)
            self.pusher.gap(index)
            if self._up:
                self._up = False
                self.pusher.link(False, why)
        except MainspringError:
            return False
        return True

    # Trades

    async def _trades(self, index: int, symbol: str) -> None:
        has, last = self._client.has, Newest()
        streamed = bool(has.get("watchTrades"))
        ask: Callable[[str], Awaitable[Any]]
        ask = self._client.watch_trades if streamed else self._client.fetch_trades
        wait_s = _FIRST_WAIT_S
        while True:
            try:
                seen = await ask(symbol)
                rows = [self._trade(index, one) for one in last.new(seen)]
                if rows := [row for row in rows if row is not None]:
                    self.pusher.trades(index, rows)
                wait_s = _FIRST_WAIT_S
                if not streamed:
                    await asyncio.sleep(self._poll_s)
            except asyncio.CancelledError:
                raise
            except MainspringError:
                return  # the session is over
            except Exception as error:
                self.pusher.note("warning", f"{symbol}: trades: {type(error).__name__}")
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, _LONGEST_WAIT_S)

    def _trade(self, index: int, trade: Mapping[str, Any]) -> tuple[int, int, bool, int] | None:
        tick, lot = self._grids[index]
        if trade.get("side") not in ("buy", "sell") or not trade.get("price"):
            return None  # who took is not guessed
        lots = int(trade["amount"] / lot + 1e-9)
        exch_ns = int((trade.get("timestamp") or time.time() * 1e3) * 1e6)
        ticks = on_grid(trade["price"], tick)
        return (ticks, lots, trade["side"] == "sell", exch_ns) if lots > 0 else None


class Newest:
    """Tells trades that were not seen before: streams and lists repeat some."""

    def __init__(self, remembered: int = 4_096) -> None:
        self._seen: dict[str, None] = {}
        self._remembered = remembered

    def new(self, trades: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Those that are new, in the order given."""
        found = []
        for trade in trades:
            known = trade.get("id")
            if known is not None and known in self._seen:
                continue
            if known is not None:
                self._seen[known] = None
            found.append(trade)
        while len(self._seen) > self._remembered:
            del self._seen[next(iter(self._seen))]
        return found


Levels = dict[int, int]


class Shown:
    """The book as the session was told."""

    def __init__(self) -> None:
        self._bids: Levels = {}
        self._asks: Levels = {}

    @property
    def is_empty(self) -> bool:
        """Whether nothing was told yet, or nothing that still counts."""
        return not self._bids and not self._asks

    def clear(self) -> None:
        """What was told does not count any more."""
        self._bids, self._asks = {}, {}

    def bids_to(self, now: Levels) -> list[tuple[int, int]]:
        """Levels that changed, as price and new quantity; those that are gone have none."""
        before, self._bids = self._bids, now
        return changed(before, now)

    def asks_to(self, now: Levels) -> list[tuple[int, int]]:
        """As `bids_to`."""
        before, self._asks = self._asks, now
        return changed(before, now)


def changed(before: Levels, now: Levels) -> list[tuple[int, int]]:
    """What leads from one side of a book to another: removals first."""
    gone = [(price, 0) for price in before if price not in now]
    return gone + [(price, qty) for price, qty in now.items() if before.get(price) != qty]


def counted(side: Sequence[Sequence[float]], grid: tuple[float, float], depth: int) -> Levels:
    """One side of ccxt's book in ticks and lots, without levels of less than a lot."""
    tick, lot = grid
    levels: Levels = {}
    for level in side[:depth]:
        lots = int(level[1] / lot + 1e-9)
        if lots > 0:
            levels[on_grid(level[0], tick)] = lots
    return levels


def on_grid(price: float, tick: float) -> int:
    """A price in ticks.

    Raises:
        ValueError: It lies between two.
    """
    steps = price / tick
    ticks = round(steps)
    if abs(steps - ticks) > 1e-6 + 1e-9 * abs(steps):
        raise ValueError(f"a price of {price} is not on the grid of {tick} that ccxt names")
    return ticks


_DECIMAL_PLACES, _TICK_SIZE = 2, 4


def instrument_of(venue: str, market: Mapping[str, Any], mode: int) -> Instrument:
    """Ccxt's market as an instrument.

    Raises:
        ConfigError: It is of a kind that this engine does not trade, or has no price grid.
    """
    symbol, precision, limits = market["symbol"], market["precision"], market["limits"]
    least = (limits.get("amount") or {}).get("min")
    lot = _step(symbol, precision.get("amount"), mode)
    return instrument(
        symbol,
        tick=_step(symbol, precision.get("price"), mode),
        lot=lot,
        kind=_kind(market),
        venue=venue,
        base=market["base"],
        quote=market["quote"],
        multiplier=Decimal(str(market.get("contractSize") or 1)),
        min_qty=None if not least else _up(Decimal(str(least)), lot),
        min_notional=Decimal(str((limits.get("cost") or {}).get("min") or 0)),
        maker_fee=Decimal(str(market.get("maker") or 0)),
        taker_fee=Decimal(str(market.get("taker") or 0)),
    )


def _up(value: Decimal, lot: Decimal) -> Decimal:
    return max(lot, (value / lot).to_integral_value(ROUND_CEILING) * lot)


def _step(symbol: str, value: Any, mode: int) -> Decimal:
    if value is not None and mode == _TICK_SIZE:
        return Decimal(str(value))
    if value is not None and mode == _DECIMAL_PLACES:
        return Decimal(1).scaleb(-int(value))
    raise ConfigError(f"{symbol}: ccxt names no fixed grid of prices and quantities")


_KINDS: dict[tuple[str, bool], Kind] = {
    ("swap", False): "linear_perpetual",
    ("swap", True): "inverse_perpetual",
    ("future", False): "linear_future",
    ("future", True): "inverse_future",
}


def _kind(market: Mapping[str, Any]) -> Kind:
    sort = str(market["type"])
    if sort == "spot":
        return "spot"
    kind = _KINDS.get((sort, bool(market.get("inverse"))))
    if kind is None:
        raise ConfigError(f"{market['symbol']}: this engine does not trade {sort}s")
    return kind
