"""When callbacks come, what they see, and that a view is gone afterwards."""

from __future__ import annotations

import itertools
from typing import Any

import mainspring as ms
import numpy as np
import pytest
from mainspring.data.dataset import Dataset
from mainspring.errors import ConfigError, StaleView, StrategyError


class Recorder(ms.Strategy):
    """Notes what it is told."""

    size: ms.Qty = ms.Qty("0.01")

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        self.log: list[tuple[Any, ...]] = []

    def note(self, what: str, m: ms.Market, *more: Any) -> None:
        self.log.append((what, m.time_ns, m.symbol, *more))

    def times(self, what: str) -> list[int]:
        return [entry[1] for entry in self.log if entry[0] == what]


class Sampler(Recorder, every="100ms"):
    def on_book(self, m: ms.Market) -> None:
        self.note("book", m)


class OnBest(Recorder, on="best"):
    def on_book(self, m: ms.Market) -> None:
        self.note("book", m, m.bid_ticks, m.ask_ticks)


class OnTrade(Recorder, on="trade"):
    def on_book(self, m: ms.Market) -> None:
        self.note("book", m)

    def on_trade(self, m: ms.Market, trade: Any) -> None:
        self.note("trade", m, trade.price, trade.qty, trade.side)


class OnMessage(Recorder):
    def on_book(self, m: ms.Market) -> None:
        self.note("book", m)


def test_every_is_an_exact_interval(market: Dataset) -> None:
    strategy = Sampler()
    ms.backtest(strategy, market)
    steps = np.diff(strategy.times("book"))
    assert len(steps) > 3000
    assert (steps == 100_000_000).all()


def test_best_is_called_only_when_a_best_price_moved(market: Dataset) -> None:
    best, message = OnBest(), OnMessage()
    ms.backtest(best, market)
    ms.backtest(message, market)
    prices = [entry[3:] for entry in best.log]
    assert all(a != b for a, b in itertools.pairwise(prices))
    assert 100 < len(best.log) < len(message.log)
    assert set(best.times("book")) <= set(message.times("book"))


def test_trade_is_called_at_trades(market: Dataset) -> None:
    strategy = OnTrade()
    run = ms.backtest(strategy, market)
    assert set(strategy.times("book")) == set(strategy.times("trade"))
    assert len(strategy.times("trade")) == run.facts.engine["counts"]["trades"]
    assert {entry[5] for entry in strategy.log if entry[0] == "trade"} == {"buy", "sell"}


def test_backtest_can_overrule_the_interval(market: Dataset) -> None:
    strategy = OnBest()
    ms.backtest(strategy, market, every="1s")
    assert (np.diff(strategy.times("book")) == 1_000_000_000).all()


def test_every_and_on_cannot_be_both() -> None:
    with pytest.raises(ConfigError, match="either every= or on="):
        type("Both", (ms.Strategy,), {}, every="1s", on="best")
    with pytest.raises(ConfigError, match="'message', 'best' or 'trade'"):
        type("Wrong", (ms.Strategy,), {}, on="full moon")
    with pytest.raises(ConfigError, match="not a span of time"):
        type("Wrong", (ms.Strategy,), {}, every="soon")


class Trader(Recorder, every="1s"):
    """Buys, is told of it, and sets timers."""

    def on_start(self, m: ms.Market) -> None:
        self.note("start", m)
        m.set_timer(m.time_ns + 2_500_000_000, tag=42)

    def on_book(self, m: ms.Market) -> None:
        if len(self.times("order")) < 40:
            self.note("buy", m, m.buy(self.size))

    def on_order(self, m: ms.Market, order: Any) -> None:
        self.note("order", m, order.id, order.state, order.filled, order.qty)

    def on_fill(self, m: ms.Market, fill: Any) -> None:
        self.note("fill", m, fill.order_id, fill.qty, m.position)

    def on_timer(self, m: ms.Market, tag: int) -> None:
        self.note("timer", m, tag)

    def on_stop(self, m: ms.Market) -> None:
        self.note("stop", m)


def test_orders_fills_and_timers_are_told(market: Dataset) -> None:
    strategy = Trader()
    run = ms.backtest(strategy, market, latency="3ms")
    start = strategy.times("start")[0]
    assert [e[1:] for e in strategy.log if e[0] == "timer"] == [
        (start + 2_500_000_000, "BTCUSDT", 42)
    ]
    assert len(strategy.times("stop")) == 1
    bought = {e[3] for e in strategy.log if e[0] == "buy"}
    fills = [e for e in strategy.log if e[0] == "fill"]
    assert {e[3] for e in fills} == bought
    assert len(fills) == len(run.fills)
    # Position is up to date inside the callback.
    assert np.allclose(np.cumsum([e[4] for e in fills]), [e[5] for e in fills])
    states = [e[4] for e in strategy.log if e[0] == "order" and e[3] == min(bought)]
    assert states[-1] == "filled"
    # An answer takes entry and response latency.
    first_buy, first_fill = strategy.times("buy")[0], strategy.times("fill")[0]
    assert first_fill >= first_buy + 6_000_000


