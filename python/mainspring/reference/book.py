"""The order book of a feed: a dictionary of levels for each side."""

from __future__ import annotations

from enum import Enum

from mainspring.reference.vocabulary import Row, RowKind, Side


class Trust(Enum):
    """Whether a book can be believed."""

    EMPTY = "empty"
    SNAPSHOTTING = "snapshotting"
    TRUSTED = "trusted"
    GAPPED = "gapped"
    CROSSED = "crossed"


class Book:
    """Quantity in lots by price in ticks, for bids and asks."""

    def __init__(self) -> None:
        self.levels: dict[Side, dict[int, int]] = {Side.BUY: {}, Side.SELL: {}}
        self.trust = Trust.EMPTY
        self._touched = False

    def qty(self, side: Side, price: int) -> int:
        """Quantity at a price, 0 where there is no level."""
        return self.levels[side].get(price, 0)

    def best(self, side: Side) -> int | None:
        """The best price of a side."""
        prices = self.levels[side]
        if not prices:
            return None
        return max(prices) if side is Side.BUY else min(prices)

    def from_best(self, side: Side) -> list[int]:
        """The prices of a side, best first."""
        return sorted(self.levels[side], reverse=side is Side.BUY)

    def set(self, side: Side, price: int, qty: int) -> None:
        """Sets a level; nothing removes it."""
        if qty > 0:
            self.levels[side][price] = qty
        else:
            self.levels[side].pop(price, None)

    def clear(self) -> None:
        """Empties both sides."""
        for levels in self.levels.values():
            levels.clear()

    @property
    def is_usable(self) -> bool:
        """Whether the book may be shown to a strategy."""
        return self.trust is Trust.TRUSTED

    @property
    def mid2(self) -> int | None:
        """Twice the mid price in ticks, `None` without both sides."""
        bid, ask = self.best(Side.BUY), self.best(Side.SELL)
        return None if bid is None or ask is None else bid + ask

    def apply(self, row: Row) -> None:
        """Applies one row of the feed.

        Trust changes at the end of a message, because a sound book may be crossed for a moment
        inside one. A clear or the first row of a snapshot empties the book; the end of the message
        with the levels completes it. Only a snapshot heals a gap.
        """
        if row.kind is RowKind.CLEAR:
            self._begin_snapshot()
        elif row.kind is RowKind.GAP:
            self.trust = Trust.GAPPED
        elif row.kind is RowKind.DEPTH:
            if row.snapshot and self.trust is not Trust.SNAPSHOTTING:
                self._begin_snapshot()
            self.set(row.side, row.price_ticks, row.qty_lots)
            self._touched = True
        if row.end_of_message:
            self._end_message()

    def _begin_snapshot(self) -> None:
        self.clear()
        self.trust = Trust.SNAPSHOTTING

    def _end_message(self) -> None:
        touched, self._touched = self._touched, False
        if not touched or self.trust is Trust.GAPPED:
            return
        bid, ask = self.best(Side.BUY), self.best(Side.SELL)
        crossed = bid is not None and ask is not None and bid >= ask
        self.trust = Trust.CROSSED if crossed else Trust.TRUSTED
