"""Value at risk by named conventions, drawdown, sizing rules, exposure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mainspring.analytics.distributions import (
    normal_pdf,
    normal_quantile,
    student_t_pdf,
    student_t_quantile,
)
from mainspring.analytics.figures import Figures, ratio
from mainspring.analytics.performance import moments
from mainspring.errors import InvalidValue

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ValueAtRisk(Figures):
    """Value at risk and expected shortfall of one period; a positive number is a loss.

    ``historical_linear``: linear sample quantile (empyrical). ``historical_order_statistic``:
    the smallest loss l with F(l) >= confidence (skfolio). ``parametric_normal``: normal with the
    sample's mean and standard deviation, ddof 1 (quantstats). ``student_t``: Student-t scaled to
    the same standard deviation. ``cornish_fisher``: normal corrected for skewness and excess
    kurtosis (Cornish-Fisher 1938; Zangari 1996), undefined where the correction is not monotone.
    ``cvar_empyrical``: mean of the ``int((n-1)(1-c)) + 1`` worst. ``cvar_rockafellar_uryasev``:
    mean of the worst ``1 - c`` with a fractional atom (Rockafellar-Uryasev 2000).
    """

    confidence: float
    student_dof: float
    historical_linear: float
    historical_order_statistic: float
    cvar_empyrical: float
    cvar_rockafellar_uryasev: float
    parametric_normal: float
    cvar_normal: float
    student_t: float
    cvar_student_t: float
    cornish_fisher: float | None
    mean: float
    std: float
    skew: float | None
    excess_kurtosis: float | None


def value_at_risk(
    returns: ArrayLike, confidence: float = 0.95, *, student_dof: float = 5.0
) -> ValueAtRisk:
    """Value at risk of a return series by every named convention.

    Raises:
        InvalidValue: with fewer than two returns, a confidence outside (0, 1) or ``student_dof`` of
            2 or less (whose variance does not exist).
    """
    r = np.sort(np.asarray(returns, dtype=np.float64))
    if len(r) < 2 or not np.isfinite(r).all():
        raise InvalidValue("value at risk needs at least two finite returns")
    if not 0.0 < confidence < 1.0:
        raise InvalidValue(f"confidence must lie between 0 and 1, not {confidence}")
    if student_dof <= 2:
        raise InvalidValue(f"student_dof must be above 2, not {student_dof}")
    tail = 1.0 - confidence
    mean, std = float(r.mean()), float(r.std(ddof=1))
    z = normal_quantile(confidence)
    t = -student_t_quantile(tail, student_dof)
    scale = std * math.sqrt((student_dof - 2.0) / student_dof)
    t_tail = student_t_pdf(t, student_dof) / tail * (student_dof + t * t) / (student_dof - 1.0)
    skew, kurtosis = moments(r)
    excess = None if kurtosis is None else kurtosis - 3.0
    return ValueAtRisk(
        confidence=confidence,
        student_dof=student_dof,
        historical_linear=-float(np.percentile(r, 100.0 * tail)),
        historical_order_statistic=-float(r[_order_index(len(r), tail)]),
        cvar_empyrical=-float(r[: int((len(r) - 1) * tail) + 1].mean()),
        cvar_rockafellar_uryasev=_fractional_shortfall(r, tail),
        parametric_normal=-mean + z * std,
        cvar_normal=-mean + std * normal_pdf(z) / tail,
        student_t=-mean + t * scale,
        cvar_student_t=-mean + scale * t_tail,
        cornish_fisher=_cornish_fisher(mean, std, skew, excess, tail),
        mean=mean,
        std=std,
        skew=skew,
        excess_kurtosis=excess,
    )


def _order_index(n: int, tail: float) -> int:
    """Index, from the worst, of the smallest loss l with P(loss <= l) >= 1 - tail."""
    # The share of losses at most -r[i] is (n - i) / n: take the largest i that still covers.
    return min(n - 1, math.floor(n * tail + 1e-9))


def _fractional_shortfall(sorted_returns: FloatArray, tail: float) -> float:
    count = len(sorted_returns) * tail
    whole = min(len(sorted_returns) - 1, math.floor(count + 1e-12))
    total = float(sorted_returns[:whole].sum())
    return -(total + (count - whole) * float(sorted_returns[whole])) / count


def _cornish_fisher(
    mean: float, std: float, skew: float | None, excess: float | None, tail: float
) -> float | None:
    if skew is None or excess is None:
        return None
    z = normal_quantile(tail)
    slope = 1.0 + z * skew / 3 + (z * z - 1) * excess / 8 - (6 * z * z - 5) * skew**2 / 36
    if slope <= 0.0:
        return None
    adjusted = (
        z
        + (z * z - 1) * skew / 6
        + (z**3 - 3 * z) * excess / 24
        - (2 * z**3 - 5 * z) * skew**2 / 36
    )
    return -(mean + adjusted * std)


@dataclass(frozen=True, slots=True)
class Drawdown(Figures):
    """The deepest fall of an equity series. Indices count samples.

    ``recovery_index`` is the first sample at or above the peak again, ``None`` if never.
    ``longest_underwater`` counts samples from a peak to its recovery or to the end.
    """

    max_drawdown: float
    max_drawdown_abs: float
    peak_index: int
    trough_index: int
    recovery_index: int | None
    longest_underwater: int


def drawdown(equity: ArrayLike) -> Drawdown:
    """The deepest relative drawdown of an equity series, and the longest time under water.

    Raises:
        InvalidValue: when the series is empty or not positive.
    """
    e = np.asarray(equity, dtype=np.float64)
    if e.ndim != 1 or not len(e) or not (e > 0).all() or not np.isfinite(e).all():
        raise InvalidValue("a drawdown needs a series of positive equity")
    peaks = np.maximum.accumulate(e)
    relative = e / peaks - 1.0
    trough = int(relative.argmin())
    peak = int(e[: trough + 1].argmax())
    after = np.flatnonzero(e[trough:] >= e[peak]) if trough > peak else np.array([0])
    return Drawdown(
        max_drawdown=float(relative[trough]),
        max_drawdown_abs=float(e[trough] - peaks[trough]),
        peak_index=peak,
        trough_index=trough,
        recovery_index=int(trough + after[0]) if len(after) else None,
        longest_underwater=longest_underwater(e),
    )


def longest_underwater(equity: FloatArray) -> int:
    """Samples from a peak to the first sample that reaches it again, or to the end; the longest."""
    running = np.maximum.accumulate(equity)
    at_peak = np.append(np.flatnonzero(equity >= running), len(equity) - 1)
    below = np.diff(at_peak)
    # Two neighbouring samples at the peak are one apart without any time under water.
    under = below[(below > 1) | (equity[at_peak[1:]] < running[at_peak[1:]])]
    return int(under.max()) if len(under) else 0


def kelly_binary(win_probability: float, payoff: float) -> float:
    """Kelly fraction of a bet that wins ``payoff`` times the stake or loses it: p - (1-p)/b."""
    if not 0.0 <= win_probability <= 1.0 or payoff <= 0.0:
        raise InvalidValue("kelly needs a probability in [0, 1] and a positive payoff")
    return win_probability - (1.0 - win_probability) / payoff


def kelly_continuous(mean: float, variance: float) -> float:
    """Kelly leverage of one asset with Gaussian returns: mean / variance, of the same period."""
    if variance <= 0.0:
        raise InvalidValue(f"variance must be positive, not {variance}")
    return mean / variance


def kelly_weights(
    mean: ArrayLike,
    cov: ArrayLike,
    *,
    fraction: float = 0.5,
    max_leverage: float | None = None,
) -> FloatArray:
    """Kelly weights of several assets, ``fraction`` of inverse(cov) mean (half Kelly by default).

    With ``max_leverage`` the weights are scaled down until their absolute sum is within it.
    """
    weights: FloatArray = fraction * np.linalg.solve(
        np.asarray(cov, dtype=np.float64), np.asarray(mean, dtype=np.float64)
    )
    gross = float(np.abs(weights).sum())
    if max_leverage is not None and gross > max_leverage:
        weights = weights * (max_leverage / gross)
    return weights


@dataclass(frozen=True, slots=True)
class VolTargetSize(Figures):
    """A volatility-targeted size: ``leverage`` of equity, ``qty`` floored to the lot."""

    leverage: float
    qty: float


def vol_target_size(
    equity: float,
    price: float,
    annual_vol: float,
    target_vol: float,
    *,
    max_leverage: float,
    lot: float,
) -> VolTargetSize:
    """The quantity whose volatility is ``target_vol`` of equity, capped by ``max_leverage``."""
    if min(price, annual_vol, lot) <= 0.0 or min(equity, target_vol, max_leverage) < 0.0:
        raise InvalidValue("price, annual_vol and lot must be positive, the rest not negative")
    leverage = min(target_vol / annual_vol, max_leverage)
    lots = leverage * equity / price / lot
    # A count that is whole but for rounding noise must not lose a lot.
    nearest = round(lots)
    whole = nearest if abs(lots - nearest) < 1e-9 * max(1.0, lots) else math.floor(lots)
    return VolTargetSize(leverage=leverage, qty=round(whole * lot, 12))


@dataclass(frozen=True, slots=True)
class PortfolioVar(Figures):
    """Delta-normal value at risk of a portfolio with its Euler decomposition (sums to ``var``)."""

    volatility: float
    var: float
    marginal_var_per_unit: list[float]
    component_var: list[float]
    incremental_var_removal: list[float]


def portfolio_var(
    weights: ArrayLike, cov: ArrayLike, value: float, confidence: float = 0.95
) -> PortfolioVar:
    """Zero-mean normal value at risk, by position.

    ``component`` is w_i dVaR/dw_i; ``incremental_var_removal`` is the VaR less the VaR without the
    position, the other weights left as they are.
    """
    w = np.asarray(weights, dtype=np.float64)
    sigma = np.asarray(cov, dtype=np.float64)
    if sigma.shape != (len(w), len(w)):
        raise InvalidValue(f"{len(w)} weights need a {len(w)} x {len(w)} covariance")
    z = normal_quantile(confidence)
    volatility = math.sqrt(float(w @ sigma @ w))
    if volatility == 0.0:
        raise InvalidValue("the portfolio has no variance to decompose")
    marginal = z * (sigma @ w) / volatility
    removal = []
    for i in range(len(w)):
        rest = w.copy()
        rest[i] = 0.0
        removal.append(z * (volatility - math.sqrt(max(0.0, float(rest @ sigma @ rest)))) * value)
    return PortfolioVar(
        volatility=volatility,
        var=z * volatility * value,
        marginal_var_per_unit=marginal.tolist(),
        component_var=(w * marginal * value).tolist(),
        incremental_var_removal=removal,
    )


@dataclass(frozen=True, slots=True)
class Exposure(Figures):
    """Exposure of an account; ``short`` is negative. Leverage is over equity."""

    gross: float
    net: float
    long: float
    short: float
    gross_leverage: float | None
    net_leverage: float | None
    beta_adjusted_net: float
    largest_share: float | None
    herfindahl: float | None


def exposure(
    equity: float,
    qty: Sequence[float],
    mark: Sequence[float],
    beta: Sequence[float] | None = None,
) -> Exposure:
    """Gross, net and concentration of positions; signed notional is ``qty x mark``."""
    notional = np.asarray(qty, dtype=np.float64) * np.asarray(mark, dtype=np.float64)
    betas = np.ones_like(notional) if beta is None else np.asarray(beta, dtype=np.float64)
    gross, net = float(np.abs(notional).sum()), float(notional.sum())
    shares = np.abs(notional) / gross if gross else np.zeros(0)
    leverage = (ratio(gross, equity), ratio(net, equity)) if equity > 0 else (None, None)
    return Exposure(
        gross=gross,
        net=net,
        long=float(notional[notional > 0].sum()),
        short=float(notional[notional < 0].sum()),
        gross_leverage=leverage[0],
        net_leverage=leverage[1],
        beta_adjusted_net=float(notional @ betas),
        largest_share=float(shares.max()) if len(shares) else None,
        herfindahl=float((shares**2).sum()) if len(shares) else None,
    )


@dataclass(frozen=True, slots=True)
class Correlation(Figures):
    """Pearson correlation of return series, by name.

    ``matrix`` is in the order of ``names``; a series without variance correlates with nothing (0).
    ``largest_pair`` and ``largest`` are the pair with the largest absolute correlation.
    ``effective_bets`` is ``exp`` of the entropy of the eigenvalues' shares: the number of
    independent series that would be as diverse (Meucci 2009, on principal portfolios of equal
    weights).
    """

    names: list[str]
    samples: int
    matrix: list[list[float]]
    largest_pair: tuple[str, str] | None
    largest: float | None
    effective_bets: float


def correlation(returns: Mapping[str, ArrayLike], *, min_samples: int = 20) -> Correlation:
    """How return series of the same periods move together.

    Raises:
        InvalidValue: There is no series, they differ in length, have fewer than `min_samples`, or a
            return is not finite.
    """
    names = list(returns)
    series = [np.asarray(returns[name], dtype=np.float64) for name in names]
    if not series or len({len(one) for one in series}) != 1:
        raise InvalidValue("correlation needs return series of the same periods")
    table = np.stack(series)
    if table.shape[1] < max(2, min_samples) or not np.isfinite(table).all():
        raise InvalidValue(f"correlation needs at least {max(2, min_samples)} finite returns each")
    centred = table - table.mean(axis=1, keepdims=True)
    scale = np.sqrt((centred**2).sum(axis=1))
    unit = centred / np.where(scale > 0.0, scale, 1.0)[:, None]
    matrix = np.clip(unit @ unit.T, -1.0, 1.0)
    np.fill_diagonal(matrix, 1.0)
    pairs = [(i, j) for i in range(len(names)) for j in range(i + 1, len(names))]
    largest = max(pairs, key=lambda pair: abs(matrix[pair]), default=None)
    shares = np.clip(np.linalg.eigvalsh(matrix), 0.0, None) / len(names)
    shares = shares[shares > 0.0]
    return Correlation(
        names=names,
        samples=int(table.shape[1]),
        matrix=matrix.tolist(),
        largest_pair=None if largest is None else (names[largest[0]], names[largest[1]]),
        largest=None if largest is None else float(matrix[largest]),
        effective_bets=float(np.exp(-(shares * np.log(shares)).sum())),
    )
