"""Statistics of a parameter sweep: the best trial, and how much of it is luck."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mainspring.analytics.calendar import CRYPTO, Calendar
from mainspring.analytics.figures import Figures
from mainspring.analytics.formatting import UNDEFINED, number, percent
from mainspring.analytics.performance import moments, sharpe_ratio
from mainspring.analytics.robustness import (
    OverfittingProbability,
    deflated_sharpe,
    expected_max_sharpe,
    min_track_record,
    pbo,
    probabilistic_sharpe,
)
from mainspring.analytics.run_data import RunData
from mainspring.analytics.run_summary import stepped_equity
from mainspring.errors import InvalidValue

PBO_BLOCKS = 8


@dataclass(frozen=True, slots=True)
class Trial:
    """One run of a sweep: its parameters and its period returns, shape ``(n,)``."""

    parameters: Mapping[str, Any]
    returns: NDArray[np.float64]

    @classmethod
    def of(
        cls, parameters: Mapping[str, Any], run: RunData, calendar: Calendar = CRYPTO
    ) -> Trial | None:
        """The trial of a finished run; ``None`` without returns (no capital, or all lost)."""
        stepped = stepped_equity(run, calendar)
        returns = None if stepped is None else stepped.returns()
        return None if returns is None else cls(parameters, returns)


@dataclass(frozen=True, slots=True)
class SweepStatistics(Figures):
    """The best of a sweep by Sharpe ratio, and the tests of it. All ratios are per period.

    ``dsr`` is the probability that the best trial's true Sharpe ratio is above ``sr0``, the best
    that as many trials without skill are expected to show; ``psr`` the same against zero.
    ``min_track_record`` counts the periods needed for 95 % confidence against ``sr0``. The trials
    count as independent, which overstates ``sr0`` when they are alike.
    """

    n_trials: int
    n_ranked: int
    n_periods: int
    best_index: int | None
    best_parameters: dict[str, Any]
    sharpe: float | None
    trial_variance: float | None
    sr0: float | None
    psr: float | None
    dsr: float | None
    min_track_record: float | None
    pbo: float | None
    reason: str | None = None

    def to_text(self) -> str:
        """The verdict in a few lines."""
        if self.sharpe is None:
            return f"{self.n_trials} trials, none to rank: {self.reason}"
        best = ", ".join(f"{name}={value}" for name, value in self.best_parameters.items())
        lines = [
            f"best of {self.n_trials}: {best}",
            f"  Sharpe ratio per period       {number(self.sharpe, 4)}",
            f"  expected of luck alone        {number(self.sr0, 4)}",
            f"  deflated Sharpe ratio         {percent(self.dsr, 1)}",
            f"  probabilistic Sharpe ratio    {percent(self.psr, 1)}",
            f"  periods, and needed for 95 %  {self.n_periods:,} / {_periods(self)}",
        ]
        if self.pbo is not None:
            lines.append(f"  probability of overfitting    {percent(self.pbo, 1)}")
        if self.reason:
            lines.append(f"  {self.reason}")
        return "\n".join(lines)


def _periods(s: SweepStatistics) -> str:
    return UNDEFINED if s.min_track_record is None else f"{math.ceil(s.min_track_record):,}"


def sweep_statistics(trials: Sequence[Trial]) -> SweepStatistics:
    """Rank trials by Sharpe ratio and deflate the best by their number and spread.

    Trials without variance (no trade) count in the number of trials but are not ranked.

    Raises:
        InvalidValue: without any trial.
    """
    if not trials:
        raise InvalidValue("a sweep needs at least one trial")
    sharpes = [sharpe_ratio(trial.returns) for trial in trials]
    ranked = [(value, -i) for i, value in enumerate(sharpes) if value is not None]
    if not ranked:
        return _nothing(trials, "no trial has returns that vary")
    sharpe, minus_index = max(ranked)
    best = trials[-minus_index]
    skew, kurtosis = moments(best.returns)
    assert skew is not None
    assert kurtosis is not None
    n = len(best.returns)
    variance = float(np.var([value for value, _ in ranked], ddof=1)) if len(ranked) > 1 else 0.0
    sr0 = expected_max_sharpe(len(trials), variance)
    shape = {"skew": skew, "kurtosis": kurtosis}
    deflated = deflated_sharpe(sharpe, n, n_trials=len(trials), trial_variance=variance, **shape)
    overfitting = _overfitting(trials)
    return SweepStatistics(
        n_trials=len(trials),
        n_ranked=len(ranked),
        n_periods=n,
        best_index=-minus_index,
        best_parameters=dict(best.parameters),
        sharpe=sharpe,
        trial_variance=variance,
        sr0=sr0,
        psr=probabilistic_sharpe(sharpe, 0.0, n, **shape),
        dsr=deflated.dsr,
        min_track_record=min_track_record(sharpe, sr0, **shape),
        pbo=None if overfitting is None else overfitting.pbo,
        reason=None if len(trials) > 1 else "one trial: nothing to deflate by",
    )


def _nothing(trials: Sequence[Trial], reason: str) -> SweepStatistics:
    return SweepStatistics(
        n_trials=len(trials), n_ranked=0, n_periods=0, best_index=None, best_parameters={},
        sharpe=None, trial_variance=None, sr0=None, psr=None, dsr=None, min_track_record=None,
        pbo=None, reason=reason,
    )  # fmt: skip


def _overfitting(trials: Sequence[Trial]) -> OverfittingProbability | None:
    """PBO over the trials when they cover the same periods and there are enough of them."""
    lengths = {len(trial.returns) for trial in trials}
    if len(trials) < 2 or len(lengths) != 1 or lengths.pop() < 4 * PBO_BLOCKS:
        return None
    matrix: ArrayLike = np.column_stack([trial.returns for trial in trials])
    return pbo(matrix, PBO_BLOCKS)
