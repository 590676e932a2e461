"""Stored runs again: the same to the bit, or the first difference with its reason."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import mainspring as ms
import planted
import pytest
from mainspring.backtesting.replay import Replay, first_difference
from mainspring.cli import main
from mainspring.data.catalog import Catalog
from mainspring.data.dataset import Dataset
from mainspring.errors import MismatchError, NotFoundError, StrategyError


def _mismatch(run: ms.Run | Path, **arguments: object) -> Replay:
    with pytest.raises(MismatchError) as caught:
        ms.replay(run, **arguments)  # type: ignore[arg-type]
    assert str(caught.value) == str(caught.value.replay)  # type: ignore[attr-defined]
    found: Replay = caught.value.replay  # type: ignore[attr-defined]
    return found


@pytest.mark.parametrize(
    "strategy",
    [
        planted.Honest(size="0.02"),
        ms.native.TouchMaker(size="0.01", max_position="0.1", every="100ms"),
        ms.native.Imbalance(size="0.01", max_position="0.1", threshold=0.4, on="best"),
    ],
    ids=["python", "native", "native on the best price"],
)
def test_a_stored_run_is_the_same_to_the_bit(
    market: Dataset, tmp_path: Path, strategy: ms.Strategy
) -> None:
    run = ms.backtest(
        strategy, market, out=tmp_path / "run", latency=ms.Latency(entry="3ms", cancel=("1ms", 0)),
        fees=ms.Fees(maker="-0.0001", taker="0.0004"), bars=["1m"], features=["ofi"],
    )  # fmt: skip
    result = ms.replay(tmp_path / "run")
    assert result.same
    assert result.difference is None
    assert result.again.log_bytes == run.log_bytes
    assert "the same to the bit" in str(result)


def test_several_strategies_and_an_interval_for_all(market: Dataset, tmp_path: Path) -> None:
    both = [planted.Honest(), ms.native.TouchMaker(size="0.01", max_position="0.1")]
    ms.backtest(both, market, every="500ms", out=tmp_path / "run")
    assert ms.replay(tmp_path / "run").same


def test_a_run_in_memory_and_a_class_of_this_function_can_be_given(market: Dataset) -> None:
    class Local(ms.Strategy, every="1s"):
        def on_book(self, m: ms.Market) -> None:
            m.target_position(0.01)

    run = ms.backtest(Local(), market)
    with pytest.raises(StrategyError, match="give it as strategy="):
        ms.replay(run)
    assert ms.replay(run, strategy=Local).same


def test_data_that_moved_is_found_by_its_content(
    market: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "here.mse"
    shutil.copyfile(market.paths[0], place)
    run = ms.backtest(planted.Honest(), place)
    monkeypatch.setenv("MAINSPRING_HOME", str(tmp_path / "home"))
    place.unlink()
    with pytest.raises(NotFoundError, match="give the data anew"):
        ms.replay(run)
    assert ms.replay(run, data=market).same
    Catalog().add(market.paths[0], "archive/btc")
    assert ms.replay(run).same


def test_changed_data_is_told_from_a_changed_strategy(
    market: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "here.mse"
    shutil.copyfile(market.paths[0], place)
    run = ms.backtest(planted.Honest(), place)
    shutil.copyfile(ms.sample("btcusdt", hours=0.1, seed=7).paths[0], place)
    # The catalog would have the old rows.
    monkeypatch.setenv("MAINSPRING_HOME", str(tmp_path / "home"))
    result = _mismatch(run)
    assert [change.what for change in result.changes] == ["data"]
    assert str(place) in str(result.changes[0])
    assert result.difference is not None


CODE = """
import mainspring as ms

class Joiner(ms.Strategy, every="1s"):
    {size}

    def on_book(self, m):
        m.quote(bid=((m.bid, 0.01),) if m.position {compare} 0 else (),
                ask=((m.ask, 0.01),) if m.position >= 0 else ())
"""


def test_changed_code_is_told_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "replayed_joiner.py"
    file.write_text(CODE.format(size="pass", compare="<="))
    words = ["backtest", file.name, "--data", "sample:btcusdt,hours=0.1", "--no-report", "--quiet"]
    assert main(words) == 0
    assert main(["replay", "--verify", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["same"] is True
    import sys

    for name in [name for name in sys.modules if "replayed_joiner" in name]:
        monkeypatch.delitem(sys.modules, name)
    file.write_text(CODE.format(size="pass", compare="<"))
    assert main(["replay", "--verify"]) == 8
    said = capsys.readouterr().out
    assert "code of Joiner was" in said
    assert "first difference at record" in said
    assert "order" in said


def test_outputs_that_differ_though_nothing_changed_are_the_strategys(market: Dataset) -> None:
    result = _mismatch(ms.backtest(planted.Unseeded(), market))
    assert result.changes == []
    assert "the strategy is not deterministic" in str(result)
    assert result.difference is not None
    assert result.difference.order_id is not None
    assert "BTCUSDT" in result.difference.left_text + result.difference.right_text


def test_the_first_difference_is_the_first_record_that_differs(market: Dataset) -> None:
    one = ms.backtest(planted.Honest(), market)
    other = ms.backtest(planted.Honest(fail_after=60), market, on_error="stop")
    found = first_difference(one, other)
    assert found is not None
    # The strategy called every second fails at the 61st call.
    assert 55 <= (found.time_ns - one.span_ns[0]) / 1e9 <= 65
    earlier = one.orders["time_ns"] < found.time_ns
    for column in one.orders.columns:
        both = one.orders[column][earlier], other.orders[column][: earlier.sum()]
        assert (both[0] == both[1]).all()
    assert first_difference(one, one) is None


def test_verify_off_returns_what_differs(market: Dataset) -> None:
    run = ms.backtest(planted.WallClock(), market)
    result = ms.replay(run, verify=False)
    assert not result.same
    assert result.to_dict()["same"] is False


def test_a_deleted_strategy_file_is_told(
    stored: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ms.Run.load(stored())
    run.facts.strategies[0]["file"] = str(tmp_path / "gone.py")
    monkeypatch.setitem(run.facts.strategies[0], "module", "gone")
    with pytest.raises(NotFoundError, match="gone"):
        ms.replay(run)
