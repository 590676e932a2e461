"""Speaks to a venue by ccxt on a thread of its own: for sessions that trade there or hear it.

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
from collections.abc import Awaitable, Callable
from typing import Any

from mainspring import _core
from mainspring.backtesting.reconciling import Reconcile
from mainspring.errors import ConfigError, MainspringError
from mainspring.live.ccxt_abilities import abilities, market_abilities
from mainspring.live.ccxt_access import Access, Loop, secrets_of
from mainspring.live.ccxt_account import Account
from mainspring.live.ccxt_feed import CcxtFeed
from mainspring.live.ccxt_market import Market
from mainspring.live.ccxt_orders import Orders
from mainspring.live.ccxt_venue import CcxtVenue
from mainspring.live.ccxt_wires import Wires
from mainspring.live.ccxt_words import Words, failure_words, wait_of
from mainspring.live.config import span_ns

Handler = Callable[[Words], Awaitable[Words]]
_LOOK_S = 0.1
"""Between two looks whether all is over."""
# Of which an exception does not say how far it came: some may be done, others not.
_BATCHES = {"place_many", "cancel_many"}


class CcxtWorker:
    """Speaks to a venue by ccxt on a thread of its own.

    Args:
        place: Where orders go, or of what nothing but market data is wanted.
        timeout_s: For the markets, at the start.

    Raises:
        ConfigError: The venue cannot be reached, a symbol cannot be traded by this engine, or ccxt
            cannot trade there.
    """

    def __init__(self, place: CcxtVenue | CcxtFeed, *, timeout_s: float = 30.0) -> None:
        self._place = place
        client, keys = place.make_client(), place.secrets()
        self.access = Access(
            client, place.venue, place.exchange, tuple(place.symbols), place.depth,
            poll_s=max(0.01, span_ns(place.poll, "poll") / 1e9),
            timeout_s=max(0.1, span_ns(place.timeout, "timeout") / 1e9),
            hidden=secrets_of(client, keys),
        )  # fmt: skip
        # Longer than ours: it is for a loop that hangs.
        self.relay = _core.VenueRelay(self.access.timeout_s + 2.0)
        self._loop = Loop()
        self._over = threading.Event()
        self._takes = threading.Thread(target=self._take, name="ccxt-asked", daemon=True)
        try:
            self._load(timeout_s)
            self.can = self._abilities()
            self._asks = self._handlers()
        except BaseException:
            self.close()
            raise
        self._takes.start()

    def _load(self, timeout_s: float) -> None:
        try:
            self._loop.run(self.access.load(), timeout_s)
        except ConfigError:
            raise
        except Exception as error:
            why = self.access.shown(error)
            raise ConfigError(f"{self._place.venue}: its markets cannot be read: {why}") from None

    def _abilities(self) -> Words:
        place = self._place
        if isinstance(place, CcxtFeed):
            return market_abilities(self.access)
        return abilities(self.access, place.amends, place.id_form, countdown=bool(place.countdown))

    def _handlers(self) -> dict[str, Handler]:
        """Who answers what, by the word of the request."""
        place, access = self._place, self.access
        # What an order needs: market data begins once it is there.
        self._lacking, self._can_trade = {"user", "instruments"}, asyncio.Event()
        gates = {} if isinstance(place, CcxtFeed) else {"market": self._can_trade}
        self._wires = Wires(access, self.relay, gates)
        self._market = Market(access, self._wires)
        asks: dict[str, Handler] = {"instruments": self._instruments, "time": self._time}
        self._account: Account | None = None
        if isinstance(place, CcxtFeed):
            return asks
        orders = Orders(access, place.id_form, self.can)
        account = self._account = Account(access, orders, self._wires)
        return {
            **asks,
            "place": orders.place,
            "place_many": orders.place_many,
            "cancel": orders.cancel,
            "cancel_many": orders.cancel_many,
            "cancel_all": orders.cancel_all,
            "countdown": orders.countdown,
            "amend": orders.amend,
            "query": orders.query,
            "open_orders": orders.open_orders,
            "fills": account.fills,
            "balances": account.balances,
            "positions": account.positions,
            "position_mode": account.position_mode,
            "fees": account.fees,
        }

    def told(self, at: int) -> dict[str, Any]:
        """What the engine is told of this venue, which is spoken to by the relay at this place."""
        return {"at": at, "can": self.can, "note": self._place.slower()}

    def fitting(self, rules: Reconcile | None) -> Reconcile | None:
        """Rules between wishes and orders, without changes of orders where there are none here."""
        if rules is None or self._account is None or self.can["amends"] is not None:
            return rules
        amend = {"*": rules.amend} if isinstance(rules.amend, str) else dict(rules.amend)
        return dataclasses.replace(rules, amend={**amend, self._place.venue: "never"})

    def close(self) -> None:
        """Ends the threads and the client's connections."""
        self._over.set()
        self.relay.end()
        self._loop.close(self.access.client.close)
        if self._takes.is_alive():
            self._takes.join(5.0)

    # What the session asks for

    def _take(self) -> None:
        """Takes one thing at a time.

        While the loop hangs, what else is asked waits in the relay, where it is bounded and fails
        in time, as not sent.
        """
        while not self._over.is_set():
            asked = self.relay.next(_LOOK_S)
            if asked is None:
                continue
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
                done = self._loop.hand(self._do, *asked)
                while not done.wait(_LOOK_S) and not self._over.is_set():
                    pass

    def _do(self, kind: str, key: int, text: str) -> None:
        if kind == "call":
            # What the session has given up while the loop hung is not done late.
            if self.relay.awaits(key):
                self._loop.begin(self._call(key, json.loads(text)))
        elif kind == "open":
            self._wires.open(key, text)
        elif kind == "close":
            self._wires.close(key)
        elif (wire := self._wires.of(key)) is None:
            return
        elif kind == "ping":
            self._loop.begin(self._wires.pong(key))
        else:
            message = json.loads(text)
            if not message.get("user"):
                self._market.heed(wire, message)
            elif message["do"] == "listen" and self._account is not None:
                self._account.listen(wire)
                self._has_come("user")

    def _has_come(self, what: str) -> None:
        self._lacking.discard(what)
        if not self._lacking:
            self._can_trade.set()

    async def _call(self, key: int, ask: Words) -> None:
        """Answers a request once: with words, with a failure, or with that nobody knows."""
        try:
            said = await asyncio.wait_for(self._asks[ask["do"]](ask), self.access.timeout_s)
        except TimeoutError:
            why = f"no answer within {self.access.timeout_s:g} s"
            with contextlib.suppress(MainspringError):
                self.relay.failed(key, True, why)
            return
        except Exception as error:
            said = {"failed": self._failure(ask, error)}
        else:
            # Those of the look at the venue, before the session, are not the session's.
            if self._wires.are_any and ask["do"] == "instruments":
                self._loop.call(self._has_come, "instruments")
        # The session may be over.
        with contextlib.suppress(MainspringError):
            done = "failed" not in said
            self.relay.answer(key, done, json.dumps(said, separators=(",", ":")))

    def _failure(self, ask: Words, error: Exception) -> Words:
        wait_ms = wait_of(getattr(self.access.client, "last_response_headers", None))
        words = failure_words(error, self.access.hidden, wait_ms)
        if ask["do"] in _BATCHES and words["class"] == "refused":
            words.pop("reason", None)
            words["class"] = "unknown"
        return words

    async def _instruments(self, _ask: Words) -> Words:
        markets = await self.access.client.load_markets(True)
        told = [
            {
                "instrument": self.access.instrument(markets, symbol).to_dict(),
                "trading": markets[symbol].get("active") is not False,
            }
            for symbol in self.access.symbols
            if symbol in markets
        ]
        return {"instruments": told}

    async def _time(self, _ask: Words) -> Words:
        """The venue's clock, or ours where ccxt does not tell it."""
        if not self.access.has("fetchTime"):
            return {"time_ms": int(time.time() * 1e3)}
        return {"time_ms": int(await self.access.client.fetch_time())}
