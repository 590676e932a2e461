"""What all tests share: generated data is kept in pytest's cache, not in the user's data folder."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, settings

# Machines are shared: how long an example takes says nothing about the code. The same commit tries
# the same examples wherever it is tested; `make test-long` searches anew each time.
SLOW = [HealthCheck.too_slow]
settings.register_profile("mainspring", deadline=None, derandomize=True, suppress_health_check=SLOW)
settings.register_profile("search", deadline=None, suppress_health_check=SLOW)
settings.load_profile("search" if os.environ.get("MAINSPRING_SEARCH") else "mainspring")


# A shell that starts the tests in the background has Ctrl-C ignored, here and in every process that
# tests start. Tests that press it need it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    """Points data sets at the cache, for this process and those it starts."""
    cache = getattr(config, "cache", None)  # absent with `-p no:cacheprovider`
    if cache is not None:
        folder = cache.mkdir("mainspring-data")
        os.environ.setdefault("MAINSPRING_HOME", str(folder))


@pytest.fixture
def awaited() -> Callable[..., str]:
    """Reads what a process says until it is what a test waits for."""

    def read(
        child: subprocess.Popen[str], is_it: Callable[[str], bool], seconds: float = 60.0
    ) -> str:
        # A process that does not say it, or nothing, is ended: no test hangs.
        bound = threading.Timer(seconds, child.kill)
        bound.start()
        last = "nothing"
        try:
            assert child.stdout is not None
            for last in child.stdout:
                if is_it(last):
                    return last
        finally:
            bound.cancel()
        raise AssertionError(f"not said within {seconds} s; the last was {last}")

    return read
