"""Connections as a session sees them, made of tasks that read a venue by ccxt."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Coroutine, Mapping
from typing import Any

from mainspring import _core
from mainspring.errors import MainspringError
from mainspring.live.ccxt_access import Access
from mainspring.live.ccxt_words import Words

FIRST_WAIT_S, LONGEST_WAIT_S = 0.25, 30.0
"""Between two attempts; each is twice the one before."""


def longer(wait_s: float) -> float:
    """The wait behind one of this length."""
    return min(max(FIRST_WAIT_S, 2 * wait_s), LONGEST_WAIT_S)


class Wire:
    """A connection as the session sees it: tasks that read and tell.

    Attributes:
        told: Streams of which something was told on it.
        failing: Streams that failed and of which nothing was told since.
    """

    def __init__(self, key: int, what: str) -> None:
        self.key, self.what = key, what
        self.told: set[str] = set()
        self.failing: set[str] = set()
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def begin(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Begins a task in the place of one of the same name."""
        self.stop(name)
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


class Wires:
    """The connections of a session by their numbers.

    Args:
        access: The venue.
        relay: The way to the session.
        gates: What a kind of connection waits for before it stands.
    """

    def __init__(
        self, access: Access, relay: _core.VenueRelay, gates: Mapping[str, asyncio.Event]
    ) -> None:
        self._access, self._relay, self._gates = access, relay, gates
        self._wires: dict[int, Wire] = {}
        self._waits: dict[str, float] = {}

    @property
    def are_any(self) -> bool:
        """Whether the session has one."""
        return bool(self._wires)

    def of(self, key: int) -> Wire | None:
        """The connection of a number, while it stands or is made."""
        return self._wires.get(key)

    def open(self, key: int, what: str) -> None:
        """Begins one."""
        self._wires[key] = wire = Wire(key, what)
        wire.begin("", self._open(wire))

    def close(self, key: int) -> None:
        """Ends one that the session does not want any more."""
        if (wire := self._wires.pop(key, None)) is not None:
            wire.end()

    async def _open(self, wire: Wire) -> None:
        """Waits longer and longer after failures, and looks whether the venue is there."""
        wait_s = self._waits.get(wire.what, 0.0)
        self._waits[wire.what] = longer(wait_s)
        await asyncio.sleep(wait_s)
        try:
            await self._access.reach()
            if (gate := self._gates.get(wire.what)) is not None:
                await asyncio.wait_for(gate.wait(), 2 * self._access.timeout_s)
        except Exception as error:
            self.lost(wire, error)
            return
        self._relay.opened(wire.key)

    async def pong(self, key: int) -> None:
        """Says that the venue is there. Silence is the answer of one that is not."""
        with contextlib.suppress(Exception):
            await self._access.reach()
            self._relay.pong(key)

    def lost(self, wire: Wire, error: BaseException) -> None:
        """A connection ended; the session opens another one."""
        if self._wires.pop(wire.key, None) is None:
            return
        with contextlib.suppress(MainspringError):
            self._relay.closed(wire.key, self._access.shown(error))
        wire.end()

    async def guarded(self, wire: Wire, work: Coroutine[Any, Any, None]) -> None:
        """What fails ends the connection: nothing is heard in part."""
        try:
            await work
        except asyncio.CancelledError:
            raise
        except Exception as error:
            self.lost(wire, error)

    def tell(self, wire: Wire, message: Words) -> None:
        """A message of a connection."""
        if wire.key in self._wires:
            self._waits[wire.what] = 0.0
            self._relay.message(wire.key, json.dumps(message, separators=(",", ":")))
