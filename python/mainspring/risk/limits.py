"""Limits: a tree from the whole engine down to the instrument. They only tighten the build's."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from mainspring.errors import ConfigError
from mainspring.written import Number, Span, decimal_text, span_ns

_RATE = re.compile(r"^\s*(\d+)\s*/\s*(.+?)\s*$")


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` in any window of the length `window`, exactly."""

    count: int
    window: Span = "1s"

    @classmethod
    def of(cls, written: Rate | str | tuple[int, Span], what: str) -> Rate:
        """A rate as written: ``"100/1s"``, ``(100, "1s")``, or a `Rate`.

        Raises:
            ConfigError: It is none of these.
        """
        if isinstance(written, Rate):
            return written
        if isinstance(written, tuple):
            return cls(*written)
        match = _RATE.match(str(written))
        if match is None:
            raise ConfigError(f"{what} is {written!r}; give a count in a window, such as '100/1s'")
        window = match[2] if match[2][0].isdigit() else f"1{match[2]}"
        return cls(int(match[1]), window)

    def to_engine(self, what: str) -> dict[str, int]:
        """The engine's form."""
        return {"count": self.count, "window_ns": span_ns(self.window, what)}


RateLike = Rate | str | tuple[int, Span]


@dataclass(frozen=True, slots=True)
class Breaker:
    """A circuit breaker: what keeps failing is left alone, then tried with one order at a time.

    Attributes:
        max_faults: Rejects and unanswered requests within `window` that open it.
        window: See `max_faults`.
        max_latency: An acknowledgement that takes longer is slow; without it none is.
        max_slow: Slow acknowledgements in a row that open it.
        cooldown: How long it stays open; doubled after each probe that fails, up to 16 times.
        probes: Probes in a row that must succeed to close it.
    """

    max_faults: int = 5
    window: Span = "10s"
    max_latency: Span | None = None
    max_slow: int = 10
    cooldown: Span = "30s"
    probes: int = 1

    def to_engine(self) -> dict[str, int]:
        """The engine's form."""
        latency = 0 if self.max_latency is None else span_ns(self.max_latency, "max_latency")
        return {
            "max_faults": self.max_faults,
            "window_ns": span_ns(self.window, "breaker: window"),
            "max_latency_ns": latency,
            "max_slow": self.max_slow,
            "cooldown_ns": span_ns(self.cooldown, "breaker: cooldown"),
            "probes": self.probes,
        }


@dataclass(frozen=True, slots=True)
class DrawdownLadder:
    """What a fall from the peak of sampled equity leads to, as fractions lost.

    Attributes:
        reduce: From here on orders that add to a position are cut to `reduce_to` of their size.
        stop: From here on nothing may add to a position.
        close: From here on trading is halted, orders are cancelled and positions closed.
        shutdown: From here on every strategy is stopped as well: a gap went through `close`.
        reduce_to: See `reduce`.

    The first two rungs are left when equity recovers; the last two only by a person.
    """

    reduce: float | None = 0.05
    stop: float | None = 0.10
    close: float = 0.15
    shutdown: float = 0.20
    reduce_to: float = 0.5

    def to_engine(self) -> dict[str, int]:
        """The engine's form, in basis points."""
        rungs = {
            "reduce_bps": self.reduce,
            "stop_bps": self.stop,
            "close_bps": self.close,
            "shutdown_bps": self.shutdown,
            "reduce_to_bps": self.reduce_to,
        }
        return {name: round(rung * 10_000) for name, rung in rungs.items() if rung is not None}


