"""Generated flow to trade in: agents on the matching engine, and our orders among theirs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mainspring import _core
from mainspring.data.sample import sample_names
from mainspring.errors import InvalidValue, NotFoundError


@dataclass(frozen=True, slots=True)
class Flow:
    """Data of a backtest that answers: see `flow`.

    Attributes:
        markets: names of sample markets.
        hours: length.
        seed: everything random follows from it.
    """

    markets: tuple[str, ...]
    hours: float = 1.0
    seed: int = 1

    def to_engine(self) -> dict[str, Any]:
        """The engine's form; it names the generator's version, so that a run is what it was."""
        return {
            "markets": list(self.markets),
            "hours": self.hours,
            "seed": self.seed,
            "version": _core.flow_version(),
        }

    def settlement(self) -> str:
        """The settlement currency of the first market."""
        instrument = json.loads(_core.flow_instruments(list(self.markets)))[0]
        return str(instrument["quote"])


def flow(name: str | Sequence[str] = "btcusdt", *, hours: float = 1.0, seed: int = 1) -> Flow:
    """A generated market to trade in, as the data of `ms.backtest`.

    `ms.sample` writes down what agents do among themselves. Here they trade on the matching engine
    with us: our quotes are in the book that they look at, their takers meet us in price-time
    priority, and what we take moves the price that they trade around. The same arguments, strategy
    and settings give the same run, bit for bit.

    Args:
        name: a market of `ms.sample`, or several, as a list or joined by ``+``.
        hours: length, up to 744.
        seed: everything random follows from it.

    Raises:
        InvalidValue: a length or seed that cannot be used, or a market named twice.
        NotFoundError: no market of that name.
    """
    names = tuple(name.split("+") if isinstance(name, str) else name)
    unknown = [one for one in names if one not in sample_names()]
    if unknown or not names:
        known = ", ".join(sample_names())
        raise NotFoundError(f"no generated market {', '.join(unknown)!r}; there are {known}")
    if len(set(names)) < len(names):
        raise InvalidValue("a generated market is named twice")
    if not 0 < hours <= 744:
        raise InvalidValue(f"a flow of {hours} hours: give more than 0 and at most 744")
    if not 0 <= seed < 1 << 64:
        raise InvalidValue(f"seed {seed}: give a whole number from 0 to 2**64 - 1")
    return Flow(names, float(hours), seed)
