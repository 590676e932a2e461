"""A stored run: `run.json` and `outputs.mslog` in one folder, whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainspring.errors import DataError, NotFoundError, StorageError

if TYPE_CHECKING:
    from mainspring.backtesting.run import Run

FACTS_NAME = "run.json"
LOG_NAME = "outputs.mslog"


@dataclass(slots=True)
class PartialRun:
    """A folder under another name until the run is complete; nothing for a run in memory."""

    folder: Path | None
    final: Path | None

    @classmethod
    def create(cls, out: str | Path | None) -> PartialRun:
        """Makes the folder beside its final place.

        Raises:
            StorageError: When it cannot be made, or the final place is taken by something else.
        """
        if out is None:
            return cls(None, None)
        final = Path(out)
        if final.exists() and not (final / FACTS_NAME).exists() and any(_entries(final)):
            raise StorageError(f"{final} exists and is no stored run; choose another folder")
        folder = final.with_name(f".{final.name}.{os.getpid()}.partial")
        try:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        except OSError as error:
            raise StorageError(f"{folder}: cannot store the run: {error.strerror}") from None
        return cls(folder, final)

    @property
    def log_path(self) -> str | None:
        """Where the log is written, or None to keep it in memory."""
        return None if self.folder is None else str(self.folder / LOG_NAME)

    def finish(self, run: Run) -> None:
        """Writes the facts and moves the folder to its place.

        Raises:
            StorageError: When the disk is full or the folder cannot be moved.
        """
        if self.folder is None or self.final is None:
            return
        try:
            write_facts(self.folder, run.facts.to_dict())
            if self.final.exists():
                shutil.rmtree(self.final)
            self.folder.rename(self.final)
        except OSError as error:
            raise StorageError(f"{self.final}: cannot store the run: {error.strerror}") from None
        run.folder = self.final
        self.folder = None

    def discard(self) -> None:
        """Removes what is not complete."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


def _entries(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else [folder]


def write_facts(folder: Path, facts: dict[str, Any]) -> None:
    """Writes `run.json`."""
    text = json.dumps(facts, indent=2, sort_keys=True) + "\n"
    with (folder / FACTS_NAME).open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def write_run(folder: Path, facts: dict[str, Any], log: bytes) -> None:
    """Stores a run that was kept in memory, whole or not at all.

    Raises:
        StorageError: When it cannot be written.
    """
    partial = PartialRun.create(folder)
    if partial.folder is None or partial.final is None:
        raise StorageError("no folder to store the run in")
    try:
        (partial.folder / LOG_NAME).write_bytes(log)
        write_facts(partial.folder, facts)
        if partial.final.exists():
            shutil.rmtree(partial.final)
        partial.folder.rename(partial.final)
        partial.folder = None
    except OSError as error:
        raise StorageError(f"{folder}: cannot store the run: {error.strerror}") from None
    finally:
        partial.discard()


def read_run(folder: str | Path) -> tuple[dict[str, Any], bytes]:
    """The facts and the log of a stored run.

    Raises:
        NotFoundError: When there is no stored run in the folder.
        DataError: When it is damaged.
    """
    folder = Path(folder)
    try:
        text = (folder / FACTS_NAME).read_text(encoding="utf-8")
        log = (folder / LOG_NAME).read_bytes()
    except FileNotFoundError:
        raise NotFoundError(f"{folder} holds no stored run ({FACTS_NAME} and {LOG_NAME})") from None
    except OSError as error:
        raise StorageError(f"{folder}: {error.strerror}") from None
    try:
        facts = json.loads(text)
    except ValueError as error:
        raise DataError(f"{folder / FACTS_NAME} is damaged: {error}") from None
    return facts, log
