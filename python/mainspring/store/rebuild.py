"""The store made anew from a journal, in one go."""

from __future__ import annotations

import os
from collections.abc import Callable
from os import PathLike
from pathlib import Path

from mainspring.errors import StorageError
from mainspring.events.sources import Source
from mainspring.store.writer import StoreWriter

REBUILD_BATCH = 20_000


def rebuild(
    source: Source,
    path: str | PathLike[str],
    *,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> int:
    """Writes the store of what the source has now into `path`, in place of what is there.

    The old one stays until the new one is whole. Returns the sequence of its last record.

    Raises:
        StorageError: it cannot be written.
    """
    target = Path(path)
    made = target.with_name(f".{target.name}.{os.getpid()}.new")
    newest = source.newest
    try:
        _remove(made)
        with StoreWriter(source, made, batch=REBUILD_BATCH, flush_every_s=0.01) as writer:
            while not writer.wait(newest, timeout_s=0.2):
                if writer.last_error is not None:
                    raise StorageError(f"{made}: {writer.last_error}")
                progress(writer.written, newest)
        progress(newest, newest)
        _remove(target)
        made.replace(target)
    finally:
        _remove(made)
    return newest


def _remove(path: Path) -> None:
    """Removes a database with its write-ahead log."""
    for one in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        one.unlink(missing_ok=True)
