"""A two-sided market maker that leans against its position."""

import mainspring as ms


class Leaning(ms.Strategy, every="100ms"):
    """Quotes around a fair value that moves against the position."""

    size: ms.Qty = ms.Qty("0.01")
    half_spread_ticks: float = 3.0
    lean_ticks: float = 30.0
    """Ticks that the fair value moves for each unit held."""

    def on_book(self, m: ms.Market) -> None:
        fair = m.mid - self.lean_ticks * m.tick * m.position / 0.1
        half = self.half_spread_ticks * m.tick
        m.quote(bid=((fair - half, self.size),), ask=((fair + half, self.size),))


def main() -> None:
    """Runs it over half an hour of generated data and writes its report."""
    run = ms.backtest(
        Leaning(),
        ms.sample("btcusdt", hours=0.5),
        latency="2ms",
        fees=ms.Fees(maker="0.00005", taker="0.0004"),
        limits=ms.Limits(max_position="0.1"),
    )
    print(run.summary())


if __name__ == "__main__":
    main()
