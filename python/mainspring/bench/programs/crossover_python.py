"""The same crossover in plain Python: `python crossover_python.py FILE`."""

import sys
from collections import deque
from typing import Any

import mainspring as ms


class Crossover(ms.Strategy):
    """Long one unit while the fast mean of closes is above the slow one, else short."""

    fast: int = 20
    slow: int = 50

    def on_start(self, m: ms.Market) -> None:
        self.closes: deque[float] = deque(maxlen=self.slow)
        self.fast_sum = self.slow_sum = 0.0

    def on_bar(self, m: ms.Market, bar: Any) -> None:
        closes, close = self.closes, bar.close
        if len(closes) >= self.fast:
            self.fast_sum -= closes[-self.fast]
        if len(closes) == self.slow:
            self.slow_sum -= closes[0]
        closes.append(close)
        self.fast_sum += close
        self.slow_sum += close
        if len(closes) == self.slow:
            above = self.fast_sum * self.slow > self.slow_sum * self.fast
            m.target_position(1 if above else -1)


run = ms.backtest(
    Crossover(),
    sys.argv[1],
    fees=ms.Fees(maker=0, taker=0),
    latency="1ms",
    cash=1_000_000_000,
)
print(run.facts.engine["counts"])
