"""Books and trades of ccxt as what changed: in ticks and lots, and nothing twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class Newest:
    """Tells trades that were not seen before: streams and lists repeat some."""

    def __init__(self, remembered: int = 4_096) -> None:
        self._seen: dict[str, None] = {}
        self._remembered = remembered

    def new(self, trades: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Those that are new, in the order given."""
        found = []
        for trade in trades:
            known = trade.get("id")
            if known is not None and known in self._seen:
                continue
            if known is not None:
                self._seen[known] = None
            found.append(trade)
        while len(self._seen) > self._remembered:
            del self._seen[next(iter(self._seen))]
        return found


Levels = dict[int, int]


class Shown:
    """The book as the session was told."""

    def __init__(self) -> None:
        self._bids: Levels = {}
        self._asks: Levels = {}

    @property
    def is_empty(self) -> bool:
        """Whether nothing was told yet, or nothing that still counts."""
        return not self._bids and not self._asks

    def clear(self) -> None:
        """What was told does not count any more."""
        self._bids, self._asks = {}, {}

    def bids_to(self, now: Levels) -> list[tuple[int, int]]:
        """Levels that changed, as price and new quantity; those that are gone have none."""
        before, self._bids = self._bids, now
        return changed(before, now)

    def asks_to(self, now: Levels) -> list[tuple[int, int]]:
        """As `bids_to`."""
        before, self._asks = self._asks, now
        return changed(before, now)


def changed(before: Levels, now: Levels) -> list[tuple[int, int]]:
    """What leads from one side of a book to another: removals first."""
    gone = [(price, 0) for price in before if price not in now]
    return gone + [(price, qty) for price, qty in now.items() if before.get(price) != qty]


def counted(side: Sequence[Sequence[float]], grid: tuple[float, float], depth: int) -> Levels:
    """One side of ccxt's book in ticks and lots, without levels of less than a lot."""
    tick, lot = grid
    levels: Levels = {}
    for level in side[:depth]:
        lots = int(level[1] / lot + 1e-9)
        if lots > 0:
            levels[on_grid(level[0], tick)] = lots
    return levels


def on_grid(price: float, tick: float) -> int:
    """A price in ticks.

    Raises:
        ValueError: It lies between two.
    """
    steps = price / tick
    ticks = round(steps)
    if abs(steps - ticks) > 1e-6 + 1e-9 * abs(steps):
        raise ValueError(f"a price of {price} is not on the grid of {tick} that ccxt names")
    return ticks
