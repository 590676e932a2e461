"""Limits as people write them, in runs."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import mainspring as ms
import pytest
from mainspring import _core
from mainspring.data.dataset import Dataset
from mainspring.errors import ConfigError, MainspringError
from mainspring.risk import Breaker, CallbackServer, DrawdownLadder, Rate, Stop, Validator


@pytest.fixture(scope="module")
def market() -> Dataset:
    return ms.sample("btcusdt", hours=0.1)


def maker(**values: Any) -> Any:
    return ms.native.TouchMaker(**{"size": "0.01", "max_position": "0.05", **values})


def reasons(run: ms.Run) -> Counter[str]:
    names = json.loads(_core.order_codes())["reason"]
    return Counter(names[str(code)] for code in run.orders["reason"].tolist())


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (ms.Limits(max_order_qty="0.005"), "risk_order_quantity"),
        (ms.Limits(max_order_notional="50"), "risk_order_notional"),
        (ms.Limits(max_position="0.02"), "risk_position"),
        (
            ms.Limits(strategies={"touch_maker": ms.Limits(max_position="0.02")}),
            "risk_strategy_position",
        ),
        (ms.Limits(max_gross_exposure="1000"), "risk_gross_exposure"),
        (ms.Limits(venues={"sim": ms.Limits(max_net_exposure="1000")}), "risk_net_exposure"),
        (ms.Limits(max_leverage="0.01"), "risk_leverage"),
        (ms.Limits(max_allocation="0.001"), "risk_allocation"),
        (ms.Limits(max_symbol_exposure="1000"), "risk_symbol_exposure"),
        (ms.Limits(max_concentration="0.01"), "risk_concentration"),
        (ms.Limits(max_order_rate="2/10s"), "risk_order_rate"),
        (ms.Limits(max_cancel_rate=(1, "10s")), "risk_cancel_rate"),
        (ms.Limits(max_message_rate=Rate(3, "10s")), "risk_message_rate"),
        (ms.Limits(max_open_orders=1), "risk_open_orders"),
        (ms.Limits(max_daily_trades=3), "risk_daily_trades"),
        (ms.Limits(trading_hours="sat 03:00-03:01"), "risk_trading_hours"),
        (ms.Limits(restricted=["BTC"]), "risk_restricted"),
        (ms.Limits(max_data_age="1ns"), "risk_stale_data"),
    ],
)
def test_every_limit_refuses_by_its_name(market: Dataset, limits: ms.Limits, reason: str) -> None:
    free = ms.backtest(maker(), market, every="100ms", features=["imbalance"])
    assert not any(name.startswith("risk") for name in reasons(free))
    run = ms.backtest(maker(), market, every="100ms", limits=_at(limits, market))
    assert reasons(run)[reason] > 0, reasons(run)
    told = [text for _, text in run.messages if "refused by risk" in text]
    assert any(reason.removeprefix("risk_") in text for text in told), told[:3]


def _at(limits: ms.Limits, market: Dataset) -> ms.Limits:
    """The same limits with the venue's own name."""
    if not limits.venues:
        return limits
    venue = market.instruments[0].venue
    return ms.Limits(venues={venue: limits.venues["sim"]})


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (ms.Limits(strategies={"nobody": ms.Limits()}), "limits.strategies.nobody: this run has"),
        (ms.Limits(max_leverage=200), "ceiling of 125"),
        (ms.Limits(max_position="1000000"), "ceiling of 100000"),
        (ms.Limits(max_drawdown=0.2), "ceiling of 1500"),
        (ms.Limits(max_order_rate="fast"), "max_order_rate is 'fast'"),
        (ms.Limits(trading_hours="9 to 5"), "trading hours"),
        (ms.Limits(venues={"x": ms.Limits(max_drawdown=0.1)}), "belongs to the top"),
        (ms.Limits(max_drawdown=0.1, drawdown=DrawdownLadder()), "not both"),
        (ms.Limits(drawdown=DrawdownLadder(reduce=0.12)), "must grow"),
        (ms.Limits(breaker=Breaker(max_faults=0)), "breaker.max_faults"),
        (ms.Limits(max_daily_loss="-1"), "must be positive"),
    ],
)
def test_what_cannot_be_is_refused_and_says_where(
    market: Dataset, limits: ms.Limits, words: str
) -> None:
    with pytest.raises(ConfigError, match=words.replace("(", r"\(")):
        ms.backtest(maker(), market, limits=limits)


