"""The normal and Student-t distributions to full double precision, without scipy."""

from __future__ import annotations

import math

from mainspring.errors import InvalidValue

EULER_GAMMA = 0.5772156649015329


def normal_pdf(x: float) -> float:
    """Density of the standard normal distribution."""
    return math.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)


def normal_cdf(x: float) -> float:
    """Distribution function of the standard normal; exact in both tails."""
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def normal_quantile(p: float) -> float:
    """Quantile of the standard normal (Wichura 1988, AS 241). ``p`` in (0, 1)."""
    if not 0.0 < p < 1.0:
        raise InvalidValue(f"a quantile needs a probability between 0 and 1, not {p}")
    # Not at the top: `statistics` is slow to import and most runs need no quantile.
    from statistics import NormalDist

    return NormalDist().inv_cdf(p)


def student_t_pdf(x: float, dof: float) -> float:
    """Density of Student's t with ``dof`` degrees of freedom."""
    log_norm = math.lgamma((dof + 1) / 2) - math.lgamma(dof / 2) - 0.5 * math.log(dof * math.pi)
    return math.exp(log_norm - (dof + 1) / 2 * math.log1p(x * x / dof))


def student_t_cdf(x: float, dof: float) -> float:
    """Distribution function of Student's t with ``dof`` degrees of freedom."""
    square = x * x
    if square < dof:
        # Near the centre the tail's argument is 1 to rounding: integrate from the middle instead.
        half = 0.5 * _incomplete_beta(0.5, dof / 2, square / (dof + square))
        return 0.5 + math.copysign(half, x)
    tail = 0.5 * _incomplete_beta(dof / 2, 0.5, dof / (dof + square))
    return tail if x < 0 else 1.0 - tail


def student_t_quantile(p: float, dof: float) -> float:
    """Quantile of Student's t. ``p`` in (0, 1), ``dof`` positive."""
    if not 0.0 < p < 1.0:
        raise InvalidValue(f"a quantile needs a probability between 0 and 1, not {p}")
    if dof <= 0:
        raise InvalidValue(f"degrees of freedom must be positive, not {dof}")
    if p > 0.5:
        return -student_t_quantile(1.0 - p, dof)
    low, high = -1.0, 0.0
    while student_t_cdf(low, dof) > p:
        low *= 2.0
    x = 0.5 * (low + high)
    for _ in range(200):
        error = student_t_cdf(x, dof) - p
        low, high = (x, high) if error < 0 else (low, x)
        step = x - error / student_t_pdf(x, dof)
        following = step if low < step < high else 0.5 * (low + high)
        if abs(following - x) <= 1e-15 * max(1.0, abs(x)):
            return following
        x = following
    return x


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """Regularised incomplete beta function by its continued fraction (Abramowitz-Stegun 26.5.8)."""
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    if x > (a + 1) / (a + b + 2):
        return 1.0 - _incomplete_beta(b, a, 1.0 - x)
    log_front = (
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
        + a * math.log(x) + b * math.log1p(-x)
    )  # fmt: skip
    return math.exp(log_front) * _beta_fraction(a, b, x) / a


def _beta_fraction(a: float, b: float, x: float) -> float:
    """Modified Lentz evaluation of the continued fraction of the incomplete beta function."""
    tiny = 1e-300
    c, d = 1.0, 1.0 - (a + b) * x / (a + 1)
    d = 1.0 / (d if abs(d) > tiny else tiny)
    value = d
    for m in range(1, 500):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1.0 + term * d
            d = 1.0 / (d if abs(d) > tiny else tiny)
            c = 1.0 + term / c
            c = c if abs(c) > tiny else tiny
            value *= d * c
        if abs(d * c - 1.0) < 1e-16:
            break
    return value
