"""Plans of parent orders: what to work, over what time, and how its children trade."""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar, Literal

from mainspring import _core
from mainspring.errors import ConfigError
from mainspring.execution.costs import almgren_chriss_trajectory
from mainspring.execution.volume import VolumeCurve
from mainspring.strategy.parameters import Price, Qty
from mainspring.strategy.time_text import duration_ns

Side = Literal["buy", "sell"]
Style = Literal["take", "join", "join_then_take"]
CatchUp = Literal["next", "spread", "leave"]
AtEnd = Literal["cancel", "cross"]

_MAX_WEIGHT = 1 << 62
"""Weights are whole numbers of at most this."""


@dataclass(frozen=True, kw_only=True)
class _Options:
    """What every plan can be told."""

    limit: str | float | None = None
    style: Style = "take"
    sweep_ticks: int = 0
    max_participation: float | None = None
    own_volume_counts: bool = False
    min_child: str | float = 0.0
    max_child: str | float | None = None
    catch_up: CatchUp = "next"
    at_end: AtEnd = "cancel"
    retry: str | int = "250ms"
    reprice: str | int = "1s"
    max_refusals: int = 8
    reduce_only: bool = False


@dataclass(frozen=True)
class Plan(_Options, ABC):
    """A quantity to be worked over time; the base of every algorithm.

    Args:
        side: ``"buy"`` or ``"sell"``.
        qty: quantity in units of base (or contracts), rounded down to the lot.
        limit: the worst price of any child; while the market is beyond it nothing is traded.
        style: how children trade. ``"take"``: immediate-or-cancel at the other side's best price.
            ``"join"``: post-only at the own side's best price, moved when that improves.
            ``"join_then_take"``: joined within a slice; what a slice leaves is taken with the next.
        sweep_ticks: how far beyond the other side's best a child that takes may reach.
        max_participation: the most of the market's volume since the start that may have been traded
            at any moment, between 0 and 1.
        own_volume_counts: whether our own volume is part of the volume that rates refer to.
        min_child: no child is smaller unless it is the last, nor than what the venue takes at the
            least.
        max_child: no child is larger.
        catch_up: what becomes of what a slice missed (a halt, a pause, a limit). ``"next"``: it is
            due at once. ``"spread"``: over the slices that remain, in proportion. ``"leave"``: to
            the end.
        at_end: what becomes of the rest: ``"cancel"`` it, or ``"cross"``: take it within the
            limits, for at most a minute.
        retry: wait after a child that was refused or found nothing to take; refusals in a row
            double it.
        reprice: how long a joining child stays before it may follow the price.
        max_refusals: after so many refusals in a row the order fails.
        reduce_only: children only shrink the position.

    Raises:
        ConfigError: when an argument is out of its range.
    """

    side: Side
    qty: str | float
    kind: ClassVar[str] = ""
    """The algorithm as results name it."""

    def __post_init__(self) -> None:
        if self.side not in ("buy", "sell"):
            raise ConfigError(f"{self._name}: side {self.side!r}; use 'buy' or 'sell'")
        if Qty(self.qty) <= 0.0:
            raise ConfigError(f"{self._name}: a quantity of {self.qty}; it must be positive")
        _one_of(self._name, "style", self.style, ("take", "join", "join_then_take"))
        _one_of(self._name, "catch_up", self.catch_up, ("next", "spread", "leave"))
        _one_of(self._name, "at_end", self.at_end, ("cancel", "cross"))
        if self.max_participation is not None:
            _rate(self._name, "max_participation", self.max_participation, self.own_volume_counts)

    @property
    def _name(self) -> str:
        return type(self).__name__

    @abstractmethod
    def _schedule(self, now_ns: int) -> Any:
        """How much is due when, as the engine reads it."""

    def _duration_ns(self) -> int:
        return 0

    def _style(self) -> str:
        return self.style

    def _as_json(self, now_ns: int) -> str:
        """The plan as the engine reads it, for a start at `now_ns`."""
        cap = self.max_participation
        own = self.own_volume_counts
        return json.dumps(
            {
                "kind": self.kind,
                "side": self.side,
                "qty": float(Qty(self.qty)),
                "schedule": self._schedule(now_ns),
                "duration_ns": self._duration_ns(),
                "style": self._style(),
                "limit": None if self.limit is None else float(Price(self.limit)),
                "sweep_ticks": self.sweep_ticks,
                "cap": None if cap is None else {"rate": cap, "own_counts": own},
                "min_child": float(Qty(self.min_child)),
                "max_child": 0.0 if self.max_child is None else float(Qty(self.max_child)),
                "catch_up": self.catch_up,
                "at_end": self.at_end,
                "retry_ns": duration_ns(self.retry),
                "reprice_ns": duration_ns(self.reprice),
                "max_refusals": self.max_refusals,
                "reduce_only": self.reduce_only,
            }
        )


