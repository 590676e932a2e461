"""What is wrong with data, and what can be done about its clock."""

from __future__ import annotations

import json
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from mainspring import _core


@dataclass(frozen=True)
class CheckReport:
    """What a check of one event file found.

    Attributes:
        path: the file.
        findings: severity (`error`, `warning`, `note`), code, instrument, count and message of
            each, the worst first.
        counts: everything that was counted; per instrument under `instruments` or `bars`.
        text: all of it for people.
    """

    path: Path
    findings: list[dict[str, Any]]
    counts: dict[str, Any]
    text: str

    @property
    def is_clean(self) -> bool:
        """Whether nothing worse than a note was found."""
        return all(finding["severity"] == "note" for finding in self.findings)

    @property
    def worst(self) -> str | None:
        """The worst severity found: `error`, `warning`, `note` or None."""
        return self.findings[0]["severity"] if self.findings else None

    def __str__(self) -> str:
        return self.text


def check(path: str | PathLike[str]) -> CheckReport:
    """Checks an event file: checksums, gaps, crossed books, order, duplicates, grid, clocks.

    Raises:
        NotFoundError, StorageError, DataError: the file is missing, unreadable or damaged.
    """
    counts, text = _core.check_event_file(Path(path))
    report = json.loads(counts)
    return CheckReport(Path(path), report.pop("findings"), report, text)


def correct_clock(
    path: str | PathLike[str], out: str | PathLike[str], *, base_latency_ns: int = 0
) -> dict[str, Any]:
    """Copies an event file with its receive clock corrected.

    Every receive time is moved by one constant, so that the fastest row has `base_latency_ns`
    (nothing is received before it happened). The copy says so in its provenance.

    Returns:
        `offset_ns` that was added, smallest and largest latency before (ns), the drift between the
        smallest latencies of windows (ns), and the number of rows that were early.

    Raises:
        NotFoundError, StorageError, DataError: the file cannot be read, or holds bars.
    """
    report: dict[str, Any] = json.loads(
        _core.correct_clock(Path(path), Path(out), base_latency_ns=base_latency_ns)
    )
    return report
