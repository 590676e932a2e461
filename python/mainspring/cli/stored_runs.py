"""Finds stored runs by folder, by name under `runs/`, or the latest one."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from mainspring.backtesting.storage import FACTS_NAME
from mainspring.errors import NotFoundError, StorageError

if TYPE_CHECKING:
    from mainspring import Run

RUNS = Path("runs")
LATEST = "latest"
HASH_DIGITS = 8
"""Digits of the hash in the name of a run."""


def find(name: str) -> Path:
    """The folder of the run `name`: a path, a name or its beginning under `runs/`, or `latest`.

    Raises:
        NotFoundError: there is none, or the beginning fits several.
    """
    if Path(name).is_dir():
        return Path(name)
    stored = _stored()
    if name == LATEST and stored:
        return stored[-1]
    fitting = [run for run in stored if run.name.startswith(name)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise NotFoundError(f"{name!r} fits {', '.join(run.name for run in fitting)}; write more")
    there = f"; there is {', '.join(run.name for run in stored[-5:])}" if stored else ""
    raise NotFoundError(f"no run {name!r}, neither a folder nor under {RUNS}/{there}")


def load(name: str) -> Run:
    """The run that `name` finds."""
    import mainspring as ms

    return ms.Run.load(find(name))


def pending(out: Path) -> Path:
    """Where a run is written until its hash, and with it its name, is known."""
    return out / f".pending-{os.getpid()}"


def settle(run: Run, out: Path) -> Path:
    """Moves a run that was written to `pending(out)` to the folder of its name.

    The name is the strategies and the beginning of the hash: the same run again takes its place.

    Raises:
        StorageError: the folder cannot be moved.
    """
    strategies = "+".join(re.sub(r"\W+", "-", name).lower() for name in run.strategies)
    folder = out / f"{strategies}-{run.hash[:HASH_DIGITS]}"
    try:
        if folder.exists():
            shutil.rmtree(folder)
        pending(out).rename(folder)
    except OSError as error:
        raise StorageError(f"{folder}: cannot store the run: {error.strerror}") from None
    run.folder = folder
    return folder


def _stored() -> list[Path]:
    """The runs under `runs/`, the oldest first."""
    if not RUNS.is_dir():
        return []
    found = [path for path in RUNS.iterdir() if (path / FACTS_NAME).is_file()]
    return sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name))