@dataclass(frozen=True)
class _Sliced(Plan):
    """A plan over equally long slices."""

    duration: str | int = "10m"
    slices: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.slices <= 1_440:
            raise ConfigError(f"{self._name}: {self.slices} slices; take 1 to 1440")
        duration_ns(self.duration)

    def _duration_ns(self) -> int:
        return duration_ns(self.duration)


@dataclass(frozen=True)
class Twap(_Sliced):
    """Equal parts in equal times.

    After slice `k` of `n` exactly the whole lots of `qty k / n` are due, so that the error never
    reaches a lot and the children add up.

    Args:
        duration: from start to end, such as ``"10m"``.
        slices: number of parts, 1 to 1440.
    """

    kind: ClassVar[str] = "twap"

    def _schedule(self, now_ns: int) -> Any:
        return {"even": self.slices}


@dataclass(frozen=True)
class Vwap(_Sliced):
    """Parts in proportion to a volume curve, with the rounding of `Twap`.

    Args:
        curve: weights of the slices, which then need not be counted, or a `VolumeCurve` made by
            `volume_curve`, which is read for the time of day at which the order starts.
    """

    kind: ClassVar[str] = "vwap"
    curve: VolumeCurve | tuple[float, ...] | list[float] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.curve, VolumeCurve):
            whole_weights(self.curve)

    def _schedule(self, now_ns: int) -> Any:
        if isinstance(self.curve, VolumeCurve):
            weights = self.curve.weights(now_ns, self._duration_ns(), self.slices)
        else:
            weights = tuple(self.curve)
        return {"weights": whole_weights(weights)}


@dataclass(frozen=True)
class Pov(Plan):
    """A share of the market's volume.

    With others' volume `V` since the start, `rate V` is due; when the own volume counts in the
    total, `rate / (1 - rate) V`.

    Args:
        rate: between 0 and 1.
        duration: time after which the order ends; without it, it ends when it is filled.
    """

    kind: ClassVar[str] = "pov"
    rate: float = 0.1
    duration: str | int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _rate(self._name, "rate", self.rate, self.own_volume_counts)

    def _schedule(self, now_ns: int) -> Any:
        return {"volume": {"rate": self.rate, "own_counts": self.own_volume_counts}}

    def _duration_ns(self) -> int:
        return 0 if self.duration is None else duration_ns(self.duration)


@dataclass(frozen=True)
class AlmgrenChriss(_Sliced):
    """The trajectory with the least expected cost plus risk under linear impact.

    Risk is `risk_aversion` times the variance of the cost. Almgren and Chriss (2000), Optimal
    execution of portfolio transactions, eqs. 17 to 22. Time is in seconds.

    Args:
        volatility: price per square root of a second.
        temporary: price per unit traded a second.
        permanent: price per unit traded.
        half_spread: fixed cost per unit traded, in price; it does not change the trajectory.
        risk_aversion: per unit of cost; zero trades evenly.
    """

    kind: ClassVar[str] = "almgren_chriss"
    volatility: float = 0.0
    temporary: float = 1.0
    permanent: float = 0.0
    half_spread: float = 0.0
    risk_aversion: float = 0.0

    def _schedule(self, now_ns: int) -> Any:
        qty = float(Qty(self.qty))
        trajectory = almgren_chriss_trajectory(
            quantity=qty,
            horizon=self._duration_ns() / 1e9,
            slices=self.slices,
            volatility=self.volatility,
            half_spread=self.half_spread,
            permanent=self.permanent,
            temporary=self.temporary,
            risk_aversion=self.risk_aversion,
        )
        return {"shares": [1.0 - held / qty for held in trajectory.holdings[1:]]}


