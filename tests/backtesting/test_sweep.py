"""Sweeps: the same results whatever runs them, resumable, and robust against their trials."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import mainspring as ms
import planted
import pytest
from mainspring.data.dataset import Dataset
from mainspring.errors import CapacityError, ConfigError, DataError, Interrupted, InvalidValue

HERE = Path(__file__).parent
SIZES = {"size": ["0.01", "0.02", "0.05"]}


def test_order_and_results_do_not_depend_on_the_workers(market: Dataset) -> None:
    grid = {"size": ["0.03", "0.01", "0.02"], "fail_after": [0, 10**6]}
    sweeps = [ms.sweep(planted.Honest, market, grid, workers=n) for n in (1, 2, 3)]
    first = sweeps[0]
    assert [one.parameters for one in first.outcomes] == [
        {"size": size, "fail_after": fail} for size in (0.03, 0.01, 0.02) for fail in (0, 10**6)
    ]
    for sweep in sweeps:
        assert sweep.outcomes == first.outcomes
        assert sweep.notes == []
    alone = ms.backtest(planted.Honest(size="0.01", fail_after=0), market)
    assert first.outcomes[2].hash == alone.hash == first.runs(2).hash
    assert first.outcomes[2].pnl == alone.summary().money.pnl
    assert first.outcomes[2].sharpe == alone.summary().returns.sharpe_per_period


def test_native_strategies_run_in_threads_with_the_same_results(market: Dataset) -> None:
    grid = {"size": ["0.01", "0.02"], "max_position": ["0.1", "0.2"]}
    several = ms.sweep(ms.native.TouchMaker, market, grid, workers=4, every="100ms")
    one = ms.sweep(ms.native.TouchMaker, market, grid, workers=1, every="100ms")
    assert several.outcomes == one.outcomes
    assert all(outcome.hash for outcome in one.outcomes)


def test_the_best_is_the_highest_of_the_metric(market: Dataset) -> None:
    by_pnl = ms.sweep(planted.Honest, market, SIZES, metric="pnl", workers=1)
    assert by_pnl.best is not None
    assert by_pnl.best.pnl == max(one.pnl for one in by_pnl.outcomes if one.pnl is not None)
    by_function = ms.sweep(planted.Honest, market, SIZES, metric=fewest_fills, workers=2)
    assert by_function.metric == "fewest_fills"
    assert by_function.best is not None
    assert by_function.best.fills == min(one.fills for one in by_function.outcomes)
    assert by_function.statistics.n_trials == 3
    text = str(by_function)
    assert "deflated Sharpe ratio" in text
    assert "fewest_fills" in text


def fewest_fills(run: ms.Run) -> float:
    return -float(run.counts["fills"])


def test_the_table_has_parameters_and_figures(market: Dataset) -> None:
    sweep = ms.sweep(planted.Honest, market, [{"size": "0.01"}, {"size": "0.02"}], workers=1)
    table = sweep.table.to_numpy()
    assert table["size"].tolist() == [0.01, 0.02]
    assert table["pnl"].tolist() == [one.pnl for one in sweep.outcomes]
    assert {"metric", "sharpe", "max_drawdown", "fills", "failure"} <= set(sweep.table.columns)


def test_a_failing_trial_is_noted_and_the_others_go_on(market: Dataset) -> None:
    sweep = ms.sweep(planted.Honest, market, {"fail_after": [50, 0]}, workers=2)
    failed, good = sweep.outcomes
    assert "planted.py" in failed.failure
    assert "ValueError: planted" in failed.failure
    assert good.failure == ""
    assert sweep.best is good
    assert "1 failed" in str(sweep)


def test_a_trial_that_cannot_be_made_is_a_failure_too(market: Dataset) -> None:
    grid = {"levels": [1, -3], "size": ["0.01"], "max_position": ["0.1"], "spacing_ticks": [5]}
    sweep = ms.sweep(ms.native.Grid, market, grid)
    assert [bool(one.failure) for one in sweep.outcomes] == [False, True]


def test_a_trial_that_takes_its_process_along_is_a_failure(market: Dataset) -> None:
    grid = [{"die": False}, {"die": True}]
    sweep = ms.sweep(planted.Dies, market, grid, workers=2)
    assert [one.failure for one in sweep.outcomes] == [
        "",
        "the worker process died (exit code 9)",
    ]


def test_a_class_that_processes_cannot_load_runs_here_and_says_so(market: Dataset) -> None:
    class Local(planted.Honest, every="1s"):
        pass

    sweep = ms.sweep(Local, market, SIZES, workers=2)
    assert len(sweep.failures) == 0
    assert "defined inside a function" in sweep.notes[0]
    assert sweep.notes[0] in str(sweep)


def test_a_script_without_a_guard_can_sweep(market: Dataset, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, planted\nimport mainspring as ms\nfrom pathlib import Path\n"
        "sweep = ms.sweep(planted.Honest, Path(sys.argv[1]), "
        "{'size': ['0.01', '0.02']}, workers=2)\n"
        "print(len(sweep.outcomes), len(sweep.failures), len(sweep.notes))\n"
    )
    path = {"PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])}
    done = subprocess.run(
        [sys.executable, str(script), str(market.paths[0])],
        env={**os.environ, **path}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "2 0 0\n"


# --- resuming


def _lines(out: Path) -> list[str]:
    return (out / "trials.jsonl").read_text().splitlines()


def test_finished_trials_are_not_run_again(market: Dataset, tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    first = ms.sweep(planted.Honest, market, SIZES, out=tmp_path)
    more = {"size": ["0.005", *SIZES["size"]]}
    again = ms.sweep(
        planted.Honest, market, more, out=tmp_path, progress=lambda *now: calls.append(now)
    )
    assert again.outcomes[1:] == first.outcomes
    assert calls == [(4, 4)]
    assert len(_lines(tmp_path)) == 4
    ms.sweep(planted.Honest, market, SIZES, out=tmp_path, resume=False)
    assert len(_lines(tmp_path)) == 7


@pytest.mark.parametrize("cut", [1, 20, 200])
def test_a_torn_last_line_runs_again(market: Dataset, tmp_path: Path, cut: int) -> None:
    first = ms.sweep(planted.Honest, market, SIZES, out=tmp_path)
    file = tmp_path / "trials.jsonl"
    file.write_bytes(file.read_bytes()[:-cut])
    again = ms.sweep(planted.Honest, market, SIZES, out=tmp_path)
    assert again.outcomes == first.outcomes
    assert [json.loads(line)["hash"] for line in _lines(tmp_path)]
    assert len(_lines(tmp_path)) == 3


def test_other_inputs_do_not_take_trials_over(market: Dataset, tmp_path: Path) -> None:
    for count, (data, options) in enumerate(
        [
            (market, {}),
            (market, {"latency": "7ms"}),
            (ms.sample("btcusdt", hours=0.1, seed=9), {}),
        ],
        1,
    ):
        ms.sweep(planted.Honest, data, {"size": ["0.01"]}, out=tmp_path, **options)
        assert len(_lines(tmp_path)) == count


def test_a_file_that_is_no_list_of_trials_is_refused(market: Dataset, tmp_path: Path) -> None:
    (tmp_path / "trials.jsonl").write_text("my notes\n")
    with pytest.raises(DataError, match=r"trials\.jsonl:1"):
        ms.sweep(planted.Honest, market, SIZES, out=tmp_path)
    assert (tmp_path / "trials.jsonl").read_text() == "my notes\n"


INTERRUPTED = """
import sys, planted
import mainspring as ms
from pathlib import Path
grid = {"number": list(range(40)), "wait_s": [0.002]}
try:
    ms.sweep(planted.Slow, Path(sys.argv[1]), grid, out=sys.argv[2], workers=int(sys.argv[3]))
