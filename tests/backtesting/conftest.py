"""Short generated markets and stored runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import mainspring as ms
import planted
import pytest
from mainspring.data.dataset import Dataset


@pytest.fixture(scope="session")
def market() -> Dataset:
    """Six minutes of one market."""
    return ms.sample("btcusdt", hours=0.1)


@pytest.fixture
def stored(market: Dataset, tmp_path: Path) -> Callable[..., Path]:
    """Makes a stored run of an honest strategy and returns its folder."""

    def make(name: str = "run", **parameters: object) -> Path:
        run = ms.backtest(planted.Honest(**parameters), market, out=tmp_path / name)
        assert run.folder == tmp_path / name
        return run.folder

    return make