@dataclass(frozen=True, slots=True)
class Limits:
    """Risk limits, of the whole engine or of one branch of it. What is not given is not limited.

    An order is checked against every branch that it belongs to. What bounds a single order (its
    size, value, collar, hours) holds by the tightest; the rest bounds what the branch does as a
    whole: the strategies of a venue together, or one strategy everywhere. An order that fails is
    not sent, and is told of all that it failed. Orders that only reduce a position pass the limits
    on positions, exposure, losses, hours and breakers.

    Money is in the currency that the run reports in.

    Attributes:
        max_order_qty: Largest order, in units of the base.
        max_order_notional: Largest order value, in the instrument's quote currency.
        max_position: Largest absolute position in one instrument, in units of the base, open orders
            included; in the branch of a strategy, its own position.
        price_collar_bps: How far a limit price may go through the mid price, in basis points.
        max_open_orders: Most orders open at once.
        max_gross_exposure: Largest sum of absolute values, open orders included at their worst.
        max_net_exposure: Largest absolute sum of signed values, open orders included.
        max_leverage: Largest gross exposure over equity.
        max_allocation: Largest value of one order as a fraction of equity.
        max_symbol_exposure: Largest net value in one base asset over all venues (at the top, or in
            `symbols`).
        max_concentration: The same as a fraction of equity.
        max_order_rate: Most new orders in a window, such as ``"100/1s"``.
        max_cancel_rate: Most cancels in a window. A cancel is never refused: new orders are.
        max_message_rate: Most orders, amends and cancels in a window; refuses orders and amends.
        max_daily_trades: Most orders that trade in one day.
        max_daily_loss: Largest loss of a day, open positions at their marks. At the top it halts
            trading.
        max_losing_streak: Closing fills in a row that may lose. At the top it halts trading.
        max_data_age: Oldest market data that an order may be placed on.
        trading_hours: When positions may be added to, in UTC: ``"mon-fri 08:00-16:30"``.
        restricted: Symbols or base assets that may only be reduced.
        breaker: The circuit breaker of a venue or a strategy; at the top, of each of them.
        max_drawdown: Fraction lost from the peak of sampled equity at which trading halts and
            positions are closed; short for ``drawdown=DrawdownLadder(None, None, close=...)``.
        drawdown: The whole ladder. At the top only, as all that follows.
        accounts: Names of accounts to ``(venues, limits)``: a group of venues.
        venues: Limits by venue.
        strategies: Limits by strategy.
        instruments: Limits by symbol, or ``SYMBOL@venue``.
        symbols: `max_symbol_exposure` and `max_concentration` by base asset.
        day_start: Where the day begins after midnight UTC.
    """

    max_order_qty: Number | None = None
    max_order_notional: Number | None = None
    max_position: Number | None = None
    price_collar_bps: int | None = None
    max_open_orders: int | None = None
    max_drawdown: float | None = None
    max_gross_exposure: Number | None = None
    max_net_exposure: Number | None = None
    max_leverage: Number | None = None
    max_allocation: Number | None = None
    max_symbol_exposure: Number | None = None
    max_concentration: Number | None = None
    max_order_rate: RateLike | None = None
    max_cancel_rate: RateLike | None = None
    max_message_rate: RateLike | None = None
    max_daily_trades: int | None = None
    max_daily_loss: Number | None = None
    max_losing_streak: int | None = None
    max_data_age: Span | None = None
    trading_hours: str | None = None
    restricted: Sequence[str] = ()
    breaker: Breaker | None = None
    drawdown: DrawdownLadder | None = None
    accounts: Mapping[str, tuple[Sequence[str], Limits]] = field(default_factory=dict)
    venues: Mapping[str, Limits] = field(default_factory=dict)
    strategies: Mapping[str, Limits] = field(default_factory=dict)
    instruments: Mapping[str, Limits] = field(default_factory=dict)
    symbols: Mapping[str, Limits] = field(default_factory=dict)
    day_start: Span = 0

    def to_engine(self) -> dict[str, Any]:
        """The engine's form; what is not given is left out.

        Raises:
            ConfigError: A value cannot be read, or stands where it means nothing.
        """
        tree = self._node()
        if self.max_drawdown is not None and self.drawdown is not None:
            raise ConfigError("give max_drawdown or drawdown, not both")
        if self.drawdown is not None:
            tree["drawdown"] = self.drawdown.to_engine()
        elif self.max_drawdown is not None:
            tree["drawdown"] = {"close_bps": round(self.max_drawdown * 10_000)}
        if self.day_start:
            tree["day_start_ns"] = span_ns(self.day_start, "day_start")
        for branch in ("venues", "strategies", "instruments", "symbols"):
            nodes = getattr(self, branch)
            if nodes:
                tree[branch] = {name: _branch(branch, name, node) for name, node in nodes.items()}
        if self.accounts:
            tree["accounts"] = {
                name: {"venues": list(venues), "limits": _branch("accounts", name, node)}
                for name, (venues, node) in self.accounts.items()
            }
        return tree

    def _node(self) -> dict[str, Any]:
        node: dict[str, Any] = {}
        for name in _DECIMALS:
            value = getattr(self, name)
            if value is not None:
                node[name] = decimal_text(value, name)
        for name in _RATES:
            value = getattr(self, name)
            if value is not None:
                node[name] = Rate.of(value, name).to_engine(name)
        for name in _PLAIN:
            value = getattr(self, name)
            if value is not None:
                node[name] = value
        if self.max_data_age is not None:
            node["max_data_age_ns"] = span_ns(self.max_data_age, "max_data_age")
        if self.restricted:
            node["restricted"] = list(self.restricted)
        if self.breaker is not None:
            node["breaker"] = self.breaker.to_engine()
        return node


_DECIMALS = (
    "max_order_qty",
    "max_order_notional",
    "max_position",
    "max_gross_exposure",
    "max_net_exposure",
    "max_leverage",
    "max_allocation",
    "max_symbol_exposure",
    "max_concentration",
    "max_daily_loss",
)
_RATES = ("max_order_rate", "max_cancel_rate", "max_message_rate")
_PLAIN = (
    "price_collar_bps",
    "max_open_orders",
    "max_daily_trades",
    "max_losing_streak",
    "trading_hours",
)
_TOP_ONLY = (
    "max_drawdown", "drawdown", "accounts", "venues", "strategies", "instruments", "symbols",
    "day_start",
)  # fmt: skip


def _branch(branch: str, name: str, node: Limits) -> dict[str, Any]:
    if not isinstance(node, Limits):
        raise ConfigError(f"limits.{branch}.{name} is {node!r}; give ms.Limits(...)")
    defaults = {one.name: getattr(Limits(), one.name) for one in fields(Limits)}
    for top in _TOP_ONLY:
        if getattr(node, top) != defaults[top]:
            raise ConfigError(f"limits.{branch}.{name}: {top} belongs to the top of the tree")
    return node._node()
