"""A stored run: `run.json` and `outputs.mslog` in one folder, whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import re
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
            where = final.parent
            raise StorageError(f"{where}: cannot store the run: {error.strerror}") from None
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
            _take_place(self.folder, self.final)
        except OSError as error:
            stored = StorageError(f"{self.final}: cannot store the run: {error.strerror}")
            stored.run = run  # type: ignore[attr-defined]
            raise stored from None
        run.folder = self.final
        self.folder = None

    def discard(self) -> None:
        """Removes what is not complete."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


def _entries(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else [folder]


def _take_place(folder: Path, final: Path) -> None:
    """Moves a complete folder to its place; what was there stays until the new one is."""
    old = final.with_name(f".{final.name}.{os.getpid()}.old")
    replaces = final.exists()
    if replaces:
        final.rename(old)
    try:
        folder.rename(final)
    except OSError:
        if replaces:
            old.rename(final)
        raise
    shutil.rmtree(old, ignore_errors=True)


_SEAL = re.compile(rb'"seal": "([0-9a-f]{64})"')
_NO_SEAL = "0" * 64


def write_facts(folder: Path, facts: dict[str, Any]) -> None:
    """Writes `run.json`, with a hash of itself in it (taken with zeros in its place)."""
    sealed = {**facts, "seal": _NO_SEAL}
    text = json.dumps(sealed, indent=2, sort_keys=True) + "\n"
    seal = hashlib.sha256(text.encode()).hexdigest()
    with (folder / FACTS_NAME).open("w", encoding="utf-8") as file:
        file.write(text.replace(f'"seal": "{_NO_SEAL}"', f'"seal": "{seal}"'))
        file.flush()
        os.fsync(file.fileno())


def read_facts(path: Path, content: bytes) -> dict[str, Any]:
    """The facts in the bytes of `run.json`, checked against their seal.

    Raises:
        DataError: it is damaged or was changed.
    """
    try:
        facts = json.loads(content)
    except ValueError as error:
        raise DataError(f"{path} is damaged: {error}") from None
    if not isinstance(facts, dict):
        raise DataError(f"{path} is damaged: it is no JSON object")
    seals = _SEAL.findall(content)
    blank = _SEAL.sub(f'"seal": "{_NO_SEAL}"'.encode(), content)
    if "seal" in facts and seals != [hashlib.sha256(blank).hexdigest().encode()]:
        raise DataError(f"{path} is damaged or was changed: it does not match its own hash")
    return facts


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
        _take_place(partial.folder, partial.final)
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
        content = (folder / FACTS_NAME).read_bytes()
        log = (folder / LOG_NAME).read_bytes()
    except FileNotFoundError:
        raise NotFoundError(f"{folder} holds no stored run ({FACTS_NAME} and {LOG_NAME})") from None
    except OSError as error:
        raise StorageError(f"{folder}: {error.strerror}") from None
    return read_facts(folder / FACTS_NAME, content), log
