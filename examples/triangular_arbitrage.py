"""Triangular arbitrage in spot: BTC/USDT, ETH/USDT and ETH/BTC, when the venue of the last is late.

ETH/BTC is paid in BTC. The account is shown in USDT all the same: what settles in BTC is valued at
the mid of BTC/USDT, as long as it lies there.
"""

import tempfile
from pathlib import Path

import mainspring as ms
import numpy as np
from mainspring._core import Fill
from mainspring.data.dataset import Dataset
from mainspring.data.instruments import Instrument

DEPTH, TRADE, CLEAR = 1, 2, 4
END, ASK, SNAPSHOT = 1, 2, 4
RATIO_TICK = 0.000_001


class Triangle(ms.Strategy, every="50ms"):
    """Takes ETH/BTC where a round gives more than it takes, and sells what it got over its legs."""

    eth: ms.Qty = "1"
    """How much ETH goes round."""
    edge_bps: float = 1.0
    """What a round must bring, spreads paid, before fees."""

    def on_start(self, m: ms.Market) -> None:
        self.rounds = 0

    def on_book(self, m: ms.Market) -> None:
        btc, eth, ratio = m["sample:BTCUSDT"], m["sample:ETHUSDT"], m["ratio:ETHBTC"]
        if btc.orders() or eth.orders() or ratio.orders():
            return
        if not (btc.mid > 0 and eth.mid > 0 and ratio.mid > 0):
            return
        edge = 1 + self.edge_bps / 1e4
        if eth.bid > ratio.ask * btc.ask * edge:
            ratio.buy(self.eth, price=ratio.ask, tif="ioc")
        elif ratio.bid * btc.bid > eth.ask * edge:
            ratio.sell(self.eth, price=ratio.bid, tif="ioc")

    def on_fill(self, m: ms.Market, fill: Fill) -> None:
        if fill.symbol != "ETHBTC":
            return
        self.rounds += 1
        btc, eth = m["sample:BTCUSDT"], m["sample:ETHUSDT"]
        if fill.side == "buy":
            eth.sell(fill.qty, kind="market")
            btc.buy(fill.qty * fill.price, kind="market")
        else:
            eth.buy(fill.qty, kind="market")
            btc.sell(fill.qty * fill.price, kind="market")


def last_prices(data: Dataset, at_ns: np.ndarray) -> np.ndarray:
    """The last trade's price at each time."""
    rows = data.read().to_numpy()
    trades = rows["kind"] == TRADE
    times, prices = rows["recv_ns"][trades], rows["price"][trades]
    return prices[np.clip(np.searchsorted(times, at_ns) - 1, 0, None)]


def spot(data: Dataset, folder: Path) -> Dataset:
    """The book and trades of a generated market as spot."""
    rows = data.read().to_numpy()
    kept = np.isin(rows["kind"], (DEPTH, TRADE, CLEAR))
    names = ("recv_ns", "exch_ns", "kind", "flags", "price_ticks", "qty_lots")
    definition = data.instruments[0].to_dict() | {"kind": "spot", "margin_tiers": []}
    out = folder / f"{definition['symbol']}.mse"
    columns = {name: rows[name][kept] for name in names}
    return ms.data.from_frame(columns, Instrument.from_dict(definition), kind="rows", out=out)


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
    definition = eth.instruments[0].to_dict() | {
        "symbol": "ETHBTC", "venue": "ratio", "kind": "spot", "base": "ETH", "quote": "BTC",
        "lot": "0.001", "margin_tiers": [], "min_notional": "0",
        "grids": [{"version": 0, "tick": f"{RATIO_TICK:.6f}", "rule": "fixed"}],
    }  # fmt: skip
    out = folder / "ratio.mse"
    return ms.data.from_frame(rows, Instrument.from_dict(definition), kind="rows", out=out)


def trade(folder: Path, hours: float = 0.25) -> tuple[Triangle, ms.Run]:
    """Trades over two generated markets as spot, and a late one of their ratio."""
    btc, eth = (spot(ms.sample(name, hours=hours), folder) for name in ("btcusdt", "ethusdt"))
    data = Dataset([*btc.files, *eth.files, *ratio_venue(btc, eth, folder).files])
    strategy = Triangle()
    run = ms.backtest(
        strategy, data, latency="1ms", fees=ms.Fees(maker="0", taker="0.00001"),
        cash={"USDT": 100_000, "BTC": 1, "ETH": 10}, report_currency="USDT",
    )  # fmt: skip
    return strategy, run


def main() -> None:
    """Runs it."""
    with tempfile.TemporaryDirectory() as folder:
        strategy, run = trade(Path(folder))
        print("rounds:", strategy.rounds)
        print(run.summary())


if __name__ == "__main__":
    main()
