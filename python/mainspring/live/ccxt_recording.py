"""Market data of a venue by ccxt for a recording."""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import json
from collections.abc import Callable
from typing import Any

from mainspring.errors import ConfigError, MainspringError
from mainspring.live.ccxt_feed import CcxtFeed
from mainspring.live.ccxt_worker import CcxtWorker

# Longer ones are no market data: lists of all instruments.
_MAX_HEARD = 1 << 20


class CcxtSource:
    """A venue that is heard by ccxt.

    Args:
        feed: The venue.
        raw: Have the venue's own messages told, too.

    Raises:
        ConfigError: The venue cannot be reached, a symbol cannot be traded by this engine, or the
            client does not show what it hears.
    """

    def __init__(self, feed: CcxtFeed, *, raw: bool) -> None:
        self._worker = CcxtWorker(feed)
        self.relay = self._worker.relay
        if raw:
            try:
                tap(self._worker.access.client, self.relay.heard)
            except BaseException:
                self.close()
                raise

    def wire(self) -> dict[str, Any]:
        """The way to the venue in the engine's form."""
        access = self._worker.access
        facts = {
            "by": f"ccxt {_version()}, {access.exchange}",
            "received": "when Python handed it on",
            "depth": str(access.depth),
        }
        return {
            "library": {
                "can": self._worker.can,
                "instruments": [one.to_dict() for one in access.instruments.values()],
                "tells_time": access.has("fetchTime"),
                "facts": list(facts.items()),
            }
        }

    def close(self) -> None:
        """Ends the connections."""
        self._worker.close()


def tap(client: Any, tell: Callable[[str], None]) -> None:
    """Has all told that a client of ccxt hears from here on, before ccxt makes anything of it.

    Raises:
        ConfigError: The client does not show it.
    """
    heard = getattr(client, "handle_message", None)
    answered = getattr(client, "on_rest_response", None)
    if heard is None or answered is None:
        raise ConfigError("this client of ccxt does not show what it hears: leave `raw` out")

    def kept(text: str) -> None:
        if len(text) <= _MAX_HEARD:
            with contextlib.suppress(MainspringError):  # the recording is over
                tell(text)

    @functools.wraps(heard)
    def on_message(socket: Any, message: Any) -> Any:
        kept(message if isinstance(message, str) else _as_json(message))
        return heard(socket, message)

    @functools.wraps(answered)
    def on_answer(
        code: Any, reason: Any, url: Any, method: Any, headers: Any, body: Any, *more: Any
    ) -> Any:
        kept(str(body))
        return answered(code, reason, url, method, headers, body, *more)

    client.handle_message, client.on_rest_response = on_message, on_answer


def _as_json(message: Any) -> str:
    return json.dumps(message, separators=(",", ":"), default=str)


def _version() -> str:
    try:
        return importlib.metadata.version("ccxt")
    except importlib.metadata.PackageNotFoundError:
        return "of another making"
