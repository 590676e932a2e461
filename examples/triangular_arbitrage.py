"""Triangular arbitrage: a contract on ETH/BTC against its two legs, when its venue is late."""

import tempfile
from pathlib import Path

import mainspring as ms
import numpy as np
from mainspring.data.dataset import Dataset
from mainspring.data.instruments import Instrument

DEPTH, TRADE = 1, 2
END, ASK, SNAPSHOT = 1, 2, 4
RATIO_TICK = 0.000_001
PER_POINT = 60_000
"""What one lot of a whole unit gains in USDT when ETH/BTC rises by one: a quanto contract."""


class Triangle(ms.Strategy, every="50ms"):
    """Takes the ratio where it is cheaper than its legs, and both legs against it."""

    notional: float = 3_000.0
    edge_bps: float = 1.0
    """How far the ratio must be from its legs to be taken, spreads included."""
    exit_bps: float = 0.1

    def on_start(self, m: ms.Market) -> None:
        self.triangles = 0

    def on_book(self, m: ms.Market) -> None:
        btc, eth, ratio = m["sample:BTCUSDT"], m["sample:ETHUSDT"], m["ratio:ETHBTC"]
        if not (btc.mid > 0 and eth.mid > 0 and ratio.mid > 0):
            return
        fair_bid, fair_ask = eth.bid / btc.ask, eth.ask / btc.bid
        if ratio.position == 0:
            if ratio.ask * (1 + self.edge_bps / 1e4) < fair_bid:
                self.enter(btc, eth, ratio, +1)
            elif ratio.bid > fair_ask * (1 + self.edge_bps / 1e4):
                self.enter(btc, eth, ratio, -1)
            return
        gap_bps = (eth.mid / btc.mid / ratio.mid - 1) * 1e4
        if gap_bps * np.sign(ratio.position) < self.exit_bps:
            for leg in (btc, eth, ratio):
                leg.target_position(0)

    def enter(self, btc: ms.Market, eth: ms.Market, ratio: ms.Market, side: int) -> None:
        """Long the ratio is short ETH and long BTC of the same value, and the other way round."""
        ratio.target_position(side * self.notional / (ratio.mid * PER_POINT))
        eth.target_position(-side * self.notional / eth.mid)
        btc.target_position(side * self.notional / btc.mid)
        self.triangles += 1


def last_prices(data: Dataset, at_ns: np.ndarray) -> np.ndarray:
    """The last trade's price at each time."""
    rows = data.read().to_numpy()
    trades = rows["kind"] == TRADE
    times, prices = rows["recv_ns"][trades], rows["price"][trades]
    return prices[np.clip(np.searchsorted(times, at_ns) - 1, 0, None)]


def ratio_venue(btc: Dataset, eth: Dataset, folder: Path) -> Dataset:
    """A venue that quotes ETH/BTC every 100 ms, 500 ms behind."""
    first, last = (btc.read().to_numpy()["recv_ns"][at] for at in (0, -1))
    seen = np.arange(first, last - 600_000_000, 100_000_000)
    ratio = last_prices(eth, seen) / last_prices(btc, seen)
    bid = np.floor(ratio / RATIO_TICK).astype(np.int64)
    times = np.repeat(seen + 500_000_000, 4)
    # Two levels leave, two come: one message.
    price = np.column_stack([np.roll(bid, 1), np.roll(bid, 1) + 1, bid, bid + 1]).ravel()
    qty = np.tile(np.array([0, 0, 50_000, 50_000]), len(bid))
    flags = np.tile(np.array([0, ASK, 0, ASK | END], dtype=np.uint8), len(bid))
    flags[:4] |= SNAPSHOT
    rows = {
        "recv_ns": times, "exch_ns": times, "kind": np.full(len(times), DEPTH, dtype=np.uint8),
        "flags": flags, "price_ticks": price, "qty_lots": qty,
    }  # fmt: skip
    definition = btc.instruments[0].to_dict() | {
        "symbol": "ETHBTC", "venue": "ratio", "base": "RATIO", "lot": "0.001", "margin_tiers": [],
        "multiplier": str(PER_POINT), "min_notional": "0",
        "grids": [{"version": 0, "tick": f"{RATIO_TICK:.6f}", "rule": "fixed"}],
    }  # fmt: skip
    out = folder / "ratio.mse"
    return ms.data.from_frame(rows, Instrument.from_dict(definition), kind="rows", out=out)


def main() -> None:
    """Runs it over two generated markets and a late one of their ratio."""
    btc, eth = ms.sample("btcusdt", hours=0.25), ms.sample("ethusdt", hours=0.25)
    with tempfile.TemporaryDirectory() as folder:
        data = Dataset([*btc.files, *eth.files, *ratio_venue(btc, eth, Path(folder)).files])
        strategy = Triangle()
        run = ms.backtest(strategy, data, latency="1ms", fees=ms.Fees(maker="0", taker="0.00001"))
        print("triangles:", strategy.triangles)
        print(run.summary())


if __name__ == "__main__":
    main()
