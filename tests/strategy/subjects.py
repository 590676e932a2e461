"""Strategies that the tests run in plain Python and compiled: bodies without a base class."""

from __future__ import annotations

import math
from typing import Any

import mainspring as ms
from mainspring.risk import Stop

LEVELS = 3
WIDE = Stop.trailing("12.5")


class Everything:
    """Uses every part of the language that compiled code knows."""

    size: ms.Qty = ms.Qty("0.01")
    widen: float = 1.5
    quiet: bool = False
    step: int = 2
    LIMIT = 0.08

    _calls: int = 0
    _mean: float = math.nan
    _busy: bool = False
    _order: int = 0
    _bought: float = 0.0
    _told: int = 0
    _depth: float = 0.0

    def on_start(self, m: Any) -> None:
        self._mean = 0.0
        m.set_timer(m.time_ns + 1_000_000_000, 7)

    def on_book(self, m: Any) -> None:
        """Quotes ladders, with a stray docstring."""
        self._calls += 1
        if m.bid_ticks is None or m.ask_ticks is None:
            return
        self._mean = 0.9 * self._mean + 0.1 * math.log(m.mid)
        self._busy = not self._busy and m.spread > 0
        self._depth = self.depth_of(m, 3)
        lean = m.features.imbalance
        if math.isnan(lean):
            lean = 0.0
        away = self.widen * m.tick * (1 + abs(lean)) + (self._calls % 5) * m.tick
        low, high = m.bid - away, m.ask + away
        bids = [(low - i * self.step * m.tick, self.size) for i in range(LEVELS)]
        asks = ()
        for i in range(LEVELS):
            if i == 1 and self._busy:
                continue
            asks += ((high + i * self.step * m.tick, self.size * (i + 1)),)
        if len(bids) > 2 and self.quiet:
            bids.clear()
        m.quote(
            bid=bids if m.position < self.LIMIT else (),
            ask=asks if -m.position < self.LIMIT else None,
            post_only=True,
        )

    def depth_of(self, m: Any, weight: int) -> float:
        total = 0.0
        for price, qty in m.bids(5):
            total += qty * weight + price * 0.0
        for _price, qty in m.asks(count=4):
            total -= qty
        return round(total) + min(total, 1.0)

    def on_trade(self, m: Any, trade: Any) -> None:
        if trade.side == "buy" and trade.qty > 0.5 and trade.price == m.last_price:
            self._order = m.buy(self.size, m.bid - 20 * m.tick, post_only=True)
            m.amend(self._order, m.bid - 25 * m.tick, self.size)
        elif trade.side != "buy" and trade.exch_ns % 3 == 0:
            m.sell(self.size, price=m.bid, tif="ioc")

    def on_bar(self, m: Any, bar: Any) -> None:
        if bar.close > bar.open and bar.high - bar.low > 0 and bar.volume > 0 and bar.trades > 0:
            m.target_position(self.size)
        elif bar.close_ticks < m.ask_ticks:
            m.target_position(-self.size, price=m.ask)

    def on_fill(self, m: Any, fill: Any) -> None:
        sign = 1.0 if fill.side == "buy" else -1.0
        self._bought += sign * fill.qty * fill.price
        if fill.order_id == self._order and fill.maker and fill.remaining == 0:
            m.cancel(self._order)

    def on_order(self, m: Any, order: Any) -> None:
        self._told += 1 if order.state == "open" else 0
        if order.state == "rejected" and order.filled == 0.0 and order.price > 0:
            self._told -= 1

    def on_timer(self, m: Any, tag: int) -> None:
        if tag == 7 and len(m.orders()) > 0:
            m.cancel_all()
        m.set_timer(m.time_ns + 5_000_000_000, tag)


class EveryOrder:
    """One order of every kind in turn, and their cancels."""

    size: ms.Qty = ms.Qty("0.01")
    _calls: int = 0
    _last: int = 0
    _first_of_pair: int = 0

    def on_book(self, m: Any) -> None:  # noqa: C901 - one branch a kind
        self._calls += 1
        if self._calls % 20 != 0:
            return
        turn = self._calls // 20 % 12
        low, high, t = m.bid - 5 * m.tick, m.ask + 5 * m.tick, m.tick
        if turn == 0:
            m.cancel_all()
        elif turn == 1:
            self._last = m.buy(self.size)
        elif turn == 2:
            self._last = m.sell(self.size, low, tif="fok")
        elif turn == 3:
            self._last = m.buy(self.size, trigger=high)
        elif turn == 4:
            self._last = m.sell(self.size, low - 3 * t, trigger=low)
        elif turn == 5:
            self._last = m.sell(self.size, kind="take_profit", trigger=high)
        elif turn == 6:
            self._last = m.sell(self.size, trail=10 * t)
        elif turn == 7:
            self._last = m.buy(5 * self.size, low, display=self.size)
        elif turn == 8:
            self._last = m.buy(self.size, low, kind="pegged", offset=2 * t)
        elif turn == 9:
            self._last = m.buy(self.size, low, expire_ns=m.time_ns + 2_000_000_000)
        elif turn == 10:
            self._first_of_pair = m.sell(self.size, high, reduce_only=True)
            self._last = m.sell(self.size, trigger=low, oco=self._first_of_pair, reduce_only=True)
        else:
            m.cancel(self._last)
            self._last = m.buy(self.size, m.bid, exact=True, post_only=True, tif="gtc")


