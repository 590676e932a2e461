"""Generated markets: data to learn and test with, without a network.

The generator is `crates/sim/src/flow`; docs/explanation/sample-data.md shows what it resembles and
where it does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mainspring import _core
from mainspring.data.home import data_home
from mainspring.errors import InvalidValue, NotFoundError

if TYPE_CHECKING:
    from mainspring.data.dataset import Dataset


def sample(
    name: str | Sequence[str] = "btcusdt",
    *,
    hours: float = 1.0,
    seed: int = 1,
    l3: bool = False,
) -> Dataset:
    """A generated market as a data set, made on first use and kept under the data home.

    The same arguments give the same rows, bit for bit, on every machine.

    Args:
        name: `btcusdt` (spread of one tick, about 19 depth messages and 4 trades a second),
            `ethusdt`, or `altusdt` (wide spread, thin book); several, as a list or joined by `+`,
            share a price factor and are received over one connection.
        hours: length, up to 744; an hour of btcusdt is about 170,000 rows.
        seed: everything random follows from it.
        l3: every order instead of level changes and trades.

    Raises:
        InvalidValue: a length or seed that cannot be used, or a market named twice.
        NotFoundError: no market of that name.
    """
    names = name.split("+") if isinstance(name, str) else list(name)
    if not 0 <= seed < 1 << 64:
        raise InvalidValue(f"seed {seed}: give a whole number from 0 to 2**64 - 1")
    path = sample_path(names, hours=hours, seed=seed, l3=l3)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _core.generate_flow(path, names, float(hours), seed, l3)
    from mainspring.data.dataset import Dataset

    return Dataset.open(path)


def sample_names() -> list[str]:
    """The markets that `sample` can generate."""
    return _core.flow_markets()


def sample_path(names: Sequence[str], *, hours: float, seed: int, l3: bool) -> Path:
    """Where a sample is kept: its name says all that its content follows from.

    Raises:
        NotFoundError: no market of that name.
    """
    unknown = [name for name in names if name not in sample_names()]
    if unknown or not names:
        known = ", ".join(sample_names())
        raise NotFoundError(f"no sample market {', '.join(unknown)!r}; there are {known}")
    stem = "+".join(names) + f"-{float(hours)!r}h-seed{seed}" + ("-l3" if l3 else "")
    return data_home() / "samples" / f"{stem}-v{_core.flow_version()}.mse"
