"""Finds market data by what a person writes: a file, a catalog name, or `sample:NAME`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mainspring.errors import NotFoundError

SAMPLE = "sample:"


def open_all(specs: Sequence[str]) -> list[Any]:
    """The data sets that `specs` name.

    Raises:
        NotFoundError: nothing is named, or a name is neither a file nor in the catalog.
    """
    if not specs:
        raise NotFoundError(
            "no data given: --data FILE, a name from `mainspring data ls`, or sample:btcusdt"
        )
    return [open_one(spec) for spec in specs]


def open_one(spec: str) -> Any:
    """The data set that `spec` names.

    Raises:
        NotFoundError: it is neither a file nor in the catalog.
    """
    import mainspring as ms

    if spec.startswith(SAMPLE):
        return ms.sample(spec.removeprefix(SAMPLE))
    path = Path(spec)
    if path.exists():
        return ms.data.open(path)
    return ms.data.Catalog().open(spec)
