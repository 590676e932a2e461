"""Speaks to a venue by ccxt on a thread of its own, for a session that trades there.

The engine's session asks and is told in its own words (`_core.VenueRelay`); ccxt is called on an
event loop of this thread. Nothing here decides anything: what an answer means, what is asked again
and what is assumed is the session's, as at every venue.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any

from mainspring import _core
from mainspring.backtesting.reconciling import Reconcile
from mainspring.data.instruments import Instrument
from mainspring.errors import ConfigError, MainspringError
from mainspring.live.ccxt_reader import Newest, Shown, counted, instrument_of, on_grid
from mainspring.live.ccxt_venue import SLOWER, CcxtVenue
from mainspring.live.ccxt_words import (
    Words,
    abilities,
    balance_words,
    failure_words,
    fill_words,
    id_text,
    order_words,
    our_id,
    position_words,
    shown,
    wait_of,
)
from mainspring.live.config import span_ns

_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.25, 30.0
# A fill may be told before the order it is of: so long its name is waited for.
_NAMING_S = 2.0
_REMEMBERED = 16_384
_PAGES = 50
# Fills are listed a little twice rather than once too few.
_OVERLAP_MS = 60_000
_ENDED_LISTS = ("fetchOrders", "fetchClosedOrders", "fetchCanceledOrders")


class _NotThere(Exception):  # noqa: N818
    """The venue does not know an order."""


class CcxtWorker:
    """Speaks to a venue by ccxt on a thread of its own.

    Raises:
        ConfigError: The venue cannot be reached, a symbol cannot be traded by this engine, or ccxt
            cannot trade there.
    """

    def __init__(self, venue: CcxtVenue, *, timeout_s: float = 30.0) -> None:
        self._venue = venue
        self._client = venue.make_client()
        keys = venue.credentials
        secrets = (keys.key, keys.secret, keys.passphrase)
        own = (getattr(self._client, word, None) for word in ("apiKey", "secret", "password"))
        self._hidden = {text for text in (*secrets, *own) if text}
        self._timeout_s = max(0.1, span_ns(venue.timeout, "timeout") / 1e9)
        self._poll_s = max(0.01, span_ns(venue.poll, "poll") / 1e9)
        self._loop = asyncio.new_event_loop()
        self._over = threading.Event()
        # Longer than ours: it is for a loop that hangs.
        self.relay = _core.VenueRelay(self._timeout_s + 2.0)
        self._names = _Names(_REMEMBERED)
        self._placing: dict[str, asyncio.Event] = {}
        self._wires: dict[int, _Wire] = {}
        self._waits: dict[str, float] = {}
        self._calls: set[asyncio.Task[None]] = set()
        # What an order needs: market data begins once it is there.
        self._lacking = {"user", "instruments"}
        self._can_trade = asyncio.Event()
        turns = threading.Thread(target=self._turn, name="ccxt", daemon=True)
        takes = threading.Thread(target=self._take, name="ccxt-asked", daemon=True)
        self._threads = (turns, takes)
        turns.start()
        try:
            self._instruments = {one.symbol: one for one in self._load(timeout_s)}
            self._can = abilities(self._client, venue.symbols, venue.amends, venue.id_form)
        except BaseException:
            self.close()
            raise
        self._grids = {
            one.symbol: (float(one.tick), float(one.lot)) for one in self._instruments.values()
        }
        takes.start()

    def told(self, at: int) -> dict[str, Any]:
        """What the engine is told of this venue, which is spoken to by the relay at this place."""
        return {"at": at, "can": self._can, "note": SLOWER.format(venue=self._venue.name)}

    def fitting(self, rules: Reconcile | None) -> Reconcile | None:
        """Rules between wishes and orders, without changes of orders where there are none here."""
        if rules is None or self._can["amends"] is not None:
            return rules
        amend = {"*": rules.amend} if isinstance(rules.amend, str) else dict(rules.amend)
        return dataclasses.replace(rules, amend={**amend, self._venue.name: "never"})

    def close(self) -> None:
        """Ends the threads and the client's connections."""
        if self._loop.is_closed() or not self._threads[0].is_alive():
            return
        self._over.set()
        self.relay.end()
        closing = asyncio.run_coroutine_threadsafe(self._close(), self._loop)
        # What cannot be closed in time goes with the process.
        with contextlib.suppress(Exception):
            closing.result(5.0)
        self._loop.call_soon_threadsafe(self._loop.stop)
        for thread in self._threads:
            if thread.is_alive():
                thread.join(5.0)
        if not self._threads[0].is_alive():
            self._loop.close()

    async def _close(self) -> None:
        mine = asyncio.current_task()
        tasks = [task for task in asyncio.all_tasks() if task is not mine]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._client.close()

    # Threads

    def _turn(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _take(self) -> None:
        while not self._over.is_set():
            asked = self.relay.next(0.1)
            if asked is not None:
                self._loop.call_soon_threadsafe(self._do, *asked)

    def _load(self, timeout_s: float) -> list[Instrument]:
        loading = asyncio.run_coroutine_threadsafe(self._client.load_markets(), self._loop)
        try:
            markets = loading.result(timeout_s)
        except Exception as error:
            loading.cancel()
            why = f"{type(error).__name__}: {shown(error, self._hidden)}"
            raise ConfigError(f"{self._venue.name}: its markets cannot be read: {why}") from None
        return [self._instrument(markets, symbol) for symbol in self._venue.symbols]

    def _instrument(self, markets: Mapping[str, Any], symbol: str) -> Instrument:
        if symbol not in markets:
            raise ConfigError(f"ccxt knows no {symbol} of {self._venue.exchange}")
        return instrument_of(self._venue.name, markets[symbol], int(self._client.precisionMode))

    def _do(self, kind: str, key: int, text: str) -> None:
        if kind == "call":
            self._begin(self._call(key, json.loads(text)))
        elif kind == "open":
            self._wires[key] = wire = _Wire(text)
            wire.begin("", self._open(key, wire))
        elif kind == "close":
            if (closing := self._wires.pop(key, None)) is not None:
                closing.end()
        elif (found := self._wires.get(key)) is None:
            return
        elif kind == "ping":
            self._begin(self._pong(key))
        else:
            self._heed(key, found, json.loads(text))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    # Connections

    async def _open(self, key: int, wire: _Wire) -> None:
        """Waits longer and longer after failures, and looks whether the venue is there."""
        wait_s = self._waits.get(wire.what, 0.0)
        self._waits[wire.what] = min(max(_FIRST_WAIT_S, 2 * wait_s), _LONGEST_WAIT_S)
        await asyncio.sleep(wait_s)
        try:
            await asyncio.wait_for(self._reach(), self._timeout_s)
            if wire.what == "market":
                await asyncio.wait_for(self._can_trade.wait(), 2 * self._timeout_s)
        except Exception as error:
            self._lost(key, error)
            return
        self.relay.opened(key)

    def _has_come(self, what: str) -> None:
        self._lacking.discard(what)
        if not self._lacking:
            self._can_trade.set()

    async def _reach(self) -> None:
        """Asks the venue for something small."""
        if self._client.has.get("fetchTime"):
            await self._client.fetch_time()
        else:
            await self._client.fetch_order_book(self._venue.symbols[0])

    async def _pong(self, key: int) -> None:
        # Silence is the answer of a venue that is not there.
        with contextlib.suppress(Exception):
            await asyncio.wait_for(self._reach(), self._timeout_s)
            self.relay.pong(key)

    def _lost(self, key: int, error: BaseException) -> None:
        """A connection ended; the session opens another one."""
        wire = self._wires.pop(key, None)
        if wire is None:
            return
        with contextlib.suppress(MainspringError):
            self.relay.closed(key, f"{type(error).__name__}: {shown(error, self._hidden)}")
        wire.end()

    def _heed(self, key: int, wire: _Wire, message: Words) -> None:
        """Begins or ends what a connection is subscribed to."""
        if message.get("user"):
            if message["do"] == "listen":
                self._listen_to_user(key, wire)
            return
        for symbol in message["symbols"]:
            name = f"{message['stream']} {symbol}"
            if message["do"] == "leave":
                wire.stop(name)
            elif message["stream"] == "book":
                wire.begin(name, self._guarded(key, self._book(key, symbol, wire.had(name))))
            else:
                wire.begin(name, self._guarded(key, self._trades(key, symbol)))

    def _listen_to_user(self, key: int, wire: _Wire) -> None:
        has = self._client.has
        for symbol in self._venue.symbols:
            orders = self._orders if has.get("watchOrders") else self._orders_asked
            fills = self._fills if has.get("watchMyTrades") else self._fills_asked
            wire.begin(f"orders {symbol}", self._guarded(key, orders(key, symbol)))
            wire.begin(f"fills {symbol}", self._guarded(key, fills(key, symbol)))
        self._has_come("user")

    async def _guarded(self, key: int, work: Coroutine[Any, Any, None]) -> None:
        """What fails ends the connection: nothing is heard in part."""
        try:
            await work
        except asyncio.CancelledError:
            raise
        except Exception as error:
            self._lost(key, error)

    def _tell(self, key: int, message: Words) -> None:
        wire = self._wires.get(key)
        if wire is not None:
            self._waits[wire.what] = 0.0
            self.relay.message(key, json.dumps(message, separators=(",", ":")))

    # Market data

    async def _book(self, key: int, symbol: str, again: bool) -> None:
        client, depth = self._client, self._venue.depth
        streamed, book = bool(client.has.get("watchOrderBook")), Shown()
        if again:
            self._show(key, symbol, book, await client.fetch_order_book(symbol, depth))
        while True:
            if streamed:
                # ccxt's own limit is one of a few of each venue's: what is deeper is cut off here.
                seen = await client.watch_order_book(symbol)
            else:
                seen = await client.fetch_order_book(symbol, depth)
            self._show(key, symbol, book, seen)
            if not streamed:
                await asyncio.sleep(self._poll_s)

    def _show(self, key: int, symbol: str, book: Shown, seen: Mapping[str, Any]) -> None:
        grid, depth = self._grids[symbol], self._venue.depth
        bids, asks = (counted(seen[side], grid, depth) for side in ("bids", "asks"))
        whole = book.is_empty
        changes = (book.bids_to(bids), book.asks_to(asks))
        if any(changes):
            told = {"book": symbol, "whole": int(whole), "ms": _now_ms(seen.get("timestamp"))}
            one = self._instruments[symbol]
            bid_rows, ask_rows = (_levels(side, one) for side in changes)
            self._tell(key, {**told, "bids": bid_rows, "asks": ask_rows})

    async def _trades(self, key: int, symbol: str) -> None:
        client, last = self._client, Newest()
        streamed = bool(client.has.get("watchTrades"))
        ask = client.watch_trades if streamed else client.fetch_trades
        while True:
            rows = [self._trade(symbol, one) for one in last.new(await ask(symbol))]
            if rows := [row for row in rows if row is not None]:
                self._tell(key, {"trades": symbol, "rows": rows})
            if not streamed:
                await asyncio.sleep(self._poll_s)

    def _trade(self, symbol: str, trade: Mapping[str, Any]) -> list[Any] | None:
        if trade.get("side") not in ("buy", "sell") or not trade.get("price"):
            return None  # who took is not guessed
        one, (tick, lot) = self._instruments[symbol], self._grids[symbol]
        lots = int(trade["amount"] / lot + 1e-9)
        if lots <= 0:
            return None
        price = f"{on_grid(trade['price'], tick) * one.tick:f}"
        return [price, f"{lots * one.lot:f}", trade["side"], _now_ms(trade.get("timestamp"))]

    # User events

    async def _orders(self, key: int, symbol: str) -> None:
        while True:
            orders = await self._client.watch_orders(symbol)
            self._tell(key, {"orders": [self._order(one) for one in orders]})

    async def _orders_asked(self, key: int, symbol: str) -> None:
        """Orders of a venue without a stream of them: what is listed, and what is no more."""
        before: dict[str, str] = {}
        while True:
            listed = await self._client.fetch_open_orders(symbol)
            told = [self._order(one) for one in listed]
            now = {one["id"]: one.get("client", "") for one in told}
            for gone in before.keys() - now.keys():
                with contextlib.suppress(_NotThere):
                    told.append(self._order(await self._find(symbol, before[gone], gone)))
            before = now
            self._tell(key, {"orders": told})
            await asyncio.sleep(self._poll_s)

    async def _fills(self, key: int, symbol: str) -> None:
        last = Newest(_REMEMBERED)
        while True:
            await self._tell_fills(
                key, symbol, last.new(await self._client.watch_my_trades(symbol))
            )

    async def _fills_asked(self, key: int, symbol: str) -> None:
        last, since_ms = Newest(_REMEMBERED), int(time.time() * 1e3) - _OVERLAP_MS
        while True:
            trades = await self._client.fetch_my_trades(symbol, since_ms)
            await self._tell_fills(key, symbol, last.new(trades))
            newest = max((int(one.get("timestamp") or 0) for one in trades), default=0)
            since_ms = max(since_ms, newest - _OVERLAP_MS)
            await asyncio.sleep(self._poll_s)

    async def _tell_fills(self, key: int, symbol: str, trades: Sequence[Mapping[str, Any]]) -> None:
        one = self._instruments[symbol]
        told = [fill_words(trade, one, await self._name_of(symbol, trade)) for trade in trades]
        if told:
            self._tell(key, {"fills": told})

    async def _name_of(self, symbol: str, trade: Mapping[str, Any]) -> str:
        """Our id of the order that traded; empty where it is another's."""
        venue_id = trade.get("order") or ""
        until = time.monotonic() + _NAMING_S
        while (name := self._names.of(venue_id)) is None and self._placing:
            if time.monotonic() > until:
                break
            await asyncio.sleep(0.01)
        if name is None and venue_id and self._client.has.get("fetchOrder"):
            # Where it cannot be asked for, the comparison with the account names it later.
            with contextlib.suppress(Exception):
                self._order(await self._client.fetch_order(venue_id, symbol))
            name = self._names.of(venue_id)
        return name or ""

    def _order(self, order: Mapping[str, Any], **known: Any) -> Words:
        """An order in the engine's words; remembers which id is whose."""
        if "client" not in known:
            text = order.get("clientOrderId") or ""
            known["client"] = our_id(text, self._venue.id_form) or self._names.of(order["id"]) or ""
        words = order_words(
            order, self._instruments[order.get("symbol") or known["symbol"]], **known
        )
        if words.get("id"):
            self._names.note(words["id"], words.get("client", ""))
        return words

    # Requests

    async def _call(self, key: int, ask: Words) -> None:
        """Answers a request once: with words, with a failure, or with that nobody knows."""
        work: Callable[[Words], Awaitable[Words]] = getattr(self, f"_ask_{ask['do']}")
        try:
            said = await asyncio.wait_for(work(ask), self._timeout_s)
        except TimeoutError:
            why = f"no answer within {self._timeout_s:g} s"
            with contextlib.suppress(MainspringError):
                self.relay.failed(key, True, why)
            return
        except Exception as error:
            wait_ms = wait_of(getattr(self._client, "last_response_headers", None))
            said = {"failed": failure_words(error, self._hidden, wait_ms)}
        else:
            if self._wires and ask["do"] == "instruments":
                self._loop.call_soon(self._has_come, "instruments")
        # The session may be over.
        with contextlib.suppress(MainspringError):
            done = "failed" not in said
            self.relay.answer(key, done, json.dumps(said, separators=(",", ":")))

    async def _ask_place(self, ask: Words) -> Words:
        params: Words = {"clientOrderId": id_text(ask["client"], self._venue.id_form)}
        if ask["type"] == "limit" and ask["life"] != "GTC":
            params["timeInForce"] = ask["life"]
        for flag, word in (("post_only", "postOnly"), ("reduce_only", "reduceOnly")):
            if ask[flag]:
                params[word] = True
        price = None if ask["price"] is None else float(ask["price"])
        self._placing[ask["client"]] = done = asyncio.Event()
        try:
            order = await self._client.create_order(
                ask["symbol"], ask["type"], ask["side"], float(ask["qty"]), price, params
            )
            known = {"symbol": ask["symbol"], "client": ask["client"]}
            return {"orders": [self._order(order, **known)]}
        finally:
            del self._placing[ask["client"]]
            done.set()

    async def _ask_cancel(self, ask: Words) -> Words:
        order = await self._client.cancel_order(await self._venue_id(ask), ask["symbol"])
        # What it says of an order that it did not end yet is told when it has.
        ended = isinstance(order, dict) and order.get("status") in ("canceled", "closed", "expired")
        return {"orders": [self._order(order, symbol=ask["symbol"])] if ended else []}

    async def _ask_cancel_all(self, ask: Words) -> Words:
        await self._client.cancel_all_orders(ask["symbol"])
        return {}

    async def _ask_amend(self, ask: Words) -> Words:
        venue_id, client = await self._venue_id(ask), ask.get("client", "")
        price, qty = float(ask["price"]), float(ask["qty"])
        params: Words = {"postOnly": True} if ask["post_only"] else {}
        replaced = self._can["amends"] == "replaced"
        if replaced:
            params["clientOrderId"] = id_text(ask["new_client"], self._venue.id_form)
        order = await self._client.edit_order(
            venue_id, ask["symbol"], "limit", ask["side"], qty, price, params
        )
        known: Words = {"symbol": ask["symbol"], "side": ask["side"]}
        if replaced:
            return {"orders": [self._order(order, client=ask["new_client"], **known)]}
        known.update(id=venue_id, client=client, status="amended", price=ask["price"])
        return {"orders": [self._order(order, qty=ask["qty"], **known)]}

    async def _ask_query(self, ask: Words) -> Words:
        client = ask.get("client", "")
        await self._placed(client)
        try:
            found = await self._find(
                ask["symbol"], client, ask.get("id") or self._names.id_of(client)
            )
        except _NotThere:
            return {"orders": []}
        return {"orders": [self._order(found)]}

    async def _ask_open_orders(self, ask: Words) -> Words:
        symbols = [ask["symbol"]] if ask["symbol"] else self._venue.symbols
        orders = [await self._client.fetch_open_orders(symbol) for symbol in symbols]
        return {"orders": [self._order(one) for some in orders for one in some]}

    async def _ask_fills(self, ask: Words) -> Words:
        """All fills since a time, page by page."""
        symbol, since_ms, last = ask["symbol"], int(ask["since_ms"]), Newest(_PAGES * 10_000)
        told: list[Words] = []
        one, page = self._instruments[symbol], 1
        for _ in range(_PAGES):
            trades = await self._client.fetch_my_trades(symbol, max(0, since_ms))
            new = last.new([one for one in trades if int(one.get("timestamp") or 0) >= since_ms])
            told += [fill_words(trade, one, await self._name_of(symbol, trade)) for trade in new]
            newest = max((int(trade.get("timestamp") or 0) for trade in new), default=since_ms)
            if not new and len(trades) < page:
                break
            # A whole page of one millisecond, all of it known: on to the next.
            page, since_ms = max(page, len(trades)), newest if new else since_ms + 1
        return {"fills": told}

    async def _ask_balances(self, _ask: Words) -> Words:
        known = self._instruments.values()
        currencies = {name for one in known for name in (one.base, one.quote)}
        return {"balances": balance_words(await self._client.fetch_balance(), currencies)}

    async def _ask_positions(self, _ask: Words) -> Words:
        found = await self._client.fetch_positions(list(self._venue.symbols))
        return {"positions": position_words(found, list(self._instruments.values()))}

    async def _ask_position_mode(self, _ask: Words) -> Words:
        if not self._client.has.get("fetchPositionMode"):
            return {}
        mode = await self._client.fetch_position_mode(self._venue.symbols[0])
        return {"hedged": bool(mode.get("hedged"))}

    async def _ask_fees(self, ask: Words) -> Words:
        if not self._client.has.get("fetchTradingFee"):
            return {}
        fee = await self._client.fetch_trading_fee(ask["symbol"])
        told = {name: fee.get(name) for name in ("maker", "taker")}
        return {name: f"{value:.12g}" for name, value in told.items() if value is not None}

    async def _ask_instruments(self, _ask: Words) -> Words:
        markets = await self._client.load_markets(True)
        told = [
            {
                "instrument": self._instrument(markets, symbol).to_dict(),
                "trading": markets[symbol].get("active") is not False,
            }
            for symbol in self._venue.symbols
            if symbol in markets
        ]
        return {"instruments": told}

    async def _ask_time(self, _ask: Words) -> Words:
        """The venue's clock, or ours where ccxt does not tell it."""
        if not self._client.has.get("fetchTime"):
            return {"time_ms": int(time.time() * 1e3)}
        return {"time_ms": int(await self._client.fetch_time())}

    # Orders by our id

    async def _placed(self, client: str) -> None:
        """An order whose placing is on its way cannot be asked about yet."""
        if (placing := self._placing.get(client)) is not None:
            await placing.wait()

    async def _venue_id(self, ask: Words) -> str:
        """The venue's id of an order."""
        if "id" in ask:
            return str(ask["id"])
        await self._placed(ask["client"])
        known = self._names.id_of(ask["client"])
        if known:
            return known
        try:
            return str((await self._find(ask["symbol"], ask["client"], ""))["id"])
        except _NotThere:
            raise OrderNotFound("the venue lists no order with our id") from None

    async def _find(self, symbol: str, client: str, venue_id: str) -> Mapping[str, Any]:
        """An order by the venue's id, or by ours among those that are open and that have ended.

        Raises:
            _NotThere: The venue does not know it.
        """
        if venue_id and self._client.has.get("fetchOrder"):
            try:
                found: Mapping[str, Any] = await self._client.fetch_order(venue_id, symbol)
            except Exception as error:
                if any(base.__name__ == "OrderNotFound" for base in type(error).__mro__):
                    raise _NotThere from None
                raise
            return found
        asked = 0
        for name in ("fetchOpenOrders", *_ENDED_LISTS):
            if not self._client.has.get(name):
                continue
            asked += name != "fetchOpenOrders"
            for order in await self._listed(name, symbol):
                theirs = our_id(order.get("clientOrderId") or "", self._venue.id_form)
                if (client and theirs == client) or (venue_id and order.get("id") == venue_id):
                    return order
        if not asked:
            raise LookupError("ccxt cannot list this venue's orders that have ended")
        raise _NotThere

    async def _listed(self, name: str, symbol: str) -> Sequence[Mapping[str, Any]]:
        ask = {
            "fetchOpenOrders": self._client.fetch_open_orders,
            "fetchOrders": getattr(self._client, "fetch_orders", None),
            "fetchClosedOrders": getattr(self._client, "fetch_closed_orders", None),
            "fetchCanceledOrders": getattr(self._client, "fetch_canceled_orders", None),
        }[name]
        listed: Sequence[Mapping[str, Any]] = await ask(symbol) if ask is not None else []
        return listed


class OrderNotFound(Exception):  # noqa: N818
    """Named as ccxt names it: an order that cannot be cancelled because it is not there."""


class _Wire:
    """A connection as the session sees it: tasks that read and tell."""

    def __init__(self, what: str) -> None:
        self.what = what
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._had: set[str] = set()

    def had(self, name: str) -> bool:
        """Whether this was begun before."""
        return name in self._had

    def begin(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Begins a task in the place of one of the same name."""
        self.stop(name)
        self._had.add(name)
        self._tasks[name] = asyncio.get_running_loop().create_task(work)

    def stop(self, name: str) -> None:
        """Ends a task."""
        if (task := self._tasks.pop(name, None)) is not None:
            task.cancel()

    def end(self) -> None:
        """Ends all of them but the one that says so."""
        mine = asyncio.current_task()
        for task in self._tasks.values():
            if task is not mine:
                task.cancel()
        self._tasks.clear()


class _Names:
    """Which order of the venue is which of ours; the oldest are forgotten first."""

    def __init__(self, remembered: int) -> None:
        self._remembered = remembered
        self._by_id: dict[str, str] = {}
        self._by_name: dict[str, str] = {}

    def note(self, venue_id: str, name: str) -> None:
        """An order by both; an empty name is of an order that is not ours."""
        if not name and venue_id in self._by_id:
            return
        self._by_id[venue_id] = name
        if name:
            self._by_name[name] = venue_id
        for known in (self._by_id, self._by_name):
            while len(known) > self._remembered:
                del known[next(iter(known))]

    def of(self, venue_id: str) -> str | None:
        """Our id of an order; None where it was never heard of."""
        return self._by_id.get(venue_id)

    def id_of(self, name: str) -> str:
        """The venue's id of an order of ours; empty where it is not known."""
        return self._by_name.get(name, "")


def _levels(changes: Sequence[tuple[int, int]], one: Instrument) -> list[list[str]]:
    return [[f"{ticks * one.tick:f}", f"{lots * one.lot:f}"] for ticks, lots in changes]


def _now_ms(time_ms: Any) -> int:
    return int(time_ms or time.time() * 1e3)
