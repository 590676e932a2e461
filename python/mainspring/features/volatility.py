"""Volatility from returns, bars and prices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mainspring import _core

Numbers = npt.ArrayLike
"""One dimension of numbers."""

Floats = npt.NDArray[np.float64]


def ewma_variance(
    returns: Numbers,
    *,
    initial: float,
    lam: float | None = None,
    halflife: float | None = None,
    dt: Numbers | None = None,
) -> Floats:
    """Exponentially weighted variance after each return.

    Evenly spaced, ``v' = lam v + (1 - lam) r^2`` (RiskMetrics 1996, eq. 5.2). With `dt`, returns
    over spans of any length, the weight of the past halves every `halflife` and the result is a
    variance per unit of time.

    Args:
        returns: log or simple returns.
        initial: variance (or its rate) before the first.
        lam: weight of the past, in (0, 1); for evenly spaced returns.
        halflife: half-life in units of `dt`; with `dt`.
        dt: span of each return, positive.

    Raises:
        InvalidValue: neither or both of `lam` and `halflife`, numbers out of range.
    """
    from mainspring.errors import InvalidValue

    if (lam is None) == (halflife is None) or (halflife is None) != (dt is None):
        raise InvalidValue("give lam for even returns, or halflife and dt for uneven ones")
    decay = lam if lam is not None else halflife
    assert decay is not None
    return np.asarray(_core.ewma_variance(returns, dt, decay, initial))


@dataclass(frozen=True, slots=True)
class RangeVariance:
    """Variance of the log price per bar, by four estimators."""

    parkinson: float
    garman_klass: float
    rogers_satchell: float
    yang_zhang: float


def range_variance(open: Numbers, high: Numbers, low: Numbers, close: Numbers) -> RangeVariance:  # noqa: A002 - the names of a bar's prices
    """Variance per bar from open, high, low and close.

    Parkinson (1980), Garman and Klass (1980), Rogers and Satchell (1991), Yang and Zhang (2000);
    multiply by the bars of a year to annualise.

    Raises:
        InvalidValue: columns of different lengths, none, or a bar whose high and low do not enclose
            its open and close.
    """
    return RangeVariance(*_core.range_variance(open, high, low, close))


@dataclass(frozen=True, slots=True)
class RealizedMeasures:
    """What a path of prices realised.

    Attributes:
        variance: sum of squared log returns.
        bipower: what of it is not jumps (Barndorff-Nielsen and Shephard 2004).
        two_scale: variance without the noise of the microstructure (Zhang, Mykland and Ait-Sahalia
            2005).
        two_scale_adjusted: the same with the correction for few observations; may be negative.
        noise_variance: variance of the noise of one price.
    """

    variance: float
    bipower: float
    two_scale: float
    two_scale_adjusted: float
    noise_variance: float


def realized_measures(prices: Numbers, grids: int | None = None) -> RealizedMeasures:
    """Realised variance of successive prices, and what of it is noise.

    Args:
        prices: successive prices, positive.
        grids: subsampled grids of the two-scale estimator; about ``n^(2/3)`` by default.

    Raises:
        InvalidValue: a price that is not positive, fewer than two grids or too few returns.
    """
    values = np.ascontiguousarray(prices, dtype=np.float64)
    chosen = max(2, round((len(values) - 1) ** (2 / 3))) if grids is None else grids
    return RealizedMeasures(*_core.realized_measures(values, chosen))


@dataclass(frozen=True, slots=True)
class Garch:
    """GARCH(1,1) with a constant mean: ``v' = omega + alpha (r - mu)^2 + beta v``.

    Bollerslev (1986), Journal of Econometrics 31.
    """

    mu: float
    omega: float
    alpha: float
    beta: float
    initial_variance: float
    log_likelihood: float

    @property
    def unconditional(self) -> float:
        """Variance in the long run."""
        return self.omega / (1.0 - self.alpha - self.beta)

    def filter(self, returns: Numbers) -> tuple[Floats, float]:
        """Variance of each return as known before it, and of the one to come.

        Raises:
            InvalidValue: a return that is not finite, or parameters that are not stationary.
        """
        parameters = (self.mu, self.omega, self.alpha, self.beta)
        path, _, following = _core.garch_filter(parameters, returns, self.initial_variance)
        return np.asarray(path), following

    def forecast(self, next_variance: float, steps: int) -> float:
        """Expected variance of the return `steps` ahead, from that of the next one."""
        decay = (self.alpha + self.beta) ** (steps - 1)
        return self.unconditional + decay * (next_variance - self.unconditional)


def fit_garch(returns: Numbers) -> Garch:
    """Most likely GARCH(1,1) of returns, of any scale.

    The first variance is the backcast of the residuals (weights ``0.94^i`` over the first 75), the
    search that of Nelder and Mead (1965) from the best point of a grid: the same returns give the
    same fit.

    Raises:
        InvalidValue: fewer than 100 returns, one that is not finite, or returns that do not vary.
    """
    return Garch(*_core.garch_fit(returns))


@dataclass(frozen=True, slots=True)
class Belief:
    """What a particle filter believes after a return.

    Attributes:
        volatility: mean, per square root of a unit of time.
        uncertainty: its standard deviation.
        log_likelihood: log of the density that the filter gave the return.
        effective_particles: how many particles carry the weight.
    """

    volatility: float
    uncertainty: float
    log_likelihood: float
    effective_particles: float


class ParticleFilter:
    """Volatility and how sure one is of it: a bootstrap particle filter.

    The log variance ``h`` reverts to its mean, ``h' = mu + phi (h - mu) + sigma_eta n`` in one unit
    of time (exact for spans of any length), and a return over `dt` has the variance
    ``exp(h) dt``. Gordon, Salmond and Smith (1993); the same seed and returns
    give the same beliefs.

    Args:
        mu: long-run mean of the log variance.
        phi: persistence over one unit of time, in (0, 1).
        sigma_eta: noise of the log variance over one unit of time.
        particles: 2 to 1,000,000; a thousand is within some 4 % of the exact filter.
        seed: of its random numbers.

    Raises:
        InvalidValue: a parameter out of range.
    """

    def __init__(
        self, *, mu: float, phi: float, sigma_eta: float, particles: int = 1_000, seed: int = 1
    ) -> None:
        self._filter = _core.ParticleFilter(mu, phi, sigma_eta, particles, seed)

    def update(self, y: float, dt: float = 1.0) -> Belief:
        """Takes in a return `y` over a span `dt`.

        Raises:
            InvalidValue: a return that is not finite, a span that is not positive.
        """
        return Belief(*self._filter.update(y, dt))

    def follow(self, returns: Sequence[float] | Any) -> list[Belief]:
        """Takes in returns over one unit of time each."""
        return [self.update(float(y)) for y in returns]
