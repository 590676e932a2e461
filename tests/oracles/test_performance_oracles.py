"""Return metrics against quantstats and empyrical-reloaded, where these define the figure.

Run in an environment of its own, because both bring heavy dependencies.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from mainspring import analytics as an

pytestmark = pytest.mark.oracle

pd = pytest.importorskip("pandas", reason="pandas comes with the oracle packages")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    qs = pytest.importorskip("quantstats.stats", reason="quantstats is not installed here")
    ep = pytest.importorskip("empyrical", reason="empyrical-reloaded is not installed here")


def series(seed: int, n: int = 300) -> Any:
    rng = np.random.default_rng(seed)
    returns = rng.standard_t(4, n) * 0.01 + 0.0005
    return pd.Series(returns, index=pd.date_range("2023-01-01", periods=n, freq="D"))


SEEDS = [1, 2, 3, 4, 5]

FIGURES: dict[str, Callable[[Any, int], float]] = {
    "quantstats sharpe": lambda r, p: qs.sharpe(r, periods=p),
    "quantstats sortino": lambda r, p: qs.sortino(r, periods=p),
    "quantstats volatility": lambda r, p: qs.volatility(r, periods=p),
    "quantstats max_drawdown": lambda r, p: qs.max_drawdown(r),
    "quantstats ulcer_index": lambda r, p: qs.ulcer_index(r),
    "quantstats tail_ratio": lambda r, p: qs.tail_ratio(r),
    "quantstats profit_factor": lambda r, p: qs.profit_factor(r),
    "quantstats payoff_ratio": lambda r, p: qs.payoff_ratio(r),
    "quantstats win_rate": lambda r, p: qs.win_rate(r),
    "quantstats avg_win": lambda r, p: qs.avg_win(r),
    "quantstats avg_loss": lambda r, p: qs.avg_loss(r),
    "quantstats total_return": lambda r, p: qs.comp(r),
    "quantstats gain_to_pain": lambda r, p: qs.gain_to_pain_ratio(r),
    "empyrical sharpe": lambda r, p: ep.sharpe_ratio(r, annualization=p),
    "empyrical sortino": lambda r, p: ep.sortino_ratio(r, annualization=p),
    "empyrical volatility": lambda r, p: ep.annual_volatility(r, annualization=p),
    "empyrical cagr": lambda r, p: ep.annual_return(r, annualization=p),
    "empyrical calmar": lambda r, p: ep.calmar_ratio(r, annualization=p),
    "empyrical max_drawdown": lambda r, p: ep.max_drawdown(r),
    "empyrical omega": lambda r, p: ep.omega_ratio(r),
    "empyrical tail_ratio": lambda r, p: ep.tail_ratio(r),
    "empyrical downside_deviation": lambda r, p: ep.downside_risk(r, annualization=p),
    "empyrical stability_r2": lambda r, p: ep.stability_of_timeseries(r),
    "empyrical total_return": lambda r, p: ep.cum_returns_final(r),
}


@pytest.mark.parametrize("periods", [252, 365])
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("figure", FIGURES)
def test_return_metric(figure: str, seed: int, periods: int) -> None:
    r = series(seed)
    theirs = float(FIGURES[figure](r, periods))
    ours = getattr(an.performance_metrics(r.to_numpy(), periods), figure.split()[1])
    assert math.isfinite(theirs)
    assert ours == pytest.approx(theirs, rel=1e-10, abs=1e-13)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_value_at_risk(seed: int, confidence: float) -> None:
    r = series(seed)
    ours = an.value_at_risk(r.to_numpy(), confidence)
    tail = 1 - confidence
    assert -ours.historical_linear == pytest.approx(ep.value_at_risk(r, tail), rel=1e-10)
    assert -ours.cvar_empyrical == pytest.approx(ep.conditional_value_at_risk(r, tail), rel=1e-10)
    assert -ours.parametric_normal == pytest.approx(
        qs.value_at_risk(r, confidence=confidence), rel=1e-9
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_benchmark(seed: int) -> None:
    r, b = series(seed), series(seed + 100)
    ours = an.benchmark_metrics(r.to_numpy(), b.to_numpy(), 252)
    alpha, beta = ep.alpha_beta(r, b, annualization=252)
    assert ours.beta == pytest.approx(beta, rel=1e-9)
    assert ours.alpha_annual_compounded == pytest.approx(alpha, rel=1e-8)
    assert ours.information_ratio_per_period == pytest.approx(qs.information_ratio(r, b), rel=1e-9)
    assert ours.r_squared == pytest.approx(qs.r_squared(r, b), rel=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_probabilistic_sharpe(seed: int) -> None:
    """The quantstats figure uses bias-corrected moments; ours, given those, must equal it."""
    r = series(seed)
    sharpe = an.sharpe_ratio(r.to_numpy())
    assert sharpe is not None
    ours = an.probabilistic_sharpe(
        sharpe, 0.0, len(r), skew=float(r.skew()), kurtosis=float(r.kurtosis()) + 3.0
    )
    theirs = float(qs.probabilistic_sharpe_ratio(r))
    assert ours == pytest.approx(theirs, rel=1e-10)
