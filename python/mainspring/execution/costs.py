"""What execution costs: trajectories, impact, shortfall; reckoned by the engine itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mainspring import _core
from mainspring._core import Shortfall


@dataclass(frozen=True)
class Trajectory:
    """An optimal trajectory of Almgren and Chriss.

    Attributes:
        eta_tilde: temporary impact less half an interval's permanent impact.
        kappa_tilde_squared: ``risk_aversion volatility^2 / eta_tilde``.
        kappa: urgency, per unit of time.
        half_life: ``1 / kappa``, the time in which what is left falls by a factor e; infinite
            without urgency.
        holdings: what is left at each boundary of the slices, from the quantity to zero.
        trades: what is traded in each slice.
        expected_cost: in price times quantity.
        variance: of the cost.
        utility: expected cost plus `risk_aversion` times variance.
    """

    eta_tilde: float
    kappa_tilde_squared: float
    kappa: float
    half_life: float
    holdings: list[float]
    trades: list[float]
    expected_cost: float
    variance: float
    utility: float

    @property
    def standard_deviation(self) -> float:
        """Of the cost."""
        return math.sqrt(self.variance)


def almgren_chriss_trajectory(
    *,
    quantity: float,
    horizon: float,
    slices: int,
    volatility: float,
    temporary: float,
    permanent: float = 0.0,
    half_spread: float = 0.0,
    risk_aversion: float = 0.0,
) -> Trajectory:
    """The trajectory with the least expected cost plus `risk_aversion` times variance.

    Almgren and Chriss (2000), Optimal execution of portfolio transactions, eqs. 17 to 22. Time is
    in any one unit.

    Args:
        quantity: to be traded, positive.
        horizon: time for it.
        slices: number of equal intervals, 1 to 1440.
        volatility: price per square root of time.
        temporary: price per unit of trading rate (eta).
        permanent: price per unit traded (gamma).
        half_spread: fixed cost per unit traded (epsilon).
        risk_aversion: per unit of cost (lambda).

    Raises:
        InvalidValue: for a parameter out of its range, or when permanent impact outweighs temporary
            impact within an interval, where no optimum exists.
    """
    found = _core.almgren_chriss(
        quantity=quantity,
        horizon=horizon,
        slices=slices,
        volatility=volatility,
        half_spread=half_spread,
        permanent=permanent,
        temporary=temporary,
        risk_aversion=risk_aversion,
    )
    return Trajectory(**found)


@dataclass(frozen=True)
class Impact:
    """An estimate of market impact, in basis points of the price.

    Attributes:
        permanent_bps: move that stays.
        temporary_bps: concession that passes.
        cost_bps: expected cost: half the permanent and all of the temporary impact.
    """

    permanent_bps: float
    temporary_bps: float
    cost_bps: float


def market_impact(
    *,
    quantity: float,
    daily_volume: float,
    outstanding: float,
    volatility: float,
    days: float,
    permanent: float = 0.314,
    temporary: float = 0.142,
) -> Impact:
    """The power law of impact.

    ``permanent sigma (X/V) (Theta/V)^(1/4)`` and ``temporary sigma (X/(V T))^(3/5)``. Almgren,
    Thum, Hauptmann and Li (2005), Direct estimation of equity market impact.

    Args:
        quantity: of the order (X).
        daily_volume: average, in the same unit (V).
        outstanding: quantity in existence (Theta).
        volatility: daily, as a fraction of the price (sigma).
        days: time of the execution in days of trading (T).
        permanent: coefficient of permanent impact; the paper's for large US equities.
        temporary: coefficient of temporary impact; likewise.
    """
    return Impact(
        *_core.impact_bps(
            quantity=quantity,
            daily_volume=daily_volume,
            outstanding=outstanding,
            volatility=volatility,
            days=days,
            permanent=permanent,
            temporary=temporary,
        )
    )


def implementation_shortfall(
    side: Literal["buy", "sell"],
    *,
    quantity: float,
    fills: Sequence[tuple[float, float]],
    decision: float,
    last: float,
    arrival: float | None = None,
    fees: float = 0.0,
) -> Shortfall:
    """What an execution cost against the price of the decision: delay, trading, opportunity, fees.

    Perold (1988), The implementation shortfall: paper versus reality, with the cost of delay set
    apart: delay is ``side (arrival - decision) executed``, trading
    ``side (paid - arrival executed)``, opportunity
    ``side (last - decision) (quantity - executed)``; basis points are of ``decision quantity``.

    Args:
        side: of the order.
        quantity: decided on.
        fills: (price, quantity) of each.
        decision: price at the decision.
        last: price by which what did not trade is measured.
        arrival: price when the order reached the market; the decision's without it.
        fees: paid.
    """
    return _core.implementation_shortfall(
        side,
        quantity=quantity,
        fills=list(fills),
        decision=decision,
        arrival=decision if arrival is None else arrival,
        last=last,
        fees=fees,
    )