class BuyOnce(ms.Strategy):
    size: ms.Qty = "1"
    done = False

    def on_book(self, m: ms.Market) -> None:
        if not self.done:
            self.done = True
            m.buy(self.size)


def test_leverage_bounds_and_margin_that_runs_out_closes(market: Dataset) -> None:
    price = ms.backtest(maker(), market, end_ns=None).positions["bid"][0]
    cash = float(price) / 9
    refused = ms.backtest(BuyOnce(size="1"), market, cash=cash, margin=ms.Margin(leverage=10))
    assert reasons(refused)["risk_leverage"] == 1
    # The sample's first tier asks for 0.4 % of the value.
    margin = ms.Margin(leverage=10, buffer=0.0, emergency=0.03)
    run = ms.backtest(BuyOnce(size="1"), market, cash=cash, margin=margin)
    assert any("trading halted: maintenance margin" in text for _, text in run.messages)
    assert run.fills["position_lots"][-1] == 0


def test_a_ceiling_is_seen_at_samples_and_a_ladder_of_ones_own_at_once(market: Dataset) -> None:
    ladder = DrawdownLadder(reduce=None, stop=None, close=0.1499)
    halted: list[tuple[float, float]] = []
    for limits in (ms.Limits(), ms.Limits(drawdown=ladder)):
        free = ms.Fees(maker="0", taker="0")
        run = ms.backtest(
            BuyOnce(size="1"), market, cash=550, limits=limits, fees=free, sample="60s"
        )
        told = [(at, text) for at, text in run.messages if "trading halted: drawdown" in text]
        begun = run.equity["time_ns"][0]
        halted.append(((told[0][0] - begun) / 6e10, float(told[0][1].split()[4])))
    (by_ceiling, fallen), (by_ladder, fallen_less) = halted
    assert by_ceiling == round(by_ceiling), "at a sample"
    assert by_ladder < by_ceiling
    assert 14.99 <= fallen_less < 15.5 < fallen


def test_the_engine_holds_a_stop(market: Dataset) -> None:
    run = ms.backtest(BuyOnce(size="0.01"), market, stops=[Stop.time("30s")])
    assert len(run.fills) == 2
    held = run.fills["time_ns"][1] - run.fills["time_ns"][0]
    assert 30e9 <= held < 31e9
    assert any("stopped out" in text for _, text in run.messages)
    for stop in (Stop.fixed("0"), Stop.trailing("-1"), Stop.fixed("1", symbol="NOPE")):
        with pytest.raises(MainspringError):
            ms.backtest(BuyOnce(), market, stops=[stop])


def test_position_states_keep_a_maker_within_its_limit(market: Dataset) -> None:
    limits = ms.Limits(max_position="0.03")
    plain = ms.backtest(maker(), market, every="100ms", limits=limits)
    shaped = ms.backtest(
        maker(), market, every="100ms", limits=limits, position_states=ms.PositionStates()
    )
    assert reasons(plain)["risk_position"] > reasons(shaped)["risk_position"]
    assert abs(shaped.fills["position_lots"]).max() <= 30


def test_runs_with_limits_repeat_to_the_bit(market: Dataset) -> None:
    limits = ms.Limits(max_gross_exposure="2000", max_order_rate="5/s", max_daily_loss="100")
    runs = [ms.backtest(maker(), market, every="100ms", limits=limits) for _ in range(2)]
    assert runs[0].hash == runs[1].hash


def test_a_validator_has_the_last_word_and_silence_is_a_no(market: Dataset) -> None:
    asked: list[dict[str, int]] = []

    def only_buys(question: dict[str, int]) -> bool:
        asked.append(question)
        return question["side"] == 1

    with CallbackServer(only_buys, timeout="2s") as server:
        run = ms.backtest(maker(), market, every="1s", validator=server.validator)
    assert len(asked) > 10
    assert set(run.fills["side"].tolist()) <= {1}
    assert reasons(run)["risk_validator"] == sum(one["side"] == -1 for one in asked)
    nobody = Validator("127.0.0.1:1", "1ms")
    silent = ms.backtest(maker(), market, every="10s", validator=nobody)
    assert len(silent.fills) == 0
    assert reasons(silent)["risk_validator"] > 0
