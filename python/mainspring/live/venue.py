"""A venue that is traded on, and the look at it before money is at risk."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mainspring.backtesting.config import Span
from mainspring.data.home import data_home
from mainspring.errors import ConfigError, InvalidValue
from mainspring.live.config import span_ns
from mainspring.live.credentials import Credentials
from mainspring.strategy.native import LossHedge, Number

_CHECK_LASTS_S = 24 * 3_600


@dataclass(frozen=True, slots=True)
class Hedge:
    """What becomes of positions at a venue that cannot be heard: they are hedged at another one.

    Orders there are cancelled as with `cancel`. The net position of all strategies in a symbol is
    hedged at the market, as far as what they hold where it is hedged does not offset it already.
    The hedge is a position of the engine's own (`loss_hedge` in the journal), through the same
    reconciler and limits; it is closed once the venue is back and has told what happened.

    Attributes:
        on: For each symbol where it is hedged, as `VENUE:SYMBOL` of the same session.
        after: How long a venue has to be away.
        slice: Most of one order, in base currency; any without it.
    """

    on: Mapping[str, str]
    after: Span = "5s"
    slice: Number = 0


@dataclass(frozen=True, slots=True)
class LiveVenue:
    """A venue and what is traded there.

    Attributes:
        name: One of `mainspring.venues.venues()`.
        symbols: The instruments, as the venue writes them.
        credentials: The key; without one only market data is taken.
        url: Another place than the venue's own, such as `http://127.0.0.1:8080` of
            `mainspring venue serve`.
        test: The venue's test network.
        account_number: Number of the account on the chain (dYdX).
        short_term: Resting orders are short-term (dYdX): thousands in five blocks instead of 20
            lasting ones in a hundred, and gone some twenty blocks after they were placed.
        recv_window_ms: How late a signed request may come; 0 for the venue's usual.
        on_disconnect: What becomes of our orders when the venue cannot be heard: `cancel` them at
            once by what still works, and by the venue's countdown where it has one, or `keep` them;
            `Hedge(...)` cancels them and hedges positions at another venue.
        countdown: The venue cancels our orders after so long without a word from us; 0 for never.
        stale: Market data is not quoted on after so much silence, unanswered pings included.
        reserve: Share of the venue's request budgets that only cancels may use.
        orders_by_socket: Whether orders go by the websocket where the venue takes them there.
        cancel_all: Whether a halt may cancel everything in the symbols at once, orders of others on
            the account too, by the venue's own request where it has one. Without it our orders are
            cancelled, in batches where the venue takes them.
        proxy: `http://[user:password@]host:port` or `socks5://...`; `MAINSPRING_PROXY` without it.
            The connection to the proxy itself is plain TCP (what goes through it has TLS of its
            own); `https://` proxies are refused.
    """

    name: str
    symbols: Sequence[str]
    credentials: Credentials = field(default_factory=Credentials)
    url: str | None = None
    test: bool = False
    account_number: int = 0
    short_term: bool = False
    recv_window_ms: int = 0
    on_disconnect: Literal["cancel", "keep"] | Hedge = "cancel"
    countdown: Span = "30s"
    stale: Span = "5s"
    reserve: float = 0.2
    orders_by_socket: bool = True
    cancel_all: bool = False
    proxy: str | None = field(default=None, repr=False)

    def to_engine(self, tag: int) -> dict[str, Any]:
        """The engine's form; secrets go apart.

        Raises:
            ConfigError: A value cannot be used.
        """
        if not self.symbols:
            raise ConfigError(f"{self.name}: name the symbols to trade")
        if self.short_term and self.name != "dydx":
            raise ConfigError(f"{self.name}: orders of dydx alone can be short-term")
        if not 0 <= self.reserve <= 0.9:
            raise ConfigError(f"{self.name}: a reserve of {self.reserve}; give 0 to 0.9")
        return {
            "name": self.name,
            "symbols": list(self.symbols),
            "url": self.url,
            "test": self.test,
            "account": self.credentials.account,
            "account_number": self.account_number,
            "short_term": self.short_term,
            "ed25519": self.credentials.ed25519,
            "recv_window_ms": self.recv_window_ms,
            "tag": tag,
            "on_disconnect": "keep" if self.on_disconnect == "keep" else "cancel",
            "countdown_ms": span_ns(self.countdown, "countdown") // 1_000_000,
            "stale_ms": max(100, span_ns(self.stale, "stale") // 1_000_000),
            "reserve_percent": round(self.reserve * 100),
            "orders_by_socket": self.orders_by_socket,
            "cancel_all": self.cancel_all,
            "proxy": self.proxy or os.environ.get("MAINSPRING_PROXY") or None,
        }

    def loss_hedge(self, size_bps: int) -> LossHedge | None:
        """The strategy that hedges this venue while it cannot be heard.

        Raises:
            ConfigError: A symbol that is hedged is not traded here, or a span cannot be used.
        """
        return hedge_of(self.name, self.symbols, self.on_disconnect, size_bps)

    def check(self, *, timeout_s: float = 30.0) -> Check:
        """Looks at the venue without changing anything, and keeps what was found.

        A session trades there only when the last look passed and is not older than a day.

        Raises:
            ConfigError: The venue is not known, or the key is not of the kind it takes.
        """
        from mainspring import _core

        told = json.dumps(self.to_engine(0))
        text = _core.check_venue(told, self.credentials.parts(), timeout_s, [])
        check = Check(**json.loads(text))
        keep_look(self._kept_as(), check, self.symbols)
        return check

    def last_check(self) -> str | None:
        """Why trading must not begin by the last look; None when it passed and is new enough."""
        how = f"`mainspring connect {self.name} --check`"
        return last_look(self.name, self._kept_as(), self.symbols, how)

    def _kept_as(self) -> str:
        place = "" if self.url is None else f"-{abs(hash_text(self.url)):x}"
        network = "-test" if self.test else ""
        return f"{self.name}{network}{place}-{self.credentials.fingerprint()}"


def hedge_of(
    name: str,
    symbols: Sequence[str],
    on_disconnect: Literal["cancel", "keep"] | Hedge,
    size_bps: int,
) -> LossHedge | None:
    """The strategy that hedges a venue while it cannot be heard; None where that is not wanted.

    Raises:
        ConfigError: A symbol that is hedged is not traded there, or a span cannot be used.
    """
    if not isinstance(on_disconnect, Hedge):
        return None
    unknown = sorted(set(on_disconnect.on) - set(symbols))
    if unknown or not on_disconnect.on:
        raise ConfigError(f"{name}: hedge symbols that are traded here, not {unknown}")
    pairs = [{"lost": f"{name}:{symbol}", "on": on} for symbol, on in on_disconnect.on.items()]
    return LossHedge(
        pairs=pairs,
        after_ms=max(1, span_ns(on_disconnect.after, "after") // 1_000_000),
        slice=on_disconnect.slice,
        size_bps=size_bps,
        every="100ms",
    )


def keep_look(kept_as: str, check: Check, symbols: Sequence[str]) -> None:
    """Keeps what a look found, for `last_look`."""
    path = _look_file(kept_as)
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = {"time_s": time.time(), "passed": check.passed, "symbols": list(symbols)}
    path.write_text(json.dumps(kept))


def last_look(name: str, kept_as: str, symbols: Sequence[str], how: str) -> str | None:
    """Why trading must not begin by the last look; None when it passed and is new enough."""
    try:
        kept = json.loads(_look_file(kept_as).read_text())
    except (FileNotFoundError, ValueError):
        return f"{name} was never looked at with this key: {how}"
    if not kept["passed"]:
        return f"the last look at {name} found problems: {how}"
    if time.time() - kept["time_s"] > _CHECK_LASTS_S:
        return f"the last look at {name} is older than a day: {how}"
    missing = sorted(set(symbols) - set(kept["symbols"]))
    if missing:
        return f"the last look at {name} was not at {', '.join(missing)}: {how}"
    return None


def _look_file(kept_as: str) -> Path:
    return data_home() / "checks" / f"{kept_as}.json"


def known_venue(name: str) -> None:
    """Refuses the name of a venue that there is not.

    Raises:
        InvalidValue: There is no such venue; the message lists them.
    """
    from mainspring.venues import venues

    known = venues()
    if name not in known:
        raise InvalidValue(f"no venue {name!r}; there are {', '.join(known)}")


def proxy_of(words: str | None) -> str | None:
    """A proxy of the command line.

    Raises:
        ConfigError: It has a password, which other people of this machine could read.
    """
    if words is not None and "@" in words:
        raise ConfigError("give a proxy with a password by MAINSPRING_PROXY, not by --proxy")
    return words


def hash_text(text: str) -> int:
    """A number for a text that is the same in every process."""
    import zlib

    return zlib.crc32(text.encode())


@dataclass(frozen=True, slots=True)
class Check:
    """What a look at a venue found.

    Attributes:
        venue: Its name.
        passed: Whether trading may begin.
        clock_offset_ms: The venue's time is ours and so much.
        clock_error_ms: Give or take so much.
        may_trade: Whether the key may trade; None when the venue does not say.
        may_withdraw: Whether it, or the account where keys do not tell, may take money out.
        bound_to_address: Whether the key works from named addresses alone.
        hedge_mode: Whether long and short positions are kept apart.
        instruments: Symbol, tick, lot, least quantity and value, whether it trades, fees.
        balances: Currency, total and free, of what is not zero.
        positions: Symbol and quantity.
        open_orders: Orders open in the instruments.
        problems: Why trading must not begin.
        warnings: What a person should look at.
    """

    venue: str
    passed: bool
    clock_offset_ms: int | None
    clock_error_ms: int | None
    may_trade: bool | None
    may_withdraw: bool | None
    bound_to_address: bool | None
    hedge_mode: bool | None
    instruments: list[dict[str, Any]]
    balances: list[dict[str, Any]]
    positions: list[tuple[str, str]]
    open_orders: int
    problems: list[str]
    warnings: list[str]
