"""Journals to make stores of: by hand in memory, and of simulated sessions on disk."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "events"))  # session_records


@pytest.fixture(scope="session")
def simulated_journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The journal of a simulated session: fills, refusals, disconnects, restarts, a kill."""
    from mainspring.simulation import write_journal

    folder = tmp_path_factory.mktemp("simulated") / "journal"
    assert write_journal(folder, 10, steps=600) > 5_000
    return folder
