"""Stops that the engine holds for strategies: when a position is closed at the market.

The mid price decides, counted as bid plus ask in ticks, so that half ticks stay whole. A stop looks
at every message of its instrument, after the book and before the strategies, and once when it is
asked for. Its entry is the mid when it first sees the position. A position that turns, or that was
closed in between, begins anew; one that grows or shrinks does not. A stop fires once for each
position: the strategy's orders in the instrument are cancelled, and what it holds is closed by a
reduce-only market order. What trades of those orders before their cancels come is closed when it is
known, and what the venue does not close is closed again after a second, later after twice as long.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, Protocol

from mainspring.reference.vocabulary import (
    QUANTA_PER_UNIT,
    Instrument,
    OrderTerms,
    OrderType,
    Side,
    TimeInForce,
)

RANGE_UNITS = 2**32
"""The average true range is counted in 2^-32 half ticks."""

_DISTANCES = ("distance", "step", "trigger", "offset")


class Configured(Protocol):
    """A stop as a strategy or a run names it: `mainspring.Stop`."""

    @property
    def rule(self) -> Mapping[str, Any]:
        """Its kind, and figures as decimal text or whole numbers."""

    @property
    def symbol(self) -> str | None:
        """In which instrument; in each without it."""


@dataclass(frozen=True, slots=True)
class Rule:
    """When a position is closed; distances in half ticks, `loss` in quanta."""

    kind: str
    distance: int = 0
    step: int = 0
    trigger: int = 0
    offset: int = 0
    multiple_milli: int = 0
    period: int = 0
    bar_ns: int = 0
    after_ns: int = 0
    loss: int = 0


def rule_of(stop: Configured, instrument: Instrument) -> Rule:
    """The rule in the units of an instrument.

    Raises:
        ValueError: When a figure is not positive.
    """
    figures = dict(stop.rule)
    kind = figures.pop("kind")
    half_tick = Fraction(instrument.tick) / 2
    whole = {
        name: round(Fraction(figures[name]) / half_tick) for name in _DISTANCES if name in figures
    }
    whole |= {name: figures[name] for name in ("period", "bar_ns", "after_ns") if name in figures}
    if "multiple" in figures:
        whole["multiple_milli"] = round(Fraction(figures["multiple"]) * 1000)
    if "loss" in figures:
        whole["loss"] = int(Fraction(figures["loss"]) * QUANTA_PER_UNIT)
    rule = Rule(kind, **whole)
    positive = all(value > 0 for name, value in whole.items() if name != "offset")
    if not positive or not 0 <= rule.offset < max(rule.trigger, 1):
        raise ValueError(f"{rule} cannot be: figures must be positive, an offset below its trigger")
    return rule


@dataclass
class TrueRange:
    """Wilder's average of the ranges of bars of the mid price."""

    end_ns: int = 0
    high: int = 0
    low: int = 0
    latest: int = 0
    close: int | None = None
    average: int = 0
    bars: int = 0

    def see(self, now_ns: int, mid2: int, rule: Rule) -> None:
        """The mid price at a time."""
        if self.end_ns == 0:
            self._begin(now_ns, mid2, rule.bar_ns)
        if now_ns >= self.end_ns:
            before = self.low if self.close is None else self.close
            self._add(max(self.high, before) - min(self.low, before), rule.period)
            self.close = self.latest
            self._begin(now_ns, mid2, rule.bar_ns)
        self.high, self.low = max(self.high, mid2), min(self.low, mid2)
        self.latest = mid2

    def _begin(self, now_ns: int, mid2: int, bar_ns: int) -> None:
        self.end_ns = (now_ns // bar_ns + 1) * bar_ns
        self.high = self.low = mid2

    def _add(self, bar_range: int, period: int) -> None:
        self.bars += 1
        change = bar_range * RANGE_UNITS - self.average
        # Towards zero, up and down alike.
        self.average += abs(change) // min(self.bars, period) * (1 if change > 0 else -1)


@dataclass
class Stop:
    """A stop of one strategy in one instrument."""

    strategy: int
    instrument: int
    rule: Rule
    asked: bool = False
    """Whether the strategy asked for it in a callback."""
    position: int = 0
    entry_ns: int = 0
    entry2: int = 0
    best2: int = 0
    fired: bool = False
    ranges: TrueRange = field(default_factory=TrueRange)

    def see(self, now_ns: int, position: int, mid2: int | None, loss: int) -> bool:
        """What became of market and position; whether the position has to be closed now."""
        if mid2 is not None and self.rule.kind == "atr":
            self.ranges.see(now_ns, mid2, self.rule)
        if _sign(position) != _sign(self.position):
            if mid2 is None:
                # Without a price there is no entry yet.
                self.position = 0
                return False
            self.entry_ns, self.entry2, self.best2, self.fired = now_ns, mid2, mid2, False
        self.position = position
        if position == 0 or self.fired:
            return False
        self.fired = self._is_reached(now_ns, mid2, loss)
        return self.fired

    def _is_reached(self, now_ns: int, mid2: int | None, loss: int) -> bool:
        side = _sign(self.position)
        if mid2 is not None:
            self.best2 = max(self.best2 * side, mid2 * side) * side
        if self.rule.kind == "time":
            return now_ns - self.entry_ns >= self.rule.after_ns
        if self.rule.kind == "equity":
            return loss >= self.rule.loss
        level2 = self._level2(side)
        return mid2 is not None and level2 is not None and mid2 * side <= level2 * side

    def _level2(self, side: int) -> int | None:
        """Where it stands; it never moves against the position."""
        rule, gained = self.rule, (self.best2 - self.entry2) * side
        if rule.kind == "trailing":
            return self.best2 - side * rule.distance
        if rule.kind == "atr":
            if self.ranges.bars < rule.period:
                return None
            distance = self.ranges.average * rule.multiple_milli // (RANGE_UNITS * 1000)
            return self.best2 - side * max(distance, 1)
        if rule.kind == "step":
            raised = gained // rule.step * rule.step
            return self.entry2 + side * (raised - rule.distance)
        if rule.kind == "break_even" and gained >= rule.trigger:
            return self.entry2 + side * rule.offset
        return self.entry2 - side * rule.distance


def closing_order(instrument: int, side: Side, lots: int) -> OrderTerms:
    """What closes at the market."""
    market = OrderTerms(side, lots, 0, instrument, OrderType.MARKET, TimeInForce.IOC)
    return replace(market, reduce_only=True)


def closes_at_market(terms: OrderTerms) -> bool:
    """Whether an order closes at the market: the engine does not cancel it."""
    return terms.order_type is OrderType.MARKET and terms.reduce_only


def _sign(position: int) -> int:
    return (position > 0) - (position < 0)


class Stops:
    """All stops of a run, in the order in which they are looked at."""

    def __init__(
        self, configured: tuple[Configured, ...], instruments: list[Instrument], strategies: int
    ) -> None:
        self.all = [
            Stop(strategy, at, rule_of(stop, instrument))
            for stop in configured
            for strategy in range(strategies)
            for at, instrument in enumerate(instruments)
            if stop.symbol in (None, instrument.symbol)
        ]

    def hold(self, strategy: int, instrument: int, rule: Rule) -> None:
        """A strategy asks for a stop: in place of its other one of that kind, behind the rest.

        One that is asked for again as it is goes on as it was.
        """
        new = Stop(strategy, instrument, rule, asked=True)
        for at, stop in enumerate(self.all):
            if self._is_own(stop, strategy, instrument) and stop.rule.kind == rule.kind:
                self.all[at] = stop if stop.rule == rule else new
                return
        self.all.append(new)

    def let_go(self, strategy: int, instrument: int) -> None:
        """A strategy gives up every stop that it asked for."""
        self.all = [s for s in self.all if not self._is_own(s, strategy, instrument)]

    @staticmethod
    def _is_own(stop: Stop, strategy: int, instrument: int) -> bool:
        return stop.asked and (stop.strategy, stop.instrument) == (strategy, instrument)
