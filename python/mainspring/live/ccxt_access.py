"""A client of ccxt, and what everybody who speaks to a venue by it has to know."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mainspring.data.instruments import Instrument
from mainspring.errors import ConfigError
from mainspring.live.ccxt_instruments import instrument_of
from mainspring.live.ccxt_words import shown

_PATIENCE_S = 5.0


@dataclass
class Access:
    """A client of ccxt at one venue.

    Attributes:
        client: Of `ccxt.pro`.
        venue: Name of the venue in the session.
        exchange: ccxt's name of it.
        symbols: As ccxt writes them.
        depth: Levels of each side.
        poll_s: Between two questions where ccxt has no stream.
        timeout_s: A request without an answer for so long has an unknown outcome.
        hidden: What must not be shown.
        instruments: By symbol, once the markets were read.
    """

    client: Any
    venue: str
    exchange: str
    symbols: tuple[str, ...]
    depth: int
    poll_s: float
    timeout_s: float
    hidden: frozenset[str]
    instruments: dict[str, Instrument] = field(default_factory=dict)

    def has(self, method: str) -> bool:
        """Whether ccxt has a method at this venue, by its name in `has`."""
        return bool(self.client.has.get(method))

    def shown(self, error: BaseException) -> str:
        """An exception for people, without what must not be shown."""
        return f"{type(error).__name__}: {shown(error, self.hidden)}"

    def instrument(self, markets: Mapping[str, Any], symbol: str) -> Instrument:
        """What ccxt says of a market.

        Raises:
            ConfigError: It is not there, or cannot be traded by this engine.
        """
        if symbol not in markets:
            raise ConfigError(f"ccxt knows no {symbol} of {self.exchange}")
        return instrument_of(self.venue, markets[symbol], int(self.client.precisionMode))

    async def load(self) -> None:
        """Reads the markets.

        Raises:
            ConfigError: As of `instrument`.
        """
        markets = await self.client.load_markets()
        self.instruments.update((one, self.instrument(markets, one)) for one in self.symbols)

    async def reach(self) -> None:
        """Asks the venue for something small; raises what ccxt does when it is not there."""
        work: Awaitable[Any]
        if self.has("fetchTime"):
            work = self.client.fetch_time()
        else:
            work = self.client.fetch_order_book(self.symbols[0])
        await asyncio.wait_for(work, self.timeout_s)


def secrets_of(client: Any, known: Iterable[str]) -> frozenset[str]:
    """What must not be shown of a client: its keys, and those that were given."""
    words = ("apiKey", "secret", "password", "privateKey")
    own = (getattr(client, word, None) for word in words)
    return frozenset(text for text in (*known, *own) if text)


class Loop:
    """An event loop on a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._turn, name="ccxt", daemon=True)
        self._thread.start()

    def _turn(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def run(self, work: Coroutine[Any, Any, Any], timeout_s: float) -> Any:
        """Does something there, and waits for it from another thread."""
        running = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return running.result(timeout_s)
        except BaseException:
            running.cancel()
            raise

    def call(self, what: Callable[..., object], *arguments: Any) -> None:
        """Calls a function there, from any thread."""
        self._loop.call_soon_threadsafe(what, *arguments)

    def hand(self, what: Callable[..., object], *arguments: Any) -> threading.Event:
        """Calls a function there; what is given is set once it was called."""
        done = threading.Event()

        def do() -> None:
            try:
                what(*arguments)
            finally:
                done.set()

        self.call(do)
        return done

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Begins a task, from this loop's own thread."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def close(self, last: Callable[[], Awaitable[Any]]) -> None:
        """Ends all tasks, does a last thing, and ends the thread."""
        if self._loop.is_closed() or not self._thread.is_alive():
            return
        # What cannot be closed in time goes with the process.
        with contextlib.suppress(Exception):
            self.run(self._end(last), _PATIENCE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE_S)
        if not self._thread.is_alive():
            self._loop.close()

    async def _end(self, last: Callable[[], Awaitable[Any]]) -> None:
        mine = asyncio.current_task()
        tasks = [task for task in asyncio.all_tasks() if task is not mine]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await last()
