"""From counts of ticks and lots to what people read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any


class Units:
    """The units of instruments, by their ids."""

    def __init__(self, instruments: Sequence[Mapping[str, Any]]) -> None:
        self.symbols = [str(one["symbol"]) for one in instruments]
        self._tick = [Decimal(str(one["grids"][0]["tick"])) for one in instruments]
        self._lot = [Decimal(str(one["lot"])) for one in instruments]
        self._tick_ratios = [one.as_integer_ratio() for one in self._tick]
        self._lot_ratios = [one.as_integer_ratio() for one in self._lot]
        self.multipliers = [Decimal(str(one.get("multiplier", 1))) for one in instruments]
        self.inverse = ["inverse" in str(one.get("kind", "")) for one in instruments]

    def __len__(self) -> int:
        return len(self.symbols)

    def symbol(self, instrument: int) -> str:
        """The symbol, or a number where the instrument is not known."""
        known = instrument < len(self.symbols)
        return self.symbols[instrument] if known else f"instrument {instrument}"

    def price(self, instrument: int, ticks: float) -> float:
        """A price: the nearest float."""
        return _of(self._tick_ratios, instrument, ticks)

    def size(self, instrument: int, lots: float) -> float:
        """A quantity: the nearest float."""
        return _of(self._lot_ratios, instrument, lots)

    def price_text(self, instrument: int, ticks: int) -> str:
        """A price as exact decimal text."""
        return _text(self._tick, instrument, ticks)

    def size_text(self, instrument: int, lots: int) -> str:
        """A quantity as exact decimal text."""
        return _text(self._lot, instrument, lots)

    def mid(self, instrument: int, bid_ticks: int, ask_ticks: int) -> Decimal:
        """The price between two, exact."""
        return Decimal(bid_ticks + ask_ticks) * self._tick[instrument] / 2

    def value(self, instrument: int, lots: int, price: Decimal) -> Decimal:
        """What `lots` are worth at a price, in the settlement currency; signed as they are."""
        size = lots * self._lot[instrument] * self.multipliers[instrument]
        if not self.inverse[instrument]:
            return size * price
        return size / price if price else Decimal(0)


def _of(units: Sequence[tuple[int, int]], instrument: int, count: float) -> float:
    if instrument >= len(units):
        return float(count)
    numerator, denominator = units[instrument]
    return count * numerator / denominator


def _text(units: Sequence[Decimal], instrument: int, count: int) -> str:
    if instrument >= len(units):
        return str(count)
    return format(count * units[instrument], "f")
