"""What every test of the served exchange has."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Looks, keys and records of a test stay in its own folder."""
    monkeypatch.setenv("MAINSPRING_HOME", str(tmp_path / "home"))
    return tmp_path / "home"
