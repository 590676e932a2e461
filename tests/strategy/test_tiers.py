"""The same strategy in plain Python, compiled and native sends the same orders, to the bit."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import mainspring as ms
import mainspring.strategies.compiled as machine
import pytest
import subjects
from mainspring.data.dataset import Dataset
from mainspring.errors import StrategyError
from mainspring.risk import Stop
from mainspring.strategy.loading import load_strategy

pytest.importorskip("numba")

ROOT = Path(__file__).resolve().parents[2]
SIZES = {"size": "0.01", "max_position": "0.05"}
SHIPPED: dict[str, dict[str, Any]] = {
    "TouchMaker": SIZES,
    "Imbalance": {**SIZES, "threshold": 0.5},
    "Grid": {**SIZES, "levels": 4, "spacing_ticks": 25},
    "AvellanedaStoikov": {**SIZES, "gamma": 0.01, "sigma": 2.0, "k": 1.5, "horizon_s": 1.0},
    "Glft": {
        **SIZES, "gamma": 0.01, "sigma": 2.0, "a": 1.0, "k": 1.5, "levels": 3, "spacing_ticks": 2,
    },
}  # fmt: skip


@ms.compiled(every="20ms")
class Everything(subjects.Everything):
    """Compiled."""


class PlainEverything(subjects.Everything, ms.Strategy, every="20ms"):
    """Plain."""


@ms.compiled
class EveryOrder(subjects.EveryOrder, ms.Strategy):
    """Compiled."""


class PlainEveryOrder(subjects.EveryOrder, ms.Strategy):
    """Plain."""


@ms.compiled
class Stopped(subjects.Stopped):
    """Compiled."""


class PlainStopped(subjects.Stopped, ms.Strategy):
    """Plain."""


@ms.compiled
class Large(subjects.Large):
    """Compiled."""


class PlainLarge(subjects.Large, ms.Strategy):
    """Plain."""


def recording() -> Dataset:
    """A real recording of spot BTCUSDT."""
    root = Path(os.environ.get("MAINSPRING_SHARED", ROOT.parent / "shared"))
    path = root / "data" / "binance-raw-2024" / "spot_btcusdt_20240808.gz"
    if not path.exists():
        if os.environ.get("MAINSPRING_REQUIRE_SHARED") == "1":
            pytest.fail(f"{path} is missing")
        pytest.skip(f"the recording {path.name} is not here")
    return path  # type: ignore[return-value]


def same(*runs: ms.Run) -> None:
    """Every output record of the runs is the same, and there are some."""
    assert len(runs[0].orders) > 50
    assert len(runs[0].fills) > 0
    assert len({run.facts.log_hash for run in runs}) == 1


@pytest.mark.parametrize("every", [None, "100ms"])
@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_strategies_are_the_same_in_three_tiers(
    market: Dataset, name: str, every: str | None
) -> None:
    tiers = [getattr(place, name)(**SHIPPED[name]) for place in (ms.native, ms.strategies, machine)]
    assert [getattr(one, "_compiled", None) for one in tiers] == [None, False, True]
    same(*(ms.backtest(one, market, every=every, latency="5ms") for one in tiers))


@pytest.mark.parametrize("name", ["TouchMaker", "Glft", "Grid"])
def test_tiers_are_the_same_on_a_recording(name: str, tmp_path: Path) -> None:
    data = ms.data.import_file(recording(), out=tmp_path / "btc.mse")
    values = {**SHIPPED[name], "size": "0.001", "max_position": "0.01"}
    tiers = [getattr(place, name)(**values) for place in (ms.native, ms.strategies, machine)]
    same(*(ms.backtest(one, data, latency="1ms", cash=10**9) for one in tiers))


def test_moving_average_is_the_same_in_two_tiers(market: Dataset) -> None:
    values = {"size": "0.01", "fast": 3, "slow": 8}
    tiers = [place.MovingAverageCross(**values) for place in (ms.native, ms.strategies)]
    one, other = (ms.backtest(strategy, market, bars="5s") for strategy in tiers)
    assert len(one.fills) > 5
    assert one.facts.log_hash == other.facts.log_hash


def test_the_whole_language_is_the_same_compiled(market: Dataset) -> None:
    plain, compiled = PlainEverything(), Everything()
    assert compiled.trigger == plain.trigger
    same(*(ms.backtest(one, market, bars="2s") for one in (plain, compiled)))
    assert vars(plain) | {"name": ""} == vars(compiled) | {"name": ""}
    assert plain._calls > 1000
    assert plain._told > 10
    assert plain._bought != 0.0
    assert plain._depth != 0.0


def test_every_kind_of_order_is_the_same_compiled(market: Dataset) -> None:
    runs = [ms.backtest(one, market) for one in (PlainEveryOrder(), EveryOrder())]
    same(*runs)
    kinds = set(runs[0].orders.to_numpy()["order_type"])
    assert len(kinds) == 8, kinds


def stopped_out(run: ms.Run) -> dict[str, int]:
    """How often stops of each kind closed a position."""
    words = [text.split(" by ")[1] for _, text in run.messages if "stopped out" in text]
    kinds = [word.split("{")[0].strip() for word in words]
    return {kind: kinds.count(kind) for kind in set(kinds)}


def test_stops_that_strategies_ask_for_are_the_same_compiled(market: Dataset) -> None:
    runs = [ms.backtest(one, market, latency="2ms") for one in (PlainStopped(), Stopped())]
    same(*runs)
    fired = stopped_out(runs[0])
    assert set(fired) == {"Fixed", "Trailing", "Atr", "Step", "BreakEven", "Time", "Equity"}, fired
    assert stopped_out(runs[1]) == fired


def test_stops_that_a_run_holds_are_the_same_in_three_tiers(market: Dataset) -> None:
    stops = [Stop.trailing("1.5"), Stop.time("4s"), Stop.break_even("2", "0.5")]
    tiers = [place.TouchMaker(**SIZES) for place in (ms.native, ms.strategies, machine)]
    runs = [ms.backtest(one, market, latency="5ms", stops=stops) for one in tiers]
    same(*runs)
    assert sum(stopped_out(runs[0]).values()) > 3


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ("m.stop(5)", "write the stop here"),
        ("m.stop(Stop.trailing())", "distance is missing"),
        ("m.stop(Stop.trailing('far'))", "give a number"),
        ("m.stop(Stop.fixed(1, strategy='me'))", "has no option strategy"),
        ("m.stop(Stop.time(m.spread))", "after is text"),
        ("m.stop(Stop.atr(2, m.position_lots))", "period is a whole number"),
        ("m.stop(Stop.equity('0.1234567890123456789'))", "more digits"),
        ("m.remove_stops(1)", "takes nothing"),
    ],
)
def test_stops_that_cannot_be_compiled_are_refused_with_their_line(
    market: Dataset, tmp_path: Path, asked: str, why: str
) -> None:
    path = tmp_path / "asks.py"
    path.write_text(
        "import mainspring as ms\n"
        "from mainspring.risk import Stop\n\n\n"
        "@ms.compiled\n"
        "class Asks(ms.Strategy):\n"
        "    def on_book(self, m):\n"
        f"        {asked}\n"
    )
    strategy = load_strategy(str(path))()
    with pytest.raises(StrategyError, match=rf"asks\.py:8.*{why}"):
        ms.backtest(strategy, market)


def test_what_compiled_code_leaves_to_python_is_the_same(market: Dataset) -> None:
    plain, compiled = PlainLarge(), Large()
    same(*(ms.backtest(one, market, latency="2ms") for one in (plain, compiled)))
    assert (plain._calls, plain._low, plain._huge) == (
        compiled._calls, compiled._low, compiled._huge,
    )  # fmt: skip


def test_parameters_reach_compiled_code(market: Dataset) -> None:
    for values in ({"widen": 4.0}, {"quiet": True}, {"step": 5, "size": "0.02"}):
        same(*(ms.backtest(one(**values), market) for one in (PlainEverything, Everything)))


def test_several_strategies_of_all_tiers_in_one_run(market: Dataset) -> None:
    def run() -> ms.Run:
        tiers = (ms.native, ms.strategies, machine)
        return ms.backtest([one.TouchMaker(**SIZES) for one in tiers], market, latency="5ms")

    first = run()
    assert first.hash == run().hash
    by_strategy = first.orders.to_numpy()["strategy"]
    assert {0, 1, 2} == set(by_strategy)


def test_progress_is_told_while_compiled_code_runs(market: Dataset) -> None:
    seen: list[tuple[int, int]] = []
    ms.backtest(EveryOrder(), market, progress=lambda rows, now: seen.append((rows, now)))
    assert seen
