"""Finds the inputs of a stored run again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mainspring import _core
from mainspring.data.catalog import Catalog
from mainspring.errors import MainspringError, NotFoundError


@dataclass(frozen=True, slots=True)
class Input:
    """One event file of a stored run, as it is now.

    Attributes:
        path: where it is.
        hash: its content hash now.
        noted: its content hash when the run was made.
    """

    path: Path
    hash: str
    noted: str

    @property
    def changed(self) -> bool:
        """Whether it holds other rows than then."""
        return self.hash != self.noted


def find_inputs(data: Sequence[Mapping[str, Any]]) -> list[Input]:
    """The files of `Run.data`: where they were, or else by content hash in the catalog.

    A file whose rows have changed is returned as such only where the catalog does not have the
    rows of the run.

    Raises:
        NotFoundError: a file is neither where it was nor in the catalog.
        DataError, StorageError: a file is damaged or unreadable.
    """
    return [_find(one) for one in data]


def _find(facts: Mapping[str, Any]) -> Input:
    path, noted = Path(facts["path"]), str(facts["hash"])
    there = content_hash(path) if path.exists() else None
    if there == noted:
        return Input(path, noted, noted)
    moved = _in_catalog(noted)
    if moved is not None:
        return Input(moved, noted, noted)
    if there is not None:
        return Input(path, there, noted)
    raise NotFoundError(
        f"{path}, which the run was over, is gone, and {Catalog().root} has no data set of content "
        f"hash {noted[:12]}; give the data anew"
    )


def content_hash(path: Path) -> str:
    """The hash of what the rows of an event file say."""
    return str(json.loads(_core.file_facts(str(path)))["hash"])


def _in_catalog(wanted: str) -> Path | None:
    try:
        entries = Catalog().ls()
    except (MainspringError, OSError):
        return None
    return next((entry.path for entry in entries if entry.hash == wanted), None)
