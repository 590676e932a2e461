"""Finds market data by what a person writes: a file, a catalog name, or a generated sample.

A sample is `sample:NAME`, with options after commas: `sample:btcusdt,hours=0.5,seed=3`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mainspring.errors import InvalidValue, NotFoundError

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
        name, options = sample_of(spec)
        return ms.sample(name, **options)
    path = Path(spec)
    if path.exists():
        return ms.data.open(path)
    if path.suffix:
        raise NotFoundError(f"{spec}: no such file; `mainspring data ls` lists the catalog")
    return ms.data.Catalog().open(spec)


def sample_of(spec: str) -> tuple[str, dict[str, Any]]:
    """The name and the options of `sample:NAME,option=value`.

    Raises:
        InvalidValue: an option that samples do not have, or a value of the wrong type.
    """
    name, *words = spec.removeprefix(SAMPLE).split(",")
    options: dict[str, Any] = {}
    for word in words:
        key, _, text = word.partition("=")
        if key not in _SAMPLE_OPTIONS:
            known = ", ".join(_SAMPLE_OPTIONS)
            raise InvalidValue(f"{spec}: no option {key!r} of a sample; there are {known}")
        try:
            options[key] = _SAMPLE_OPTIONS[key](text)
        except ValueError:
            raise InvalidValue(f"{spec}: {key} cannot be {text!r}") from None
    return name, options


_SAMPLE_OPTIONS: dict[str, Callable[[str], Any]] = {
    "hours": float,
    "seed": int,
    "l3": lambda text: text.lower() in ("", "true", "yes", "1"),
}
