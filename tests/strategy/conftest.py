"""A short generated market, and a place of its own for machine code."""

from __future__ import annotations

from collections.abc import Iterator

import mainspring as ms
import pytest
from mainspring.data.dataset import Dataset


@pytest.fixture(scope="session", autouse=True)
def machine_code(request: pytest.FixtureRequest) -> Iterator[None]:
    """Compiled strategies are kept in pytest's cache, not in the user's."""
    cache = getattr(request.config, "cache", None)
    with pytest.MonkeyPatch.context() as patch:
        if cache is not None:
            patch.setenv("NUMBA_CACHE_DIR", str(cache.mkdir("mainspring-machine-code")))
        yield


@pytest.fixture(scope="session")
def market() -> Dataset:
    """Six minutes of one market."""
    return ms.sample("btcusdt", hours=0.1)


@pytest.fixture(scope="session")
def two_markets() -> Dataset:
    """Three minutes of two markets."""
    return ms.sample("btcusdt+ethusdt", hours=0.05)