class Stopped:
    """Trades both ways with one stop after another, of every kind."""

    NEAR = Stop.fixed(1.25)

    size: ms.Qty = ms.Qty("0.01")
    distance: float = 2.5
    patience_ns: int = 1_500_000_000
    _calls: int = 0
    _turn: int = 0

    def on_book(self, m: Any) -> None:
        self._calls += 1
        if self._calls % 40 != 1:
            return
        self._turn += 1
        self.guard(m, self._turn % 10)
        if m.position == 0.0:
            if self._turn % 2 == 0:
                m.buy(self.size)
            else:
                m.sell(self.size)

    def guard(self, m: Any, kind: int) -> None:
        if kind == 0:
            m.stop(Stop.trailing(self.distance))
        elif kind == 1:
            m.stop(Stop.fixed(self.distance + 3 * m.tick))
        elif kind == 2:
            m.stop(Stop.step("1.5", 5 * m.tick))
        elif kind == 3:
            m.stop(Stop.break_even(distance=3, trigger=1.2, offset=m.tick))
        elif kind == 4:
            m.stop(ms.risk.Stop.time("2s"))
        elif kind == 5:
            m.stop(Stop.time(self.patience_ns))
        elif kind == 6:
            m.stop(Stop.equity(self.distance / 300))
        elif kind == 7:
            m.stop(Stop.atr(2.5, 3, bar="250ms"))
        elif kind == 8:
            m.remove_stops()
            m.stop(WIDE if m.position > 0 else self.NEAR)
        else:
            m.remove_stops()


class Fails:
    """Fails in the way and at the call that it is told."""

    how: int = 0
    at: int = 50
    _calls: int = 0

    def on_book(self, m: Any) -> None:
        self._calls += 1
        m.quote(bid=((m.bid, 0.01),))
        if self._calls == self.at:
            self.fail(m)

    def fail(self, m: Any) -> None:  # noqa: C901 - one branch a way to fail
        if self.how == 0:
            self._calls += 1 // (self._calls - self.at)
        elif self.how == 1:
            m.quote(bid=((math.nan, 0.01),))
        elif self.how == 2:
            m.quote(bid=((m.bid, -0.01),))
        elif self.how == 3:
            m.quote(bid=((m.ask, 0.01),), ask=((m.bid, 0.01),))
        elif self.how == 4:
            for _ in range(100):
                m.buy(0.01, m.bid)
        elif self.how == 5:
            m.quote(bid=[(m.bid - i * m.tick, 0.01) for i in range(17)])
        elif self.how == 6:
            m.buy(0.01, m.bid + 0.3 * m.tick, exact=True)
        elif self.how == 7:
            raise RuntimeError(f"gave up at {m.time_ns}")
        elif self.how == 8:
            assert m.bid > m.ask, "bid above ask"
        elif self.how == 9:
            m.target_position(math.sqrt(-1.0 * self.at))
        elif self.how == 10:
            m.buy(0.0)
        elif self.how == 11:
            m.stop(Stop.trailing(self.at - 50.0))
        elif self.how == 12:
            m.stop(Stop.fixed(math.nan))


class Large:
    """Reckons with numbers beyond 64 bits now and then: compiled code leaves that to Python."""

    _calls: int = 0
    _low: int = 0
    _huge: int = 0

    def on_book(self, m: Any) -> None:
        self._calls += 1
        nanoseconds = m.time_ns
        if self._calls % 3 == 0:
            square = nanoseconds * nanoseconds
            self._low = square % 1_000_003
        if self._calls % 4 == 0:
            self._huge = int(1e30 * self._calls) % 1000
        if self._low % 2 == 0:
            m.quote(bid=((m.bid, 0.01),), ask=((m.ask + self._huge * m.tick, 0.01),))
        else:
            m.cancel_all()
        if self._calls % 5 == 0:
            m.buy(0.01)
