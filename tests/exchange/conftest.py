"""What every test of the served exchange has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from mainspring.exchange import VenueServer
from sessions_on_dialects import serve


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Looks, keys and records of a test stay in its own folder."""
    monkeypatch.setenv("MAINSPRING_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def server(venue: str, request: pytest.FixtureRequest) -> Iterator[VenueServer]:
    """The dialect of the test's venue, its market as fast as the module says (`SPEED`)."""
    with serve(venue, speed=getattr(request.module, "SPEED", 1.0)) as server:
        yield server
