"""Where an active return came from: Brinson attribution of one period."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mainspring.analytics.figures import Figures
from mainspring.errors import InvalidValue


@dataclass(frozen=True, slots=True)
class Brinson(Figures):
    """Effects by sector; allocation in both conventions (Brinson-Hood-Beebower and -Fachler)."""

    portfolio_return: float
    benchmark_return: float
    active: float
    allocation_bhb: list[float]
    allocation_bf: list[float]
    selection: list[float]
    interaction: list[float]
    total_allocation: float
    total_selection: float
    total_interaction: float


def brinson(
    weights_portfolio: ArrayLike,
    weights_benchmark: ArrayLike,
    returns_portfolio: ArrayLike,
    returns_benchmark: ArrayLike,
) -> Brinson:
    """Allocation, selection and interaction by sector, each of shape ``(n,)``.

    Allocation is (wp - wb) rb (Brinson, Hood, Beebower 1986) and (wp - wb)(rb - RB) (Brinson,
    Fachler 1985); their totals agree when both sets of weights sum to the same.
    """
    wp, wb, rp, rb = (
        np.asarray(x, dtype=np.float64)
        for x in (weights_portfolio, weights_benchmark, returns_portfolio, returns_benchmark)
    )
    if not wp.shape == wb.shape == rp.shape == rb.shape or wp.ndim != 1:
        raise InvalidValue("weights and returns need one number for each sector")
    portfolio, benchmark = float(wp @ rp), float(wb @ rb)
    allocation, selection = (wp - wb) * rb, wb * (rp - rb)
    interaction = (wp - wb) * (rp - rb)
    return Brinson(
        portfolio_return=portfolio,
        benchmark_return=benchmark,
        active=portfolio - benchmark,
        allocation_bhb=allocation.tolist(),
        allocation_bf=((wp - wb) * (rb - benchmark)).tolist(),
        selection=selection.tolist(),
        interaction=interaction.tolist(),
        total_allocation=float(allocation.sum()),
        total_selection=float(selection.sum()),
        total_interaction=float(interaction.sum()),
    )
