"""Makes a market on one venue around the other's price, and hedges what it gets by the router."""

import tempfile
from pathlib import Path

import mainspring as ms
from mainspring.data.dataset import Dataset
from mainspring.data.instruments import Instrument


class Hedged(ms.Strategy, every="100ms"):
    """Quotes the thin venue around the deep one's mid; the position over both is kept small."""

    size: ms.Qty = ms.Qty("0.01")
    half_spread_bps: float = 0.8
    max_net: ms.Qty = ms.Qty("0.03")

    def on_start(self, m: ms.Market) -> None:
        self.hedges = 0
        self.free_ns = 0

    def on_book(self, m: ms.Market) -> None:
        deep, thin = m["sample:BTCUSDT"], m["thin:BTCUSDT"]
        if not deep.mid > 0:
            return
        net = m.net_position("BTCUSDT")
        half = deep.mid * self.half_spread_bps / 10_000
        lean = half * net / self.max_net / 2
        thin.quote(
            bid=((deep.mid - half - lean, self.size),), ask=((deep.mid + half - lean, self.size),)
        )
        if abs(net) >= self.max_net and m.time_ns >= self.free_ns:
            # Beyond the bound the rest goes where it is cheapest with fees, the deep venue mostly.
            m.route("BTCUSDT", "sell" if net > 0 else "buy", abs(net))
            self.hedges += 1
            self.free_ns = m.time_ns + 500_000_000


def thin_venue(data: Dataset, folder: Path) -> Dataset:
    """The same market on a venue of its own."""
    rows = data.read().to_numpy()
    definition = data.instruments[0].to_dict() | {"venue": "thin"}
    thin = Instrument.from_dict(definition)
    return ms.data.from_frame(rows, thin, kind="rows", out=folder / "thin.mse")


def main() -> None:
    """Runs it over a generated market that two venues trade."""
    deep = ms.sample("btcusdt", hours=0.25)
    with tempfile.TemporaryDirectory() as folder:
        both = Dataset([*deep.files, *thin_venue(deep, Path(folder)).files])
        strategy = Hedged()
        fees = ms.Fees(maker="-0.00002", taker="0.0003")
        run = ms.backtest(strategy, both, latency="2ms", fees=fees)
        print("hedges:", strategy.hedges)
        print(run.summary())


if __name__ == "__main__":
    main()
