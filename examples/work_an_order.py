"""Works one large order by several algorithms and compares what each cost against arrival."""

from dataclasses import replace

import mainspring as ms
from mainspring.execution import Parent, Plan


class Worker(ms.Strategy, every="1s"):
    """Starts a plan after ten seconds and keeps how it ended."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan, self.seconds = plan, 0
        self.ended: Parent | None = None

    def on_book(self, m: ms.Market) -> None:
        self.seconds += 1
        if self.seconds == 10:
            m.execute(self.plan)

    def on_parent(self, m: ms.Market, parent: Parent) -> None:
        self.ended = parent


def main() -> None:
    """Buys five bitcoin within ten minutes, each time in another way."""
    data = ms.sample("btcusdt", hours=0.25)
    curve = ms.execution.volume_curve(data, bins="1m", period="1h")
    twap = ms.Twap("buy", 5, duration="10m", slices=60, at_end="cross")
    plans: dict[str, Plan] = {
        "twap, taking": twap,
        "twap, joining first": replace(twap, style="join_then_take"),
        "vwap": ms.Vwap("buy", 5, duration="10m", slices=60, curve=curve, at_end="cross"),
        "pov 10 %": ms.Pov("buy", 5, rate=0.1, duration="10m", at_end="cross"),
        "front-loaded": ms.ImplementationShortfall(
            "buy", 5, duration="10m", slices=60, half_life="2m", at_end="cross"
        ),
    }
    for name, plan in plans.items():
        worker = Worker(plan)
        ms.backtest(worker, data, latency="2ms")
        parent = worker.ended
        if parent is not None:
            cost = parent.shortfall()
            print(
                f"{name:20} {parent.state:8} {parent.filled:5.3f} at {parent.average_price:.2f}, "
                f"{parent.children:3} children, shortfall {cost.total_bps:6.2f} bps"
            )


if __name__ == "__main__":
    main()
