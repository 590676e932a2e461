"""A venue that only ccxt speaks to, traded on with real orders."""

from __future__ import annotations

import importlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from mainspring.backtesting.config import Span
from mainspring.errors import ConfigError
from mainspring.live.ccxt_abilities import Amends
from mainspring.live.ccxt_feed import relayed_form
from mainspring.live.ccxt_words import Ids
from mainspring.live.config import span_ns
from mainspring.live.credentials import Credentials
from mainspring.live.venue import Check, Hedge, hedge_of, keep_look, last_look
from mainspring.strategy.native import LossHedge

SLOWER = (
    "orders and market data of {venue} go through ccxt, in Python: milliseconds an order and tens "
    "of microseconds a message more than at a venue which this engine speaks to itself"
)
"""Told by every session that trades on such a venue."""

_IDS: dict[str, Ids] = {"kraken": "uuid", "krakenfutures": "uuid", "hyperliquid": "hex"}


@dataclass(frozen=True, slots=True)
class CcxtVenue:
    """A venue by ccxt (`pip install 'mainspring[ccxt]'`), for `live`.

    The session is that of every venue: the same limits, unknown outcomes, comparisons with the
    account, orders of others, and kill. What ccxt, or the venue by ccxt, does not have is refused
    before it is sent, with the reason in the venue's notes.

    Attributes:
        exchange: ccxt's name of the venue, such as `kraken`.
        symbols: ccxt's symbols, such as `BTC/EUR` or `BTC/USDT:USDT`; spot and contracts apart.
        credentials: The key: `apiKey`, `secret`, `password` of ccxt are key, secret, passphrase;
            `uid` and `walletAddress` are the account, `privateKey` is the secret.
        name: Name of the venue in the session; that of `exchange` without it.
        options: Of ccxt's client, such as `{"options": {"defaultType": "spot"}}`; no keys.
        client: Makes the client of `ccxt.pro` in place of `exchange` and `options`: for test
            networks, proxies and simulators. Credentials are put in where there are any.
        depth: Levels of each side.
        poll: Between two questions where ccxt has no stream of the venue.
        timeout: A request without an answer for so long has an unknown outcome: the venue is
            asked what became of it.
        stale: The venue is looked at after half of so much silence, and given up without an
            answer.
        on_disconnect: As of `LiveVenue`.
        cancel_all: As of `LiveVenue`.
        countdown: The venue cancels everything of the account, orders of others too, after so long
            without a word from us (10 seconds at least); 0 for never. Where ccxt has it.
        amends: What ccxt's `edit_order` does at this venue: `in_place` when an order keeps its ids,
            `replaced` when another one takes its place. Known of Binance; without it elsewhere
            orders are not changed, but cancelled and placed anew by the engine.
        ids: How our order ids are written: `text` of 26 letters and digits (31 where orders are
            replaced), `uuid` (Kraken), or `hex` digits (Hyperliquid).
    """

    exchange: str
    symbols: Sequence[str]
    credentials: Credentials = field(default_factory=Credentials)
    name: str = ""
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    client: Callable[[], Any] | None = field(default=None, repr=False)
    depth: int = 50
    poll: Span = "1s"
    timeout: Span = "10s"
    stale: Span = "15s"
    on_disconnect: Literal["cancel", "keep"] | Hedge = "cancel"
    cancel_all: bool = False
    countdown: Span = 0
    amends: Amends | None = None
    ids: Ids | None = None

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", self.exchange)

    @property
    def venue(self) -> str:
        """Name of the venue in the session."""
        return self.name

    def slower(self) -> str:
        """What every session that trades here is told."""
        return SLOWER.format(venue=self.name)

    def secrets(self) -> tuple[str, ...]:
        """What must not be shown."""
        keys = self.credentials
        return tuple(text for text in (keys.key, keys.secret, keys.passphrase) if text)

    @property
    def id_form(self) -> Ids:
        """How our order ids are written."""
        return self.ids or _IDS.get(self.exchange, "text")

    def to_engine(self, tag: int) -> dict[str, Any]:
        """The engine's form, but for what ccxt can do there.

        Raises:
            ConfigError: A value cannot be used.
        """
        if not self.symbols:
            raise ConfigError(f"{self.name}: name the symbols to trade")
        return {
            **relayed_form(self.name, self.symbols, self.stale),
            "tag": tag,
            "on_disconnect": "keep" if self.on_disconnect == "keep" else "cancel",
            "countdown_ms": span_ns(self.countdown, "countdown") // 1_000_000,
            "cancel_all": self.cancel_all,
        }

    def loss_hedge(self, size_bps: int) -> LossHedge | None:
        """As of `LiveVenue`."""
        return hedge_of(self.name, self.symbols, self.on_disconnect, size_bps)

    def make_client(self) -> Any:
        """The client of ccxt with its key.

        Raises:
            ConfigError: ccxt is not installed, does not know the venue, or options hold a key.
        """
        client = self.client() if self.client is not None else self._by_name()
        keys = self.credentials
        given = {
            "apiKey": keys.key, "secret": keys.secret, "password": keys.passphrase,
            "uid": keys.account, "walletAddress": keys.account, "privateKey": keys.secret,
        }  # fmt: skip
        wanted = getattr(client, "requiredCredentials", {})
        for word, value in given.items():
            if value and wanted.get(word, word in ("apiKey", "secret", "password")):
                setattr(client, word, value)
        # ccxt writes requests with their headers, keys among them, to its log.
        client.verbose, client.logger = False, _MUTE
        return client

    def _by_name(self) -> Any:
        try:
            pro = importlib.import_module("ccxt.pro")
        except ImportError:
            raise ConfigError(
                f"{self.exchange} is spoken to by ccxt: pip install 'mainspring[ccxt]'"
            ) from None
        maker = getattr(pro, self.exchange, None) if self.exchange in pro.exchanges else None
        if maker is None:
            raise ConfigError(f"ccxt has no streams of {self.exchange!r}")
        secrets = {"apiKey", "secret", "password", "privateKey", "token"} & set(self.options)
        if secrets:
            raise ConfigError(f"{self.name}: give keys as credentials, not as options of ccxt")
        return maker({"enableRateLimit": True, **self.options})

    def check(self, *, timeout_s: float = 30.0) -> Check:
        """As of `LiveVenue`: looks without changing anything, and keeps what was found.

        Raises:
            ConfigError: The venue cannot be reached, or ccxt cannot trade there.
        """
        from mainspring import _core
        from mainspring.live.ccxt_worker import CcxtWorker

        worker = CcxtWorker(self)
        try:
            told = json.dumps({**self.to_engine(0), "relayed": worker.told(0)})
            nothing = (None, None, None)
            text = _core.check_venue(told, nothing, timeout_s, [worker.relay])
        finally:
            worker.close()
        check = Check(**json.loads(text))
        keep_look(self._kept_as(), check, self.symbols)
        return check

    def last_check(self) -> str | None:
        """Why trading must not begin by the last look; None when it passed and is new enough."""
        how = f"`mainspring connect ccxt:{self.exchange} --check`, or check() of this venue"
        return last_look(self.name, self._kept_as(), self.symbols, how)

    def _kept_as(self) -> str:
        return f"ccxt-{self.exchange}-{self.name}-{self.credentials.fingerprint()}"


_MUTE = logging.getLogger("mainspring.ccxt")
_MUTE.setLevel(logging.CRITICAL + 1)
_MUTE.propagate = False
