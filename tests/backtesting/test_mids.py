"""The mid prices of a run equal those that a strategy saw, and need the data to be there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import mainspring as ms
import numpy as np
import planted
import pytest
from mainspring import _core
from mainspring.data.dataset import Dataset


class Watcher(ms.Strategy):
    """Notes every change of the mid price of each instrument."""

    def on_start(self, m: Any) -> None:
        self.seen: dict[str, list[tuple[int, float]]] = {}

    def on_book(self, m: Any) -> None:
        changes = self.seen.setdefault(m.symbol, [])
        if not changes or changes[-1][1] != m.mid:
            changes.append((m.time_ns, m.mid))


@pytest.mark.parametrize("latency", [None, "30ms"], ids=["as recorded", "another feed latency"])
@pytest.mark.parametrize("name", ["btcusdt", "btcusdt+ethusdt"])
def test_mids_are_what_a_strategy_saw(name: str, latency: str | None) -> None:
    watcher = Watcher()
    data = ms.sample(name, hours=0.05)
    run = ms.backtest(watcher, data, latency=ms.Latency(feed=latency))
    assert run.mids is not None
    assert len(run.mids) == len(watcher.seen) == len(name.split("+"))
    for index, instrument in enumerate(run.instruments):
        # Several messages of one moment are one change in the mids: the last.
        seen = dict(watcher.seen[instrument["symbol"]])
        mids = run.mids[index]
        assert mids["interval_ns"] == 0
        np.testing.assert_array_equal(mids["time_ns"], list(seen))
        np.testing.assert_array_equal(mids["mid"], list(seen.values()))


def test_short_markouts_are_defined_while_the_data_is_there(
    market: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "here.mse"
    shutil.copyfile(market.paths[0], place)
    folder = tmp_path / "run"
    ms.backtest(planted.Honest(), place, out=folder)
    shortest = ms.Run.load(folder).summary().markouts[0]
    assert shortest.horizon == 100_000_000
    assert shortest.reason is None
    assert shortest.mean_bps is not None
    shutil.copyfile(ms.sample("btcusdt", hours=0.1, seed=3).paths[0], place)
    # The same rows are in the catalog still.
    assert ms.Run.load(folder).summary().markouts[0].mean_bps == shortest.mean_bps
    monkeypatch.setenv("MAINSPRING_HOME", str(tmp_path / "home"))
    assert ms.Run.load(folder).mids is None


def test_data_that_is_gone_leaves_short_markouts_undefined(
    market: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "here.mse"
    shutil.copyfile(market.paths[0], place)
    run = ms.backtest(planted.Honest(), place)
    monkeypatch.setenv("MAINSPRING_HOME", str(tmp_path / "home"))
    place.unlink()
    assert run.mids is None
    assert run.summary().markouts[0].reason is not None


def test_memory_is_bounded_by_thinning(market: Dataset) -> None:
    run = ms.backtest(planted.Honest(), market)
    paths, config = [str(path) for path in market.paths], json.dumps(run.facts.config)
    ((every, spacing),) = _core.mid_changes(paths, config, 10**6)
    assert spacing == 0
    ((thin, spacing),) = _core.mid_changes(paths, config, 50)
    assert len(thin) <= 50 < len(every)
    assert spacing > 0
    ends = (thin["time_ns"] // spacing + 1) * spacing - 1
    at = np.searchsorted(every["time_ns"], ends, side="right") - 1
    np.testing.assert_array_equal(thin["mid"], every["mid"][at])
