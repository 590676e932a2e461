"""The peers' sides of `bars`: a moving-average crossover over one-minute bars, as a whole process.

    python bars.py DIRECTORY {nautilus_trader,backtesting,backtrader,vectorbt}

Reads DIRECTORY/bars.npz and prints one JSON object: `seconds` of the run itself (the caller
measures the process), trades and final position. The rule, the same on every side: at the close of
a bar, one unit long when the mean of the last 20 closes is above that of the last 50, else one unit
short; the order fills at the next price the engine trades at. No fees.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np

FAST, SLOW = 20, 50
CASH = 1e9


def frame(path: Path):
    """The bars as a pandas frame in the column names that most engines want."""
    import pandas as pd

    rows = np.load(path)
    columns = {name.capitalize(): rows[name] for name in ("open", "high", "low", "close", "volume")}
    return pd.DataFrame(columns, index=pd.to_datetime(rows["ts"], utc=True).tz_localize(None))


def vectorbt(path: Path) -> dict:
    import vectorbt as vbt

    close = frame(path)["Close"]
    begin = time.perf_counter()
    fast, slow = vbt.MA.run(close, FAST), vbt.MA.run(close, SLOW)
    above = fast.ma_above(slow)
    target = np.where(above, 1.0, -1.0)
    target[: SLOW - 1] = np.nan
    target[SLOW:][target[SLOW:] == target[SLOW - 1 : -1]] = np.nan
    portfolio = vbt.Portfolio.from_orders(
        close, target, size_type="targetamount", init_cash=CASH, freq="1min"
    )
    value = float(portfolio.total_profit())
    seconds = time.perf_counter() - begin
    return {"seconds": seconds, "orders": int(portfolio.orders.count()), "profit": value}


def backtesting(path: Path) -> dict:
    from backtesting import Backtest, Strategy

    class Crossover(Strategy):
        def init(self) -> None:
            def mean(values, n):
                sums = np.cumsum(np.insert(np.asarray(values, float), 0, 0.0))
                out = np.full(len(values), np.nan)
                out[n - 1 :] = (sums[n:] - sums[:-n]) / n
                return out

            self.fast = self.I(mean, self.data.Close, FAST)
            self.slow = self.I(mean, self.data.Close, SLOW)

        def next(self) -> None:
            if self.fast[-1] > self.slow[-1]:
                if not self.position.is_long:
                    self.buy(size=1 if not self.position else 2)
            elif not self.position.is_short:
                self.sell(size=1 if not self.position else 2)

    data = frame(path)
    begin = time.perf_counter()
    run = Backtest(data, Crossover, cash=CASH, exclusive_orders=False, finalize_trades=True)
    stats = run.run()
    seconds = time.perf_counter() - begin
    profit = float(stats["Equity Final [$]"]) - CASH
    return {"seconds": seconds, "orders": int(stats["# Trades"]), "profit": profit}


def backtrader(path: Path) -> dict:
    import backtrader as bt

    class Crossover(bt.Strategy):
        def __init__(self) -> None:
            self.fast = bt.ind.SMA(self.data.close, period=FAST)
            self.slow = bt.ind.SMA(self.data.close, period=SLOW)
            self.orders_sent = 0

        def next(self) -> None:
            wanted = 1 if self.fast[0] > self.slow[0] else -1
            if self.position.size != wanted:
                self.order_target_size(target=wanted)
                self.orders_sent += 1

    cerebro = bt.Cerebro(stdstats=False)
    cerebro.addstrategy(Crossover)
    cerebro.adddata(bt.feeds.PandasData(dataname=frame(path)))
    cerebro.broker.setcash(CASH)
    begin = time.perf_counter()
    strategy = cerebro.run()[0]
    seconds = time.perf_counter() - begin
    profit = cerebro.broker.getvalue() - CASH
    return {"seconds": seconds, "orders": strategy.orders_sent, "profit": profit}


def nautilus_trader(path: Path) -> dict:
    from decimal import Decimal

    import nautilus
    from nautilus_trader.indicators import SimpleMovingAverage
    from nautilus_trader.model.data import BarType
    from nautilus_trader.model.enums import OrderSide
    from nautilus_trader.persistence.wranglers import BarDataWrangler
    from nautilus_trader.trading.strategy import Strategy

    instrument = nautilus.instrument(fees=False)
    bar_type = BarType.from_str(f"{instrument.id}-1-MINUTE-LAST-EXTERNAL")

    class Crossover(Strategy):
        def on_start(self) -> None:
            self.fast, self.slow = SimpleMovingAverage(FAST), SimpleMovingAverage(SLOW)
            self.register_indicator_for_bars(bar_type, self.fast)
            self.register_indicator_for_bars(bar_type, self.slow)
            self.subscribe_bars(bar_type)
            self.wanted, self.orders_sent = 0, 0

        def on_bar(self, _bar) -> None:
            if not self.slow.initialized:
                return
            wanted = 1 if self.fast.value > self.slow.value else -1
            if wanted != self.wanted:
                size = instrument.make_qty(abs(wanted - self.wanted))
                side = OrderSide.BUY if wanted > 0 else OrderSide.SELL
                self.submit_order(self.order_factory.market(instrument.id, side, size))
                self.wanted, self.orders_sent = wanted, self.orders_sent + 1

    data = frame(path)
    data.columns = [name.lower() for name in data.columns]
    bars = BarDataWrangler(bar_type, instrument).process(data)
    engine, strategy = nautilus.engine(instrument), Crossover()
    engine.add_data(bars)
    engine.add_strategy(strategy)
    begin = time.perf_counter()
    engine.run()
    seconds = time.perf_counter() - begin
    account = engine.portfolio.account(nautilus.VENUE)
    balance = account.balance_total(instrument.quote_currency).as_decimal()
    return {
        "seconds": seconds,
        "orders": strategy.orders_sent,
        "profit": float(balance - Decimal(nautilus.START)),
    }


ENGINES = {
    "vectorbt": vectorbt,
    "backtesting": backtesting,
    "backtrader": backtrader,
    "nautilus_trader": nautilus_trader,
}

if __name__ == "__main__":
    print(json.dumps(ENGINES[sys.argv[2]](Path(sys.argv[1]) / "bars.npz")))
