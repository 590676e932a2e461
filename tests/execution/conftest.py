"""Generated markets: one venue, and two that trade the same thing."""

from __future__ import annotations

import mainspring as ms
import pytest
from mainspring.data.dataset import Dataset
from mainspring.data.instruments import Instrument


@pytest.fixture(scope="session")
def market() -> Dataset:
    """Twelve minutes of one market."""
    return ms.sample("btcusdt", hours=0.2)


@pytest.fixture(scope="session")
def two_venues(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Six minutes of one market on two venues; the second follows the first 200 ms later and counts
    in coarser ticks and finer lots."""
    first = ms.sample("btcusdt", hours=0.1)
    rows = first.read().to_numpy()
    for name in ("recv_ns", "exch_ns"):
        rows[name] = rows[name] + 200_000_000
    definition = first.instruments[0].to_dict() | {"venue": "other", "lot": "0.0001"}
    path = tmp_path_factory.mktemp("venues") / "other.mse"
    other = ms.data.from_frame(rows, Instrument.from_dict(definition), kind="rows", out=path)
    return Dataset([*first.files, *other.files])
