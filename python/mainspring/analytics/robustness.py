"""Is a Sharpe ratio more than luck? Probabilistic and deflated Sharpe ratio, PBO.

All Sharpe ratios here are per period (not annualised); kurtosis is 3 for a normal distribution.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mainspring.analytics.distributions import EULER_GAMMA, normal_cdf, normal_quantile
from mainspring.analytics.figures import Figures
from mainspring.errors import InvalidValue


def probabilistic_sharpe(
    sharpe: float,
    benchmark: float,
    n_returns: int,
    *,
    skew: float = 0.0,
    kurtosis: float = 3.0,
) -> float:
    """Probability that the true Sharpe ratio is above ``benchmark``.

    Bailey and Lopez de Prado (2012), "The Sharpe ratio efficient frontier", eq. 11.

    Raises:
        InvalidValue: with fewer than two returns, or moments that no sample can have.
    """
    if n_returns < 2:
        raise InvalidValue(f"needs at least two returns, not {n_returns}")
    spread = math.sqrt(_sharpe_variance(sharpe, skew, kurtosis))
    return normal_cdf((sharpe - benchmark) * math.sqrt(n_returns - 1) / spread)


def _sharpe_variance(sharpe: float, skew: float, kurtosis: float) -> float:
    """Variance of the Sharpe estimator times n - 1 (Mertens 2002)."""
    variance = 1.0 - skew * sharpe + (kurtosis - 1.0) / 4.0 * sharpe**2
    if variance <= 0.0:
        raise InvalidValue(
            f"skew {skew} and kurtosis {kurtosis} are impossible together (kurtosis >= 1 + skew^2)"
        )
    return variance


def min_track_record(
    sharpe: float,
    benchmark: float = 0.0,
    *,
    skew: float = 0.0,
    kurtosis: float = 3.0,
    confidence: float = 0.95,
) -> float | None:
    """Returns needed until the Sharpe ratio is above ``benchmark`` at ``confidence``.

    Bailey and Lopez de Prado (2012), eq. 13. ``None`` when ``sharpe`` is not above ``benchmark``:
    no sample is long enough.
    """
    if sharpe <= benchmark:
        return None
    z = normal_quantile(confidence)
    return 1.0 + _sharpe_variance(sharpe, skew, kurtosis) * (z / (sharpe - benchmark)) ** 2


def expected_max_normal(n_trials: int) -> float:
    """Expected maximum of ``n_trials`` independent standard normals, zero for one trial.

    Bailey, Borwein, Lopez de Prado, Zhu (2014), "Pseudo-mathematics and financial charlatanism",
    eq. 4.
    """
    if n_trials < 1:
        raise InvalidValue(f"needs at least one trial, not {n_trials}")
    if n_trials == 1:
        return 0.0
    return (1.0 - EULER_GAMMA) * normal_quantile(
        1.0 - 1.0 / n_trials
    ) + EULER_GAMMA * normal_quantile(1.0 - 1.0 / (n_trials * math.e))


def min_backtest_years(n_trials: int, expected_annual_sharpe: float = 1.0) -> float:
    """Years of data below which ``n_trials`` without skill are expected to show that Sharpe ratio.

    The same paper, theorem 2 before its upper bound: (E[max] / Sharpe)^2.
    """
    return (expected_max_normal(n_trials) / expected_annual_sharpe) ** 2


def expected_max_sharpe(n_trials: int, trial_variance: float) -> float:
    """Sharpe ratio that the best of ``n_trials`` without skill is expected to show."""
    if trial_variance < 0.0:
        raise InvalidValue(f"a variance cannot be negative: {trial_variance}")
    return math.sqrt(trial_variance) * expected_max_normal(n_trials)


@dataclass(frozen=True, slots=True)
class DeflatedSharpe(Figures):
    """``dsr``: probability that the true Sharpe ratio is above ``sr0``, the best by luck alone."""

    dsr: float
    sr0: float
    n_trials: int


def deflated_sharpe(
    sharpe: float,
    n_returns: int,
    *,
    n_trials: int,
    trial_variance: float,
    skew: float = 0.0,
    kurtosis: float = 3.0,
) -> DeflatedSharpe:
    """The probabilistic Sharpe ratio against the best of ``n_trials`` without skill.

    Bailey and Lopez de Prado (2014), "The deflated Sharpe ratio", eq. 1-2. ``trial_variance`` is
    the variance of the trials' Sharpe ratios (ddof 1), ``n_trials`` how many were independent.
    """
    sr0 = expected_max_sharpe(n_trials, trial_variance)
    dsr = probabilistic_sharpe(sharpe, sr0, n_returns, skew=skew, kurtosis=kurtosis)
    return DeflatedSharpe(dsr=dsr, sr0=sr0, n_trials=n_trials)


@dataclass(frozen=True, slots=True)
class OverfittingProbability(Figures):
    """Result of combinatorially symmetric cross-validation, one entry a combination.

    ``pbo`` is the share of combinations where the in-sample winner ranks in the lower half out of
    sample. ``degradation_*`` is the line of out-of-sample on in-sample performance.
    """

    pbo: float
    n_combinations: int
    n_blocks: int
    logits: list[float]
    selected: list[int]
    prob_oos_loss: float
    degradation_slope: float | None
    degradation_intercept: float | None


def pbo(returns: ArrayLike, n_blocks: int = 16) -> OverfittingProbability:
    """Probability of backtest overfitting by CSCV with the Sharpe ratio (ddof 1) as the measure.

    Bailey, Borwein, Lopez de Prado, Zhu (2017), "The probability of backtest overfitting". The
    leading rows that do not divide into blocks are dropped.

    Args:
        returns: shape ``(periods, trials)``, one column a trial.
        n_blocks: even; there are C(n_blocks, n_blocks / 2) combinations.

    Raises:
        InvalidValue: when the shape does not allow it.
    """
    matrix = np.asarray(returns, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[1] < 2:
        raise InvalidValue("pbo needs returns of at least two trials, shape (periods, trials)")
    if n_blocks < 2 or n_blocks % 2 or len(matrix) < 2 * n_blocks:
        raise InvalidValue(
            f"n_blocks must be even with at least two periods in each: {n_blocks} blocks, "
            f"{len(matrix)} periods"
        )
    blocks = matrix[len(matrix) % n_blocks :].reshape(n_blocks, -1, matrix.shape[1])
    inside, outside, logits, selected = [], [], [], []
    for chosen in combinations(range(n_blocks), n_blocks // 2):
        rest = [i for i in range(n_blocks) if i not in chosen]
        train, test = _block_sharpes(blocks[list(chosen)]), _block_sharpes(blocks[rest])
        winner = int(train.argmax())
        rank = int((test < test[winner]).sum()) + 1
        share = rank / (matrix.shape[1] + 1)
        logits.append(math.log(share / (1.0 - share)))
        selected.append(winner)
        inside.append(train[winner])
        outside.append(test[winner])
    slope, intercept = _line(np.array(inside), np.array(outside))
    return OverfittingProbability(
        pbo=float(np.mean(np.array(logits) <= 0.0)),
        n_combinations=len(logits),
        n_blocks=n_blocks,
        logits=logits,
        selected=selected,
        prob_oos_loss=float(np.mean(np.array(outside) < 0.0)),
        degradation_slope=slope,
        degradation_intercept=intercept,
    )


def _block_sharpes(blocks: NDArray[np.float64]) -> NDArray[np.float64]:
    rows = blocks.reshape(-1, blocks.shape[-1])
    spread = rows.std(axis=0, ddof=1)
    # A trial without variance has no Sharpe ratio; it must not win, nor outrank a real one.
    result: NDArray[np.float64] = np.full(rows.shape[1], -np.inf)
    np.divide(rows.mean(axis=0), spread, out=result, where=spread > 0.0)
    return result


def _line(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float | None, float | None]:
    if not (np.isfinite(x).all() and np.isfinite(y).all()) or float(np.ptp(x)) == 0.0:
        return None, None
    slope, intercept = np.polyfit(x, y, 1)
    return float(slope), float(intercept)