class Keeper(ms.Strategy):
    """Keeps the view."""

    kept: Any = None

    def on_book(self, m: ms.Market) -> None:
        self.__dict__.setdefault("views", [m, m.features])


def test_a_view_is_gone_after_its_callback(market: Dataset) -> None:
    strategy = Keeper()
    ms.backtest(strategy, market)
    view, features = strategy.__dict__["views"]
    for use in (
        lambda: view.bid, lambda: view.time_ns, view.quote, lambda: view.buy(1.0),
        view.bids, lambda: view["BTCUSDT"], lambda: features.imbalance,
        lambda: view.lots(1.0),
    ):  # fmt: skip
        with pytest.raises(StaleView):
            use()
    assert "stale" in repr(view)


class Pair(Recorder, every="500ms"):
    """Reads one market and trades another."""

    def on_book(self, m: ms.Market) -> None:
        other = m["ETHUSDT"]
        assert other.symbol == "ETHUSDT"
        assert m["BTCUSDT"].bid == m.bid
        other.quote(bid=((other.bid, 0.1),))
        self.note("book", m, m.bid, other.bid)


def test_several_instruments(two_markets: Dataset) -> None:
    strategy = Pair()
    run = ms.backtest(strategy, two_markets)
    assert {entry[2] for entry in strategy.log} == {"BTCUSDT"}
    assert all(mine > 5 * other for *_, mine, other in strategy.log if other == other)
    instruments = run.orders.to_numpy()["instrument"]
    assert len(instruments) > 100
    assert set(instruments) == {1}


class Unknown(ms.Strategy):
    """Asks for what there is not."""

    what: str = "symbol"

    def on_book(self, m: ms.Market) -> None:
        if self.what == "symbol":
            m["DOGEUSDT"].quote()
        elif self.what == "feature":
            m.features.mood  # noqa: B018 - reading is the test
        elif self.what == "option":
            m.buy(1.0, colour="red")  # type: ignore[call-arg]
        elif self.what == "tif":
            m.buy(1.0, 100.0, tif="someday")  # type: ignore[arg-type]
        elif self.what == "kind":
            m.buy(1.0, kind="magic")  # type: ignore[arg-type]
        elif self.what == "levels":
            m.quote(bid=(100.0, 0.01))  # type: ignore[arg-type]
        elif self.what == "text":
            m.quote(bid=(("cheap", 0.01),))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("symbol", "no instrument DOGEUSDT; this run has BTCUSDT"),
        ("feature", "no feature mood; it has"),
        ("option", "no option colour; options are post_only"),
        ("tif", "time in force someday is unknown; use gtc"),
        ("kind", "order kind magic is unknown; use limit"),
        ("levels", "sequence of \\(price, quantity\\) pairs"),
        ("text", "sequence of \\(price, quantity\\) pairs"),
    ],
)
def test_what_is_not_there_is_named(market: Dataset, what: str, says: str) -> None:
    with pytest.raises(StrategyError, match=says):
        ms.backtest(Unknown(what=what), market)


def test_parameters_are_checked() -> None:
    with pytest.raises(ConfigError, match="no parameter 'colour'; it has size"):
        Sampler(colour="red")
    with pytest.raises(ConfigError, match="needs a value for parameter 'size'"):
        ms.strategies.TouchMaker(max_position=1)
    with pytest.raises(ConfigError, match="not a quantity"):
        Sampler(size="much")
    with pytest.raises(ConfigError, match="must be a positive number"):
        ms.strategies.TouchMaker(size=-1, max_position=1)
    assert Sampler(size="0.5").size == 0.5


class LongAfter(ms.Strategy, every="1s"):
    """Asks again about its first order, or one that never was, long after the first ended."""

    stranger: int = -1

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        self.first, self.calls = 0, 0

    def on_book(self, m: ms.Market) -> None:
        self.calls += 1
        self.first = self.first or m.buy(0.01)
        # Others end meanwhile, so that the first is forgotten.
        m.quote(bid=((m.bid, 0.01),), ask=((m.ask, 0.01),))
        if self.calls == 3_500:
            asked = self.first if self.stranger < 0 else self.stranger
            m.cancel(asked)
            m.amend(asked, m.bid, 0.02)


def test_an_order_that_ended_long_ago_is_over_and_one_that_never_was_is_told() -> None:
    notices = [
        ms.backtest(LongAfter(stranger=stranger), ms.sample("btcusdt")).facts.engine["counts"][
            "notices"
        ]
        for stranger in (-1, 0, 9_999_999)
    ]
    assert notices == [0, 2, 2]
