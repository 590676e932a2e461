"""Two moving averages of bar closes: the first strategy of every textbook."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from mainspring.errors import ConfigError
from mainspring.strategies._checks import positive
from mainspring.strategy import Qty, Strategy

if TYPE_CHECKING:
    from mainspring import Market
    from mainspring._core import Bar


class MovingAverageCross(Strategy):
    """Long `size` while the fast average of closes is above the slow one, short while below.

    Run it over a bar file, or with `ms.backtest(..., bars="1m")`.

    Parameters:
        size: position taken, long or short.
        fast: bars of the fast average.
        slow: bars of the slow average.
    """

    size: Qty
    fast: int = 20
    slow: int = 100

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        positive(self, "size")
        if not 1 <= self.fast < self.slow <= 100_000:
            raise ConfigError(
                f"MovingAverageCross: fast {self.fast} and slow {self.slow}; "
                "give 1 <= fast < slow <= 100000"
            )
        self._closes: deque[int] = deque()
        self._fast_sum = 0
        self._slow_sum = 0
        self._size_lots = 0

    def on_start(self, m: Market) -> None:
        """Reads the size in lots."""
        self._size_lots = m.lots(self.size)

    def on_bar(self, m: Market, bar: Bar) -> None:
        """Adds the close to both averages and turns the position where they crossed."""
        self._push(bar.close_ticks)
        if len(self._closes) < self.slow:
            return
        # Averages times (fast * slow): sums of ticks are exact, quotients would not be.
        fast, slow = self._fast_sum * self.slow, self._slow_sum * self.fast
        if fast == slow:
            return
        if m.position_lots != (self._size_lots if fast > slow else -self._size_lots):
            m.target_position(self.size if fast > slow else -self.size)

    def _push(self, close: int) -> None:
        closes = self._closes
        closes.append(close)
        self._fast_sum += close
        self._slow_sum += close
        if len(closes) > self.fast:
            self._fast_sum -= closes[-1 - self.fast]
        if len(closes) > self.slow:
            self._slow_sum -= closes.popleft()
