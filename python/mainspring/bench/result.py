"""One measured figure and where it was measured."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

RATE_UNITS = {"rows/s", "bytes/s"}
"""Units in which more is better; in all others less is."""


@dataclass(frozen=True)
class Measurement:
    """A figure of ours, and the same of a peer where there is one.

    Attributes:
        name: the benchmark.
        metric: the figure, such as `rows_per_s`.
        unit: its unit.
        value: the median over repeats.
        peer: whom it is compared with, or `floor` for the same elementary work in a tight loop.
        peer_value: the peer's median, None where it is not installed.
        versions: of what took part.
    """

    name: str
    metric: str
    unit: str
    value: float
    peer: str | None = None
    peer_value: float | None = None
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        """Our speed over the peer's: above 1 we are faster."""
        if not self.peer_value or min(self.peer_value, self.value) <= 0:
            return None
        faster = self.value / self.peer_value
        return faster if self.unit in RATE_UNITS else 1 / faster

    def document(self) -> dict[str, Any]:
        """The figure as one JSON object."""
        ratio = self.ratio
        return {
            "name": self.name,
            "metric": self.metric,
            "unit": self.unit,
            "value": rounded(self.value),
            "peer": self.peer,
            "peer_value": None if self.peer_value is None else rounded(self.peer_value),
            "ratio": None if ratio is None else rounded(ratio),
            "machine": machine(),
            "versions": {**own_versions(), **self.versions},
        }


def rounded(value: float, digits: int = 4) -> float:
    """`value` with so many significant digits."""
    return float(f"{value:.{digits}g}") if abs(value) < 10**digits else float(round(value))


@lru_cache(maxsize=1)
def machine() -> str:
    """The processor, its cores that we may use, and the memory."""
    names = [
        line.split(":", 1)[1].strip()
        for line in _lines("/proc/cpuinfo")
        if line.startswith("model name")
    ]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = [line.split()[1] for line in _lines("/proc/meminfo") if line.startswith("MemTotal")]
    size = f", {int(memory[0]) / 2**20:.0f} GiB" if memory else ""
    return f"{names[0] if names else platform.machine()}, {cores} cores{size}"


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


@lru_cache(maxsize=1)
def own_versions() -> dict[str, str]:
    """Of Mainspring and Python."""
    try:
        own = version("mainspring")
    except PackageNotFoundError:
        from mainspring import __version__ as own
    return {"mainspring": own, "python": platform.python_version()}
