"""Arbitrage between two venues: the slow one is taken by the router when the fast one moved."""

import tempfile
from pathlib import Path

import mainspring as ms
from mainspring.data.dataset import Dataset
from mainspring.data.instruments import Instrument


class Arbitrage(ms.Strategy, on="best"):
    """Takes at the slow venue what the fast one pays more for, and routes what it holds away."""

    size: ms.Qty = ms.Qty("0.02")
    edge_bps: float = 1.0
    """How much better than the other venue's price, fees apart, a price must be."""

    def on_start(self, m: ms.Market) -> None:
        self.sent = 0
        self.free_ns = 0

    def on_book(self, m: ms.Market) -> None:
        fast, slow = m["sample:BTCUSDT"], m["slow:BTCUSDT"]
        if m.time_ns < self.free_ns or not fast.mid > 0 or not slow.mid > 0:
            return
        held = m.net_position("BTCUSDT")
        if abs(held) > fast.lot / 2:
            # What was taken is given back wherever it costs least.
            m.route("BTCUSDT", "sell" if held > 0 else "buy", abs(held))
            self.free_ns = m.time_ns + 100_000_000
            return
        edge = 1 + self.edge_bps / 10_000
        side = "buy" if fast.bid > slow.ask * edge else "sell" if fast.ask * edge < slow.bid else ""
        if side:
            m.route("BTCUSDT", side, self.size, venues=["slow"])
            self.sent += 1
            self.free_ns = m.time_ns + 1_000_000_000


def slow_venue(data: Dataset, folder: Path) -> Dataset:
    """The same market on a venue that shows everything 300 ms later."""
    rows = data.read().to_numpy()
    for name in ("recv_ns", "exch_ns"):
        rows[name] = rows[name] + 300_000_000
    definition = Instrument.from_dict(data.instruments[0].to_dict() | {"venue": "slow"})
    return ms.data.from_frame(rows, definition, kind="rows", out=folder / "slow.mse")


def main() -> None:
    """Runs it over a generated market and its late copy."""
    fast = ms.sample("btcusdt", hours=0.25)
    with tempfile.TemporaryDirectory() as folder:
        both = Dataset([*fast.files, *slow_venue(fast, Path(folder)).files])
        strategy = Arbitrage()
        run = ms.backtest(strategy, both, latency="1ms", fees=ms.Fees(maker="0", taker="0.00001"))
        print("routes to the slow venue:", strategy.sent)
        print(run.summary())


if __name__ == "__main__":
    main()
