"""The hash of a run follows from what goes in, and from nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import mainspring as ms
import planted
import pytest
from mainspring.data.dataset import Dataset

HERE = Path(__file__).parent

PRINTS_HASHES = """
import sys, planted
import mainspring as ms
from pathlib import Path
maker = ms.native.TouchMaker(size="0.01", max_position="0.1", every="100ms")
for strategy in (planted.Honest(), maker):
    print(ms.backtest(strategy, Path(sys.argv[1]), features=["ofi"], bars=["1m"]).hash)
"""


def _hashes(path: Path, cwd: Path, **environment: str) -> str:
    where = {"PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])}
    return subprocess.run(
        [sys.executable, "-c", PRINTS_HASHES, str(path)],
        env={**os.environ, **where, **environment},
        cwd=cwd, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip


def test_processes_hash_seeds_threads_and_paths_change_nothing(
    market: Dataset, tmp_path: Path
) -> None:
    path = market.paths[0]
    moved = tmp_path / "elsewhere.mse"
    shutil.copyfile(path, moved)
    hashes = {
        _hashes(path, tmp_path, PYTHONHASHSEED="0", RAYON_NUM_THREADS="1"),
        _hashes(path, tmp_path, PYTHONHASHSEED="12345", RAYON_NUM_THREADS="4"),
        _hashes(moved, tmp_path, PYTHONHASHSEED="random", OMP_NUM_THREADS="3"),
        _hashes(Path("elsewhere.mse"), tmp_path, TZ="Asia/Tokyo", LC_ALL="C"),
    }
    assert len(hashes) == 1
    here = [
        ms.backtest(strategy, moved, features=["ofi"], bars=["1m"]).hash
        for strategy in (
            planted.Honest(),
            ms.native.TouchMaker(size="0.01", max_position="0.1", every="100ms"),
        )
    ]
    assert hashes == {"\n".join(here) + "\n"}


def test_runs_in_one_process_and_on_disk_are_the_same(market: Dataset, tmp_path: Path) -> None:
    runs = [ms.backtest(planted.Honest(), market) for _ in range(3)]
    runs.append(ms.backtest(planted.Honest(), market, out=tmp_path / "a"))
    runs.append(ms.backtest(planted.Honest(), market.paths[0], out=tmp_path / "b"))
    runs.append(ms.backtest(planted.Honest(), str(market.paths[0]), progress=lambda *_: None))
    assert len({run.hash for run in runs}) == 1
    assert len({run.log_bytes for run in runs}) == 1


def test_what_goes_in_changes_the_hash(market: Dataset) -> None:
    other_rows = ms.sample("btcusdt", hours=0.1, seed=2)
    runs = [
        ms.backtest(planted.Honest(), market),
        ms.backtest(planted.Honest(size="0.02"), market),
        ms.backtest(planted.Honest(fail_after=10**9), market),  # a parameter without effect
        ms.backtest(planted.Honest(), other_rows),
        ms.backtest(planted.Honest(), market, latency="2ms"),
        ms.backtest(planted.Honest(), market, cash=1_000_000),
        ms.backtest(planted.Honest(), market, fees=ms.Fees(maker=0, taker=0)),
        ms.backtest(planted.Honest(), market, venue=ms.Venue(queue_model="risk_averse")),
        ms.backtest(planted.Honest(), market, limits=ms.Limits(max_position="0.1")),
        ms.backtest(planted.Honest(), market, end_ns=market.span_ns[1] - 60 * 10**9),
        ms.backtest(planted.Honest(), market, every="2s"),
        ms.backtest([planted.Honest(), planted.Honest()], market),
    ]
    assert len({run.hash for run in runs}) == len(runs)


CODE = """
import mainspring as ms

LEVEL = {level}

def beside(m):
    {body}

class Coded(ms.Strategy, every="1s"):
    def on_book(self, m):
        beside(m)
        {line}
"""


@pytest.mark.parametrize(
    "change",
    [{"line": "x = 1"}, {"body": "return LEVEL + 0"}, {"level": "2"}],
    ids=["in the class", "in a function beside it", "in a constant beside it"],
)
def test_code_changes_the_hash_though_the_outputs_are_the_same(
    market: Dataset, tmp_path: Path, change: dict[str, str]
) -> None:
    from mainspring.strategy.loading import load_strategy

    hashes = []
    for name, parts in (("one", {}), ("two", {}), ("three", change)):
        (tmp_path / name).mkdir()
        file = tmp_path / name / "coded.py"
        words = {"level": "1", "body": "return LEVEL", "line": "pass", **parts}
        file.write_text(CODE.format(**words))
        hashes.append(ms.backtest(load_strategy(f"{file}:Coded")(), market).hash)
    assert hashes[0] == hashes[1]
    assert hashes[0] != hashes[2]


def test_a_strategy_that_was_typed_at_a_prompt_runs(market: Dataset, tmp_path: Path) -> None:
    typed = (
        "import sys, mainspring as ms\n"
        "class Typed(ms.Strategy, every='1s'):\n"
        "    def on_book(self, m):\n"
        "        m.target_position(0.01)\n"
        "run = ms.backtest(Typed(), sys.argv[1], out=sys.argv[2])\n"
        "print(run.hash == ms.replay(run).again.hash, len(run.fills) > 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", typed, str(market.paths[0]), str(tmp_path / "run")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.split() == ["True", "True"], done.stderr
