"""Return-series metrics.

Returns are simple period returns. ``periods_per_year`` is always given by the caller (see
:mod:`mainspring.analytics.calendar`). Every annualised figure also exists per period, and
annualising can be withheld for short samples. Definitions agree with quantstats 0.0.86 and
empyrical-reloaded 0.7.1 where these define the figure, which ``tests/oracles`` checks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mainspring.analytics.figures import Figures, ratio
from mainspring.errors import InvalidValue

FloatArray = NDArray[np.float64]

ANNUAL_FIELDS = ("cagr", "volatility", "sharpe", "sortino", "downside_deviation", "calmar")


@dataclass(frozen=True, slots=True)
class PerformanceMetrics(Figures):
    """Metrics of one return series. ``None`` is undefined, and ``undefined`` says why.

    Ratios and returns are fractions (0.01 is 1 %). ``volatility``, ``sharpe``, ``sortino``,
    ``downside_deviation``, ``cagr`` and ``calmar`` are annual; ``*_per_period`` are not.
    """

    n_periods: int
    periods_per_year: float
    mar: float
    total_return: float | None
    mean_per_period: float | None
    volatility_per_period: float | None
    sharpe_per_period: float | None
    sortino_per_period: float | None
    cagr: float | None
    volatility: float | None
    sharpe: float | None
    sortino: float | None
    downside_deviation: float | None
    max_drawdown: float | None
    calmar: float | None
    omega: float | None
    tail_ratio: float | None
    skew: float | None
    kurtosis_excess: float | None
    win_rate: float | None
    avg_win: float | None
    avg_loss: float | None
    payoff_ratio: float | None
    profit_factor: float | None
    gain_to_pain: float | None
    ulcer_index: float | None
    stability_r2: float | None
    undefined: dict[str, str] = field(default_factory=dict)


def performance_metrics(
    returns: ArrayLike,
    periods_per_year: float,
    *,
    mar: float = 0.0,
    not_annualised: str | None = None,
) -> PerformanceMetrics:
    """All metrics of a return series.

    Args:
        returns: simple returns, one a period, shape ``(n,)``, finite and at least -1.
        periods_per_year: how many periods make a year.
        mar: minimum acceptable return per period, for the Sortino ratio.
        not_annualised: a reason to leave the annual figures undefined (a sample too short).

    Raises:
        InvalidValue: when a return is not finite or below -1, or there are no periods in a year.
    """
    r = _checked(returns)
    if not periods_per_year > 0:
        raise InvalidValue(f"periods_per_year must be positive, not {periods_per_year}")
    values = _sample_figures(r, mar)
    values |= _annual_figures(r, values, periods_per_year, not_annualised)
    undefined = _reasons(r, values, not_annualised)
    return PerformanceMetrics(
        n_periods=len(r),
        periods_per_year=float(periods_per_year),
        mar=mar,
        undefined=undefined,
        **values,
    )


def omega_ratio(returns: ArrayLike, threshold: float = 0.0) -> float | None:
    """Sum of gains over sum of losses about ``threshold`` per period (Keating-Shadwick 2002)."""
    excess = _checked(returns) - threshold
    return ratio(float(excess[excess > 0].sum()), float(-excess[excess < 0].sum()))


def max_drawdown(returns: ArrayLike) -> float | None:
    """Deepest fall from a running peak of the wealth index, which starts at 1. Zero or negative."""
    dips = _drawdowns(_checked(returns))
    return float(dips.min()) if len(dips) else None


def sharpe_ratio(returns: ArrayLike, periods_per_year: float = 1.0) -> float | None:
    """Mean over standard deviation (ddof 1), scaled by the root of ``periods_per_year``."""
    r = _checked(returns)
    value = _mean_over_std(r)
    return None if value is None else value * math.sqrt(periods_per_year)


def _checked(returns: ArrayLike) -> FloatArray:
    r = np.asarray(returns, dtype=np.float64)
    if r.ndim != 1:
        raise InvalidValue(f"returns must be one series, not an array of shape {r.shape}")
    if not np.isfinite(r).all():
        raise InvalidValue(f"return {int(np.argmin(np.isfinite(r)))} is not a finite number")
    if len(r) and r.min() < -1.0:
        raise InvalidValue(f"return {int(r.argmin())} is below -1: more than everything was lost")
    return r


def _is_flat(r: FloatArray) -> bool:
    """Whether the spread of the series is only rounding noise."""
    return len(r) < 2 or float(np.ptp(r)) <= 1e-15 * max(1.0, float(np.abs(r).max()))


def _mean_over_std(r: FloatArray) -> float | None:
    return None if _is_flat(r) else float(r.mean() / r.std(ddof=1))


def _drawdowns(r: FloatArray) -> FloatArray:
    """Fall from the running peak at each period; the peak starts at the initial wealth of 1."""
    wealth = np.cumprod(1.0 + r)
    return wealth / np.maximum(np.maximum.accumulate(wealth), 1.0) - 1.0


def _sample_figures(r: FloatArray, mar: float) -> dict[str, float | None]:
    if not len(r):
        return dict.fromkeys(_SAMPLE_FIELDS)
    wins, losses = r[r > 0], r[r < 0]
    gain, pain = float(wins.sum()), float(-losses.sum())
    avg_win = float(wins.mean()) if len(wins) else None
    avg_loss = float(losses.mean()) if len(losses) else None
    dips = _drawdowns(r)
    downside = math.sqrt(float(np.mean(np.minimum(r - mar, 0.0) ** 2)))
    skew, kurtosis = moments(r)
    return {
        "total_return": float(np.prod(1.0 + r) - 1.0),
        "mean_per_period": float(r.mean()),
        "volatility_per_period": float(r.std(ddof=1)) if len(r) > 1 else None,
        "sharpe_per_period": _mean_over_std(r),
        "sortino_per_period": ratio(float(r.mean()) - mar, downside),
        "max_drawdown": float(dips.min()),
        "omega": ratio(gain, pain),
        "tail_ratio": ratio(*(abs(float(np.percentile(r, q))) for q in (95, 5))),
        "skew": skew,
        "kurtosis_excess": None if kurtosis is None else kurtosis - 3.0,
        "win_rate": ratio(float(len(wins)), float(len(wins) + len(losses))),
        "avg_win": avg_win,
        "avg_loss": avg_loss,
        "payoff_ratio": None if avg_win is None or avg_loss is None else avg_win / -avg_loss,
        "profit_factor": ratio(gain, pain),
        "gain_to_pain": ratio(float(r.sum()), pain),
        "ulcer_index": math.sqrt(float((dips**2).sum()) / (len(r) - 1)) if len(r) > 1 else None,
        "stability_r2": _stability(r),
    }


_SAMPLE_FIELDS = (
    "total_return", "mean_per_period", "volatility_per_period", "sharpe_per_period",
    "sortino_per_period", "max_drawdown", "omega", "tail_ratio", "skew", "kurtosis_excess",
    "win_rate", "avg_win", "avg_loss", "payoff_ratio", "profit_factor", "gain_to_pain",
    "ulcer_index", "stability_r2",
)  # fmt: skip


def moments(r: FloatArray) -> tuple[float | None, float | None]:
    """Population skewness and (not excess) kurtosis; ``None`` without variance."""
    if _is_flat(r):
        return None, None
    z = (r - r.mean()) / r.std()
    return float(np.mean(z**3)), float(np.mean(z**4))


def _stability(r: FloatArray) -> float | None:
    """R-squared of the cumulative log return against time."""
    if len(r) < 2 or r.min() <= -1.0:
        return None
    level = np.cumsum(np.log1p(r))
    if _is_flat(level):
        return None
    return float(np.corrcoef(np.arange(len(r)), level)[0, 1] ** 2)


def _annual_figures(
    r: FloatArray,
    values: dict[str, float | None],
    periods_per_year: float,
    not_annualised: str | None,
) -> dict[str, float | None]:
    if not_annualised or not len(r):
        return dict.fromkeys(ANNUAL_FIELDS)
    root = math.sqrt(periods_per_year)
    total, volatility = values["total_return"], values["volatility_per_period"]
    sharpe, sortino = values["sharpe_per_period"], values["sortino_per_period"]
    drawdown = values["max_drawdown"]
    assert total is not None
    assert drawdown is not None
    cagr = (1.0 + total) ** (periods_per_year / len(r)) - 1.0
    return {
        "cagr": cagr,
        "volatility": None if volatility is None else volatility * root,
        "sharpe": None if sharpe is None else sharpe * root,
        "sortino": None if sortino is None else sortino * root,
        "downside_deviation": math.sqrt(float(np.mean(np.minimum(r, 0.0) ** 2))) * root,
        "calmar": ratio(cagr, abs(drawdown)),
    }


_REASONS = {
    "sharpe_per_period": "the returns do not vary",
    "sharpe": "the returns do not vary",
    "sortino_per_period": "no return below the minimum acceptable return",
    "sortino": "no return below the minimum acceptable return",
    "calmar": "no drawdown",
    "omega": "no losing period",
    "profit_factor": "no losing period",
    "payoff_ratio": "needs a winning and a losing period",
    "avg_win": "no winning period",
    "avg_loss": "no losing period",
    "win_rate": "no period with a gain or a loss",
    "gain_to_pain": "no losing period",
    "tail_ratio": "the 5th percentile is zero",
    "skew": "the returns do not vary",
    "kurtosis_excess": "the returns do not vary",
    "stability_r2": "the wealth does not change, or was lost",
}


def _reasons(
    r: FloatArray, values: dict[str, float | None], not_annualised: str | None
) -> dict[str, str]:
    reasons = {}
    for name, value in values.items():
        if value is not None and math.isfinite(value):
            continue
        if not_annualised and name in ANNUAL_FIELDS:
            reasons[name] = not_annualised
        elif len(r) < 2:
            reasons[name] = f"needs at least two returns, there are {len(r)}"
        else:
            reasons[name] = _REASONS.get(name, "not defined for this series")
    return reasons


@dataclass(frozen=True, slots=True)
class BenchmarkMetrics(Figures):
    """A return series against a benchmark. Two conventions of alpha and of the information ratio.

    ``alpha_annual_compounded`` is ``(1 + a)^P - 1`` (empyrical), ``alpha_annual_linear`` ``a P``;
    ``information_ratio`` is annual, ``information_ratio_per_period`` is what quantstats prints.
    """

    periods_per_year: float
    beta: float | None
    alpha_annual_compounded: float | None
    alpha_annual_linear: float | None
    r_squared: float | None
    tracking_error: float | None
    information_ratio: float | None
    information_ratio_per_period: float | None


def benchmark_metrics(
    returns: ArrayLike,
    benchmark: ArrayLike,
    periods_per_year: float,
    *,
    risk_free: float = 0.0,
) -> BenchmarkMetrics:
    """Beta, alpha, tracking error and information ratio. ``risk_free`` is per period.

    Raises:
        InvalidValue: when the two series differ in length.
    """
    r, b = _checked(returns), _checked(benchmark)
    if len(r) != len(b):
        raise InvalidValue(f"{len(r)} returns against {len(b)} of the benchmark")
    active = r - b
    per_period = _mean_over_std(active)
    tracking = float(active.std(ddof=1) * math.sqrt(periods_per_year)) if len(r) > 1 else None
    beta = alpha = r_squared = None
    if not _is_flat(b):
        cov = np.cov(r, b, ddof=1)
        beta = float(cov[0, 1] / cov[1, 1])
        alpha = float(r.mean() - risk_free - beta * (b.mean() - risk_free))
        r_squared = None if _is_flat(r) else float(cov[0, 1] ** 2 / (cov[0, 0] * cov[1, 1]))
    return BenchmarkMetrics(
        periods_per_year=float(periods_per_year),
        beta=beta,
        alpha_annual_compounded=None if alpha is None else (1.0 + alpha) ** periods_per_year - 1.0,
        alpha_annual_linear=None if alpha is None else alpha * periods_per_year,
        r_squared=r_squared,
        tracking_error=tracking,
        information_ratio=None if per_period is None else per_period * math.sqrt(periods_per_year),
        information_ratio_per_period=per_period,
    )


def turnover(target_weights: ArrayLike, period_returns: ArrayLike) -> list[float]:
    """One-way turnover at each rebalance: half the sum of |target - drifted| weights.

    Args:
        target_weights: shape ``(k + 1, n)``, the weights set at each rebalance; a row's rest to 1
            is cash without return.
        period_returns: shape ``(k, n)``, the returns between one rebalance and the next.
    """
    targets = np.asarray(target_weights, dtype=np.float64)
    moves = np.asarray(period_returns, dtype=np.float64)
    if targets.ndim != 2 or moves.shape != (len(targets) - 1, targets.shape[1]):
        raise InvalidValue(
            f"target_weights {targets.shape} needs period_returns of shape "
            f"({len(targets) - 1}, {targets.shape[-1]}), not {moves.shape}"
        )
    grown = targets[:-1] * (1.0 + moves)
    wealth = 1.0 + (targets[:-1] * moves).sum(axis=1, keepdims=True)
    result: Sequence[float] = (0.5 * np.abs(targets[1:] - grown / wealth).sum(axis=1)).tolist()
    return list(result)
