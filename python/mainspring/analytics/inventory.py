"""Positions of a run over time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mainspring.analytics.figures import Figures
from mainspring.analytics.run_data import RunData, columns


@dataclass(frozen=True, slots=True)
class InventoryFigures(Figures):
    """Net position of one instrument, in units of the instrument, weighted by time over the run.

    ``n_flat_crossings`` counts how often the position became flat or changed its sign.
    """

    instrument: str
    final: float
    mean: float
    mean_abs: float
    max_long: float
    max_short: float
    time_in_market: float
    n_flat_crossings: int


@dataclass(frozen=True, slots=True)
class PositionPath:
    """Net position of one instrument as a step function: ``position[k]`` from ``time_ns[k]`` on."""

    time_ns: NDArray[np.int64]
    position: NDArray[np.float64]


def position_path(run: RunData, instrument: int) -> PositionPath:
    """The net position over all strategies after each fill, starting flat at the run's start."""
    fills = columns(run.fills)
    rows = np.flatnonzero(fills["instrument"] == instrument)
    lot = float(run.instruments[instrument].get("lot", 1))
    lots = np.cumsum(fills["side"][rows].astype(np.int64) * fills["qty_lots"][rows])
    times = np.asarray(fills["time_ns"], dtype=np.int64)[rows]
    return PositionPath(
        time_ns=np.concatenate(([run.span_ns[0]], times)).astype(np.int64),
        position=np.concatenate(([0.0], lots * lot)),
    )


def inventory_figures(run: RunData) -> list[InventoryFigures]:
    """Time-weighted inventory figures of every instrument."""
    return [_figures(run, i) for i in range(len(run.instruments))]


def _figures(run: RunData, instrument: int) -> InventoryFigures:
    path = position_path(run, instrument)
    until = np.append(path.time_ns[1:], max(run.span_ns[1], int(path.time_ns[-1])))
    held = (until - path.time_ns).astype(np.float64)
    total = float(held.sum())
    weight = held / total if total > 0 else np.full(len(held), 1.0 / len(held))
    position = path.position
    sign = np.sign(position)
    crossings = (sign[1:] != sign[:-1]) & (sign[:-1] != 0)
    return InventoryFigures(
        instrument=str(run.instruments[instrument].get("symbol", instrument)),
        final=float(position[-1]),
        mean=float(position @ weight),
        mean_abs=float(np.abs(position) @ weight),
        max_long=float(max(position.max(), 0.0)),
        max_short=float(min(position.min(), 0.0)),
        time_in_market=float((position != 0) @ weight),
        n_flat_crossings=int(crossings.sum()),
    )
