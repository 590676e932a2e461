"""Shared runs and the browser."""

from __future__ import annotations

import os

import chromium
import pytest
from synthetic_run import SyntheticRun, make_run


@pytest.fixture(scope="session")
def run() -> SyntheticRun:
    """Six hours of a market maker."""
    return make_run()


@pytest.fixture(scope="session")
def browser_binary() -> str:
    """A Chromium, or a skip that says so."""
    binary = chromium.find()
    if binary is None:
        reason = "no Chromium found (apt-get install chromium, or set MAINSPRING_CHROMIUM)"
        if os.environ.get("MAINSPRING_REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return binary
