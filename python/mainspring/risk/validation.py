"""A second opinion on every order, from a function of yours or from another process.

The engine asks over a socket, waits for a bounded time, and takes no answer for a no. One line of
JSON asks: ``{"id": 1, "order": 7, "strategy": 0, "instrument": 0, "side": 1, "type": 0,
"price_ticks": 100, "qty_lots": 5, "flags": 0, "time_ns": 9}``; one line answers: ``1 ok`` or
``1 no``. Orders that close in an emergency are not asked about.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from mainspring.written import Span, span_ns

Question = dict[str, int]
"""An order that the gate has let through; see the module."""


@dataclass(frozen=True, slots=True)
class Validator:
    """Where a validator listens, and how long its answer is waited for.

    Attributes:
        address: ``host:port``.
        timeout: The longest wait for each order, 1 us to 10 s, connecting included. The kernel of
            a session waits for it: of each second at most a fifth is spent so (or one order's
            time, where that is more), and one that did not answer is left alone for ten times its
            time. Orders that are not asked about meanwhile are refused. Cancels never wait.
    """

    address: str
    timeout: Span = "5ms"

    def to_engine(self) -> dict[str, Any]:
        """The engine's form."""
        return {
            "address": self.address,
            "timeout_ns": span_ns(self.timeout, "the validator's timeout"),
        }


class CallbackServer:
    """Serves a function as a validator on this machine; a context manager.

    Args:
        callback: Called with each question on a thread of its own; true lets the order pass. An
            exception is a no.
        timeout: See [`Validator`][mainspring.risk.validation.Validator].
    """

    def __init__(self, callback: Callable[[Question], bool], *, timeout: Span = "5ms") -> None:
        self._callback = callback
        self._listener = socket.create_server(("127.0.0.1", 0))
        host, port = self._listener.getsockname()
        self.validator = Validator(f"{host}:{port}", timeout)
        self._thread = threading.Thread(target=self._accept, name="validator", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Closing alone does not wake a thread that waits in accept.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(timeout=1.0)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError), connection.makefile("r") as lines:
            for line in lines:
                question: Question = json.loads(line)
                try:
                    answer = "ok" if self._callback(question) else "no"
                except Exception:  # whatever fails is a no
                    answer = "no"
                connection.sendall(f"{question['id']} {answer}\n".encode())
