"""Taking turns, and timing whole processes."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence

from mainspring.errors import MainspringError

PROCESS_LIMIT_S = 1800
"""A side that takes longer is stopped."""


class BenchmarkFailed(MainspringError):  # noqa: N818 - says what happened
    """A side of a benchmark did not finish, or did other work than it should."""


def in_turn(
    sides: Mapping[str, Callable[[], float]], repeats: int, *, warm_ups: int = 1
) -> dict[str, float]:
    """The median of each side's figure; the sides run in turn, `repeats` times.

    Args:
        sides: by name, what runs the side once and returns its figure.
        repeats: how often each side counts.
        warm_ups: how often each runs before that, not counted.
    """
    figures: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(warm_ups + repeats):
        for name, run in sides.items():
            figure = run()
            if turn >= warm_ups:
                figures[name].append(figure)
    return {name: statistics.median(values) for name, values in figures.items()}


def process(command: Sequence[str], *, env: Mapping[str, str] | None = None) -> tuple[float, str]:
    """Runs a command and returns its wall seconds, start to exit, and what it printed.

    Raises:
        BenchmarkFailed: it failed, or took longer than `PROCESS_LIMIT_S`.
    """
    begin = time.perf_counter()
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            env=env,
            timeout=PROCESS_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise BenchmarkFailed(f"{command[0]} took more than {PROCESS_LIMIT_S} s") from late
    seconds = time.perf_counter() - begin
    if done.returncode != 0:
        tail = "\n".join(done.stderr.strip().splitlines()[-3:])
        raise BenchmarkFailed(f"{' '.join(command)} exited with {done.returncode}: {tail}")
    return seconds, done.stdout