@dataclass(frozen=True)
class ImplementationShortfall(_Sliced):
    """A front-loaded schedule: what is left decays exponentially, and is nothing at the end.

    The optimum of Almgren and Chriss for a horizon without end, closed at the duration: after a
    time `t` of `T`, the share `(1 - exp(-k t)) / (1 - exp(-k T))` is due, with `k` the decay rate,
    ``ln 2 / half_life``.

    Args:
        half_life: time in which what is left halves; see `from_risk`.
    """

    kind: ClassVar[str] = "implementation_shortfall"
    half_life: str | int = "2m"

    @classmethod
    def from_risk(
        cls,
        side: Side,
        qty: str | float,
        *,
        risk_aversion: float,
        volatility: float,
        temporary: float,
        **options: Any,
    ) -> ImplementationShortfall:
        """With the decay rate ``sqrt(risk_aversion volatility^2 / temporary)``, per second.

        Args:
            side: ``"buy"`` or ``"sell"``.
            qty: quantity.
            risk_aversion: per unit of cost.
            volatility: price per square root of a second.
            temporary: impact, in price per unit traded a second.
            options: of the plan, such as `duration` and `slices`.
        """
        if min(risk_aversion, volatility, temporary) <= 0.0:
            raise ConfigError("risk aversion, volatility and temporary impact must be positive")
        rate = math.sqrt(risk_aversion * volatility**2 / temporary)
        half_life = max(1, round(math.log(2.0) / rate * 1e9))
        return cls(side, qty, half_life=half_life, **options)

    def __post_init__(self) -> None:
        super().__post_init__()
        duration_ns(self.half_life)

    def _schedule(self, now_ns: int) -> Any:
        urgency = math.log(2.0) * self._duration_ns() / duration_ns(self.half_life)
        return {"shares": _core.front_loaded(urgency, self.slices)}


@dataclass(frozen=True)
class Iceberg(Plan):
    """One small clip shown after another: the next comes when the one before is filled.

    With a limit each clip rests there; without one it joins the own side's best price. The clips
    are ordinary orders of the engine, for venues that have no iceberg orders of their own.

    Args:
        display: quantity of a clip.
        duration: time after which the order ends; without it, it ends when it is filled.
    """

    kind: ClassVar[str] = "iceberg"
    display: str | float = 0.0
    duration: str | int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if Qty(self.display) <= 0.0:
            raise ConfigError(f"{self._name}: clips of {self.display}; display must be positive")
        if self.max_child is not None or self.style != "take":
            raise ConfigError(f"{self._name}: clips rest and are as large as display says")

    def _schedule(self, now_ns: int) -> Any:
        return "whole"

    def _duration_ns(self) -> int:
        return 0 if self.duration is None else duration_ns(self.duration)

    def _style(self) -> str:
        return "join" if self.limit is None else "rest"

    def _as_json(self, now_ns: int) -> str:
        plan = json.loads(super()._as_json(now_ns))
        plan["max_child"] = float(Qty(self.display))
        return json.dumps(plan)


def whole_weights(weights: tuple[float, ...] | list[float]) -> list[int]:
    """Weights as whole numbers in the same proportion.

    A float counts as the shortest decimal that reads as it, so that ``[0.1, 0.2]`` is exactly one
    to two; weights of very different magnitudes are scaled to 62 bits.

    Raises:
        ConfigError: when there are none, one is negative or not finite, or all are zero.
    """
    exact = [Decimal(str(weight)) for weight in weights]
    if not exact or any(not w.is_finite() or w < 0 for w in exact) or not any(exact):
        raise ConfigError("a volume curve needs weights of zero or more, at least one above zero")
    decimals = max(0, *(-int(w.as_tuple().exponent) for w in exact), 0)
    scaled = [int(w.scaleb(decimals)) for w in exact]
    if max(scaled) > _MAX_WEIGHT:
        largest = max(exact)
        scaled = [int(w / largest * _MAX_WEIGHT) for w in exact]
    return scaled


def _one_of(plan: str, name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ConfigError(f"{plan}: {name}={value!r}; use {', '.join(map(repr, known))}")


def _rate(plan: str, name: str, rate: float, own_counts: bool) -> None:
    if not 0.0 < rate <= 1.0 or (own_counts and rate == 1.0):
        raise ConfigError(f"{plan}: {name}={rate}; it is a fraction above 0 and at most 1")
