"""Market data of the many venues that ccxt speaks to, for paper sessions and recordings.

The venues of `mainspring.venues` are decoded by this engine. Every other one is read here by ccxt,
in Python: tens of microseconds a message in place of less than one, books by the levels that ccxt
has put together, and time stamps of when Python saw them. That is enough to trade on paper, and not
for a strategy that lives from being fast.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mainspring.backtesting.config import Latency, Span, Venue
from mainspring.errors import ConfigError
from mainspring.live.config import feed_form, seen_from_here, span_ns

SLOWER = (
    "market data of {venue} comes through ccxt, in Python: slower than that of a venue which this "
    "engine speaks to itself (tens of microseconds a message, not less than one), and stamped when "
    "Python sees it"
)
"""Told by every session that has such a feed."""


@dataclass(frozen=True, slots=True)
class CcxtFeed:
    """Market data of a venue by ccxt (`pip install 'mainspring[ccxt]'`).

    For `paper` and `mainspring.data.record`. Slower than the venues of this engine's own:
    `mainspring bench codec` shows both.

    Attributes:
        exchange: ccxt's name of the venue, such as `kraken`.
        symbols: ccxt's symbols, such as `BTC/USDT` or `BTC/USDT:USDT`.
        depth: Levels of each side.
        entry: From us to the venue's matching, as it would be.
        response: From the venue's matching back to us.
        feed: How long the venue's data takes to us.
        fills: How orders are filled.
        options: Of ccxt's client, such as `{"timeout": 5000}`.
        poll: Between two questions where ccxt has no stream of the venue.
        timeout: So long an answer is waited for.
        stale: The venue is looked at after half of so much silence, and given up without an
            answer.
        client: Makes the client of `ccxt.pro` in place of `exchange` and `options`: for test
            networks, proxies and simulators.
        name: Name of the venue in the session; that of `exchange` without it.
    """

    exchange: str
    symbols: Sequence[str]
    depth: int = 50
    entry: Span = "1ms"
    response: Span = "1ms"
    feed: Span = "1ms"
    fills: Venue = field(default_factory=Venue)
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    poll: Span = "1s"
    timeout: Span = "10s"
    stale: Span = "15s"
    client: Callable[[], Any] | None = None
    name: str | None = None

    @property
    def venue(self) -> str:
        """Name of the venue in the session."""
        return self.name or self.exchange

    def slower(self) -> str:
        """What every session that has such a feed is told."""
        return SLOWER.format(venue=self.venue)

    def secrets(self) -> tuple[str, ...]:
        """What must not be shown: a feed is given no key."""
        return ()

    def to_feed(self) -> dict[str, Any]:
        """The feed in the engine's form, but for what ccxt can do there.

        Raises:
            ConfigError: A value cannot be used.
        """
        if not self.symbols:
            raise ConfigError(f"{self.venue}: name the symbols to watch")
        return feed_form({"venue": relayed_form(self.venue, self.symbols, self.stale)})

    def latency(self) -> Latency:
        """Latency of requests and answers as the session's kernel has it."""
        return seen_from_here(self.entry, self.response, self.feed)

    def make_client(self) -> Any:
        """The client of ccxt.

        Raises:
            ConfigError: ccxt is not installed, or does not know the venue.
        """
        if self.client is not None:
            return self.client()
        try:
            pro = importlib.import_module("ccxt.pro")
        except ImportError:
            raise ConfigError(
                f"{self.exchange} is read by ccxt: pip install 'mainspring[ccxt]'"
            ) from None
        maker = getattr(pro, self.exchange, None)
        if maker is None:
            raise ConfigError(f"ccxt has no streams of {self.exchange!r}")
        return maker({"enableRateLimit": True, **self.options})


def relayed_form(name: str, symbols: Sequence[str], stale: Span) -> dict[str, Any]:
    """A venue that ccxt speaks to in the engine's form: what it has of its own is ccxt's."""
    return {
        "name": name,
        "symbols": list(symbols),
        "url": None,
        "test": False,
        "account": "",
        "account_number": 0,
        "short_term": False,
        "ed25519": False,
        "recv_window_ms": 0,
        "tag": 0,
        "on_disconnect": "keep",
        "countdown_ms": 0,
        "stale_ms": max(100, span_ns(stale, "stale") // 1_000_000),
        "reserve_percent": 0,
        "orders_by_socket": False,
        "cancel_all": False,
        "proxy": None,
    }
