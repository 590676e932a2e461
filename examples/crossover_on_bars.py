"""A moving-average crossover on one-minute bars that the engine builds from trades."""

from collections import deque
from typing import Any

import mainspring as ms


class Crossover(ms.Strategy):
    """Long above, short below."""

    bars = ("1m",)

    fast: int = 3
    slow: int = 8
    size: ms.Qty = ms.Qty("0.01")

    def on_start(self, m: ms.Market) -> None:
        self.closes: deque[float] = deque(maxlen=self.slow)

    def on_bar(self, m: ms.Market, bar: Any) -> None:
        self.closes.append(bar.close)
        if len(self.closes) == self.slow:
            fast = sum(list(self.closes)[-self.fast :]) / self.fast
            slow = sum(self.closes) / self.slow
            m.target_position(self.size if fast > slow else -self.size)


def main() -> None:
    """Runs it over two hours of generated data."""
    run = ms.backtest(Crossover(), ms.sample("btcusdt", hours=2))
    print(f"{len(run.fills)} fills")
    print(run.summary())


if __name__ == "__main__":
    main()
