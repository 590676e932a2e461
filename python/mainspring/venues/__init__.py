"""Venue codecs: what venues send to events and facts, what we ask to signed requests.

A codec opens no connection, reads no clock and touches no file: it turns bytes into words and back,
so that everything here can be tried on recorded messages. Sessions use the same code.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Answer", "Codec", "Failure", "Request", "signatures_by_thread", "venues"]


def venues() -> dict[str, str]:
    """The names of the venues there are, each with what it trades."""
    from mainspring import _core

    return dict(_core.venue_names())


def signatures_by_thread() -> dict[str, int]:
    """Signatures by Ed25519 and secp256k1 that this process made, by the name of the thread.

    They take tens of microseconds: those of sessions are made on the thread of their venues, never
    on the kernel's (`ms-kernel`).
    """
    from mainspring import _core

    return dict(_core.signatures_by_thread())


@dataclass(frozen=True, slots=True, repr=False)
class Request:
    """A request ready to be sent. Its text has keys and signatures in it and is not shown.

    Attributes:
        method: HTTP method; of no meaning for frames.
        host: Which of the venue's hosts: `rest`, `chain`, `trade` or `user`.
        target: Path and query.
        headers: HTTP headers.
        body: Body, or the text of the frame.
        weight: What it takes of the venue's request budget.
        orders: What it takes of the venue's order budget.
    """

    method: str
    host: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: str
    weight: int
    orders: int

    def __repr__(self) -> str:
        return f"Request({self.method} {self.target.partition('?')[0]})"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a venue did not do what was asked.

    Attributes:
        kind: `refused` (it did nothing), `rate_limited` (wait `wait_ms`), `authentication`,
            `unknown` (it may have done it: query, never assume) or `venue_down`.
        wait_ms: How long to wait, where the venue says it.
        reason: Why an order was refused, in the engine's words, where that is known.
        code: The venue's code.
        message: The venue's words.
    """

    kind: str
    wait_ms: int | None
    reason: str | None
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request: facts about the account, and the failure if it is one."""

    facts: list[dict[str, Any]] = field(default_factory=list)
    failure: Failure | None = None


class Codec:
    """The codec of one venue.

    Args:
        name: One of `venues()`.
        key: The API key.
        secret: Its secret: text for HMAC, PKCS#8 for Ed25519, hexadecimal for wallets. It is copied
            into memory that is wiped when the codec goes, and cannot be read back.
        passphrase: Its passphrase (OKX).
        account: Address of the account (Hyperliquid, dYdX).
        account_number: Number of the account on the chain (dYdX).
        ed25519: The secret is an Ed25519 key (Binance).
        recv_window_ms: How late a signed request may come; 0 for the venue's usual.
        test: The venue's test network.
        tag: Tells sessions on one account apart (dYdX).

    Raises:
        NotFoundError: there is no such venue.
        ConfigError: the secret is not of the kind that the venue takes.
    """

    def __init__(
        self,
        name: str,
        *,
        key: str | bytes | None = None,
        secret: str | bytes | None = None,
        passphrase: str | bytes | None = None,
        account: str = "",
        account_number: int = 0,
        ed25519: bool = False,
        recv_window_ms: int = 0,
        test: bool = False,
        tag: int = 0,
    ) -> None:
        from mainspring import _core

        settings = {
            "account": account,
            "account_number": account_number,
            "ed25519": ed25519,
            "recv_window_ms": recv_window_ms,
            "test": test,
            "tag": tag,
        }
        self._core = _core.VenueCodec(
            name, json.dumps(settings), _bytes(key), _bytes(secret), _bytes(passphrase)
        )

    @property
    def name(self) -> str:
        """The venue's name."""
        return self._core.name

    @property
    def facts(self) -> dict[str, Any]:
        """What the venue takes, its budgets, where it is, and how connections are kept alive."""
        facts: dict[str, Any] = json.loads(self._core.facts())
        return facts

    def load_instruments(
        self, body: str | bytes, symbols: Iterable[str] = ()
    ) -> list[dict[str, Any]]:
        """Reads the venue's answer about its instruments and keeps those named, or all.

        Raises:
            DataError: the answer cannot be read.
        """
        kept: list[dict[str, Any]] = json.loads(
            self._core.instruments(_need_bytes(body), list(symbols))
        )
        return kept

    def subscribe(self, symbols: Iterable[str], streams: Iterable[str]) -> list[tuple[int, str]]:
        """Frames that subscribe to `book`, `best`, `trades` and `mark`.

        Each comes with the number of its connection in `facts["endpoints"]["market"]`.

        Raises:
            NotFoundError: an instrument was not loaded.
        """
        return self._core.subscribe(list(symbols), list(streams))

    def market(self, text: str | bytes) -> list[dict[str, Any]]:
        """The events in one message of market data; prices and quantities are exact text.

        Raises:
            DataError: the message is malformed, or a known field holds what it cannot hold.
        """
        events: list[dict[str, Any]] = json.loads(self._core.market(_need_bytes(text)))
        return events

    def rows(self, text: str | bytes, recv_ns: int) -> list[tuple[int, int, int, int, int, int]]:
        """The same in ticks and lots: `(kind, instrument, flags, ticks, lots, exch_ns)`.

        Kinds and flags are those of event files.

        Raises:
            DataError: as `market`, or a price is off the instrument's grid.
        """
        return self._core.rows(_need_bytes(text), recv_ns)

    def encode(
        self, request: Mapping[str, Any], *, now_ms: int, socket_id: int | None = None
    ) -> Request:
        """Writes and signs a request.

        Args:
            request: `kind` (`place`, `cancel`, `amend`, `query`, `open_orders`, `fills`,
                `balances`, `positions`, ...) and its parts; see the how-to of the venue. Money is
                text.
            now_ms: The venue's clock as far as you know it, in milliseconds.
            socket_id: Write it as a frame of the websocket with this id instead.

        Raises:
            InvalidValue: the venue has no such request, or a part is missing or off the grid.
            RiskError: the order breaks a rule of the venue and would come back refused.
            ConfigError: it must be signed and there is no key.
        """
        text = self._core.encode(json.dumps(dict(request)), now_ms, socket_id)
        parts = json.loads(text)
        parts["headers"] = tuple((name, value) for name, value in parts["headers"])
        return Request(**parts)

    def answer(
        self, status: int, body: str | bytes, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Reads the answer to the request that was written last."""
        listed = list((headers or {}).items())
        document = json.loads(self._core.answer(status, listed, _need_bytes(body)))
        failure = document["failure"]
        if failure is not None:
            failure = Failure(kind=failure.pop("class"), **failure)
        return Answer(document["facts"], failure)

    def user(self, text: str | bytes) -> list[dict[str, Any]]:
        """The facts in one message of the user stream.

        Raises:
            DataError: the message is malformed, or a known field holds what is not known.
        """
        facts: list[dict[str, Any]] = json.loads(self._core.user(_need_bytes(text)))
        return facts

    def __repr__(self) -> str:
        return f"Codec({self.name!r})"


def _bytes(value: str | bytes | None) -> bytes | None:
    return None if value is None else _need_bytes(value)


def _need_bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value
