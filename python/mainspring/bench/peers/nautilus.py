"""nautilus_trader's side of `replay`, `replay_mm` and the cold market maker.

    python nautilus.py DIRECTORY {replay,mm}

Reads DIRECTORY/l2.npz (see workload.py), replays it as batched order-book deltas and trades, and
prints one JSON object. Best bid and ask are read every 100 ms; the market maker is that of
hftbacktest_replay.py. Order latency is 1 ms each way where the engine has it (its model has one
leg).
"""

from __future__ import annotations

import json
import resource
import sys
import time
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
from nautilus_trader.backtest.engine import BacktestEngine
from nautilus_trader.backtest.models import LatencyModel
from nautilus_trader.config import BacktestEngineConfig, LoggingConfig, RiskEngineConfig
from nautilus_trader.model.currencies import BTC, USDT
from nautilus_trader.model.data import BookOrder, OrderBookDelta, OrderBookDeltas, TradeTick
from nautilus_trader.model.enums import (
    AccountType,
    AggressorSide,
    BookAction,
    BookType,
    OmsType,
    OrderSide,
)
from nautilus_trader.model.identifiers import InstrumentId, Symbol, TradeId, Venue
from nautilus_trader.model.instruments import CryptoPerpetual
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.trading.strategy import Strategy

VENUE = Venue("SIM")
START = 10_000_000
FEED_LATENCY_NS = 2_000_000
STEP = pd.Timedelta(milliseconds=100)


def instrument(*, fees: bool = True) -> CryptoPerpetual:
    """A BTCUSDT perpetual with tick 0.1 and lot 0.001."""
    return CryptoPerpetual(
        instrument_id=InstrumentId(Symbol("BTCUSDT-PERP"), VENUE),
        raw_symbol=Symbol("BTCUSDT"),
        base_currency=BTC,
        quote_currency=USDT,
        settlement_currency=USDT,
        is_inverse=False,
        price_precision=1,
        size_precision=3,
        price_increment=Price.from_str("0.1"),
        size_increment=Quantity.from_str("0.001"),
        margin_init=Decimal("0.01"),
        margin_maint=Decimal("0.005"),
        maker_fee=Decimal("0.0002") if fees else Decimal(0),
        taker_fee=Decimal("0.00018") if fees else Decimal(0),
        ts_event=0,
        ts_init=0,
    )


def engine(traded: CryptoPerpetual, book_type: BookType = BookType.L1_MBP) -> BacktestEngine:
    """An engine with one venue and no logging."""
    built = BacktestEngine(
        BacktestEngineConfig(
            logging=LoggingConfig(bypass_logging=True),
            risk_engine=RiskEngineConfig(bypass=True),
            run_analysis=False,
        )
    )
    built.add_venue(
        venue=VENUE,
        oms_type=OmsType.NETTING,
        account_type=AccountType.MARGIN,
        base_currency=None,
        starting_balances=[Money(START, USDT)],
        book_type=book_type,
        latency_model=LatencyModel(base_latency_nanos=1_000_000)
        if book_type == BookType.L2_MBP
        else None,
    )
    built.add_instrument(traded)
    return built


def market_data(directory: Path, traded: CryptoPerpetual) -> list:
    """The workload as the engine's objects, one per message."""
    rows = np.load(directory / "l2.npz")
    names = ("kind", "side", "tick", "lot", "ts", "last", "action")
    actions = {1: BookAction.ADD, 2: BookAction.UPDATE, 3: BookAction.DELETE}
    out, batch = [], []
    for number, (kind, side, tick, lot, ts, last, action) in enumerate(
        zip(*(rows[name].tolist() for name in names), strict=True)
    ):
        price, size = Price(tick / 10, 1), Quantity(lot / 1000, 3)
        if kind:
            aggressor = AggressorSide.BUYER if side > 0 else AggressorSide.SELLER
            trade_id = TradeId(str(number))
            out.append(
                TradeTick(traded.id, price, size, aggressor, trade_id, ts, ts + FEED_LATENCY_NS)
            )
            continue
        order = BookOrder(OrderSide.BUY if side > 0 else OrderSide.SELL, price, size, 0)
        flags = 128 if last else 0
        batch.append(
            OrderBookDelta(
                traded.id, actions[action], order, flags, number, ts, ts + FEED_LATENCY_NS
            )
        )
        if last:
            out.append(OrderBookDeltas(traded.id, batch))
            batch = []
    return out


class Reader(Strategy):
    """Reads the best prices every 100 ms."""

    def __init__(self, traded: CryptoPerpetual) -> None:
        super().__init__()
        self.traded, self.steps, self.checksum = traded, 0, 0.0

    def on_start(self) -> None:
        self.subscribe_order_book_deltas(self.traded.id, BookType.L2_MBP)
        self.subscribe_trade_ticks(self.traded.id)
        self.clock.set_timer("step", STEP, callback=self.on_step)

    def on_step(self, _event) -> None:
        book = self.cache.order_book(self.traded.id)
        bid, ask = book.best_bid_price(), book.best_ask_price()
        if bid is not None and ask is not None:
            self.steps += 1
            self.act(bid, ask)

    def act(self, bid: Price, ask: Price) -> None:
        self.checksum += float(bid) + float(ask)


class MarketMaker(Reader):
    """Joins both touches; see hftbacktest_replay.py for the rule."""

    def __init__(self, traded: CryptoPerpetual) -> None:
        super().__init__(traded)
        self.submits = self.cancels = self.fills = 0
        self.size = traded.make_qty(Decimal("0.01"))

    def on_order_filled(self, _event) -> None:
        self.fills += 1

    def act(self, bid: Price, ask: Price) -> None:
        position = self.portfolio.net_position(self.traded.id)
        want_bid, want_ask = position < Decimal("0.1"), position > Decimal("-0.1")
        have_bid = have_ask = False
        for order in self.cache.orders_open(instrument_id=self.traded.id):
            buys = order.side == OrderSide.BUY
            if (want_bid and order.price == bid) if buys else (want_ask and order.price == ask):
                have_bid, have_ask = have_bid or buys, have_ask or not buys
            elif not order.is_pending_cancel:
                self.cancel_order(order)
                self.cancels += 1
        if want_bid and not have_bid:
            self.send(OrderSide.BUY, bid)
        if want_ask and not have_ask:
            self.send(OrderSide.SELL, ask)

    def send(self, side: OrderSide, price: Price) -> None:
        self.submit_order(
            self.order_factory.limit(self.traded.id, side, self.size, price, post_only=True)
        )
        self.submits += 1


def main() -> None:
    directory, mode = Path(sys.argv[1]), sys.argv[2]
    traded = instrument()
    built = engine(traded, BookType.L2_MBP)
    data = market_data(directory, traded)
    rows = sum(len(item.deltas) if isinstance(item, OrderBookDeltas) else 1 for item in data)
    built.add_data(data)
    strategy = MarketMaker(traded) if mode == "mm" else Reader(traded)
    built.add_strategy(strategy)
    begin = time.perf_counter()
    built.run()
    seconds = time.perf_counter() - begin
    out = {"seconds": seconds, "rows": rows, "steps": strategy.steps}
    if mode == "mm":
        out |= {"submits": strategy.submits, "cancels": strategy.cancels, "fills": strategy.fills}
    out["peak_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps(out))


if __name__ == "__main__":
    main()