except ms.errors.Interrupted as error:
    print(error, len(error.sweep.outcomes), sep="|")
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_stops_cleanly_and_keeps_what_is_done(
    market: Dataset, tmp_path: Path, workers: int
) -> None:
    path = {"PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])}
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, str(market.paths[0]), str(tmp_path), str(workers)],
        env={**os.environ, **path}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    file = tmp_path / "trials.jsonl"
    while not file.exists() or len(_lines(tmp_path)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    said, done = out.strip().split("|")
    assert "interrupted after" in said
    assert "Traceback" not in err
    assert int(done) == len(_lines(tmp_path)) >= 2
    with pytest.raises(ProcessLookupError):  # no worker is left
        os.killpg(process.pid, 0)


def test_a_watch_that_stops_the_sweep_keeps_what_is_done(market: Dataset, tmp_path: Path) -> None:
    def stop(done: int, _total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted) as caught:
        ms.sweep(planted.Honest, market, SIZES, workers=1, progress=stop)
    assert len(caught.value.sweep.outcomes) == 2  # type: ignore[attr-defined]


# --- what is refused


@pytest.mark.parametrize(
    ("grid", "options", "error", "said"),
    [
        ({"sise": [1]}, {}, ConfigError, "no parameter 'sise'"),
        ({"size": []}, {}, ConfigError, "no value for size"),
        ([], {}, ConfigError, "no trial"),
        ({"size": ["nan"]}, {}, ConfigError, "finite"),
        ({"fail_after": range(100_001)}, {}, CapacityError, "at most 100,000"),
        ({"size": [1]}, {"metric": "luck"}, InvalidValue, "no metric 'luck'"),
        ({"size": [1]}, {"workers": 0}, InvalidValue, "one at least"),
    ],
)
def test_what_cannot_be_swept_is_refused(
    market: Dataset, grid: object, options: dict[str, object], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        ms.sweep(planted.Honest, market, grid, **options)  # type: ignore[arg-type]


def test_equal_combinations_count_once(market: Dataset) -> None:
    sweep = ms.sweep(planted.Honest, market, {"size": ["0.01", 0.01, "0.010"]}, workers=1)
    assert len(sweep.outcomes) == 1
