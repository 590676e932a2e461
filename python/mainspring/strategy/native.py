"""Strategies that ship with the engine: compiled, configured from Python."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from typing import Any, ClassVar, Self

from mainspring.errors import ConfigError
from mainspring.strategy.time_text import duration_ns

Number = str | int | float | Decimal


@dataclass(frozen=True, kw_only=True)
class Native:
    """A native strategy. `every` and `on` say when it is called, as for `ms.Strategy`."""

    kind: ClassVar[str]
    decimals: ClassVar[tuple[str, ...]] = ("size", "max_position")

    every: str | int | None = field(default=None, metadata={"setting": True})
    on: str | None = field(default=None, metadata={"setting": True})

    @property
    def name(self) -> str:
        """The name that results carry."""
        return self.kind

    @property
    def trigger(self) -> str:
        """When it is called, as the engine is told."""
        if self.every is not None and self.on is not None:
            raise ConfigError(f"{self.kind}: give either every= or on=, not both")
        return self.on or "message" if self.every is None else f"every:{duration_ns(self.every)}"

    @property
    def parameter_values(self) -> dict[str, Any]:
        """The parameters as the engine is told."""
        values = {
            f.name: getattr(self, f.name) for f in fields(self) if "setting" not in f.metadata
        }
        return {k: str(v) if k in self.decimals else v for k, v in values.items()}

    def with_parameters(self, values: Mapping[str, Any]) -> Self:
        """The same with other values of some parameters.

        Raises:
            ConfigError: There is no such parameter.
        """
        unknown = [name for name in values if name not in self.parameter_values]
        if unknown:
            known = ", ".join(self.parameter_values) or "none"
            raise ConfigError(f"{self.kind} has no parameter {unknown[0]!r}; it has {known}")
        return replace(self, **values)

    def told_parameters(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Some parameters as the engine is told.

        Raises:
            ConfigError: There is no such parameter.
        """
        all_values = self.with_parameters(values).parameter_values
        return {name: all_values[name] for name in values}

    def to_engine(self) -> str:
        """The engine's form."""
        return json.dumps({"kind": self.kind, **self.parameter_values})


@dataclass(frozen=True, kw_only=True)
class Noop(Native):
    """Does nothing, or only reads the best prices: what the engine itself costs."""

    kind: ClassVar[str] = "noop"
    read: bool = False


@dataclass(frozen=True, kw_only=True)
class Account(Native):
    """Owns orders and fills that were not placed by a session, and does nothing by itself."""

    kind: ClassVar[str] = "account"


@dataclass(frozen=True, kw_only=True)
class TouchMaker(Native):
    """Joins both touches with `size` while the position is within `max_position`."""

    kind: ClassVar[str] = "touch_maker"
    size: Number
    max_position: Number


@dataclass(frozen=True, kw_only=True)
class AvellanedaStoikov(Native):
    """The quotes of Avellaneda and Stoikov (2008) around the mid, horizon always `horizon_s` ahead.

    `gamma` is risk aversion per quote currency, `sigma` price per square root of a second, `k` the
    decay of the fill intensity per price; inventory counts in multiples of `size`.
    """

    kind: ClassVar[str] = "avellaneda_stoikov"
    size: Number
    max_position: Number
    gamma: float
    sigma: float
    k: float
    horizon_s: float


@dataclass(frozen=True, kw_only=True)
class LossHedge(Native):
    """Hedges what is held at a venue that cannot be reached at another one, until it is back.

    `mainspring.live.Hedge` sets it up. `pairs` name what is `lost` and what it is hedged `on`, as
    `VENUE:SYMBOL`; `slice` is the most of one order in base currency, 0 for any; `size_bps` the
    share of quantities that the session carries out: the hedge is whole all the same.
    """

    kind: ClassVar[str] = "loss_hedge"
    decimals: ClassVar[tuple[str, ...]] = ("slice",)
    pairs: Sequence[Mapping[str, str]]
    after_ms: int = 5_000
    slice: Number = 0
    size_bps: int = 10_000


@dataclass(frozen=True, kw_only=True)
class Glft(Native):
    """The closed-form quotes of Gueant, Lehalle and Fernandez-Tapia (2013) around the mid.

    Units as in `AvellanedaStoikov`; `a` is the fill intensity at distance zero, per second. Further
    levels lie `spacing_ticks` behind each other.
    """

    kind: ClassVar[str] = "glft"
    size: Number
    max_position: Number
    gamma: float
    sigma: float
    a: float
    k: float
    levels: int = 1
    spacing_ticks: int = 1


GlftMarketMaker = Glft


@dataclass(frozen=True, kw_only=True)
class Imbalance(Native):
    """Bids at the touch while imbalance is above `threshold`, offers while below minus it."""

    kind: ClassVar[str] = "imbalance"
    size: Number
    max_position: Number
    threshold: float = 0.3


@dataclass(frozen=True, kw_only=True)
class Grid(Native):
    """Quotes `levels` a side on multiples of `spacing_ticks` around the touch."""

    kind: ClassVar[str] = "grid"
    size: Number
    max_position: Number
    levels: int = 5
    spacing_ticks: int = 10


@dataclass(frozen=True, kw_only=True)
class MovingAverageCross(Native):
    """Long `size` while the fast average of bar closes is above the slow one, short below."""

    kind: ClassVar[str] = "moving_average_cross"
    decimals: ClassVar[tuple[str, ...]] = ("size",)
    size: Number
    fast: int = 20
    slow: int = 100
