"""A short soak; `make soak` runs it for an hour."""

from __future__ import annotations

import os
import sys

import pytest
from soak import soak

MINUTES = float(os.environ.get("MAINSPRING_SOAK_MINUTES", "1.5"))
WARM_UP_MIB, MIB_AN_HOUR = 8.0, 8.0
"""What a session may take while it gets going, and beyond that."""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_a_long_session_under_faults_keeps_memory_and_books() -> None:
    report = soak(MINUTES)
    print(report)
    assert report.outcome is None
    assert report.mismatches == []
    assert report.replay_differences == 0
    assert report.replayed > 0
    assert report.fills > 0
    assert sum(report.faults.values()) >= MINUTES
    assert report.growth_mib() < WARM_UP_MIB + MIB_AN_HOUR * MINUTES / 60
