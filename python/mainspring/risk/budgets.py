"""Limits from figures of risk: how much exposure a budget of loss allows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Literal

from numpy.typing import ArrayLike

from mainspring.analytics.risk import correlation, value_at_risk
from mainspring.errors import InvalidValue
from mainspring.risk.limits import Limits

Convention = Literal[
    "historical_linear",
    "historical_order_statistic",
    "parametric_normal",
    "student_t",
    "cornish_fisher",
    "cvar_empyrical",
    "cvar_rockafellar_uryasev",
    "cvar_normal",
    "cvar_student_t",
]
"""A figure of [`ValueAtRisk`][mainspring.analytics.risk.ValueAtRisk]."""


def exposure_within(
    returns: ArrayLike,
    budget: float,
    *,
    confidence: float = 0.95,
    convention: Convention = "historical_linear",
) -> float:
    """The exposure whose value at risk (or shortfall) of one period is `budget`, in money.

    Args:
        returns: Past returns of what is held, of the period that the budget is for.
        budget: Largest loss at the confidence, in money.
        confidence: Such as 0.95.
        convention: Which value at risk; libraries differ by definition.

    Raises:
        InvalidValue: The budget is not positive, the figure is undefined for these returns, or they
            show no risk at all.
    """
    if not budget > 0.0:
        raise InvalidValue(f"a budget of {budget} cannot be spent; it must be positive")
    figure = getattr(value_at_risk(returns, confidence), convention)
    if figure is None or not figure > 0.0:
        raise InvalidValue(
            f"{convention} at {confidence} is {figure} for these returns: no exposure follows"
        )
    return float(budget / figure)


def within_value_at_risk(
    limits: Limits,
    returns: ArrayLike,
    budget: float,
    *,
    confidence: float = 0.95,
    convention: Convention = "historical_linear",
) -> Limits:
    """`limits` with gross exposure bounded so that the value at risk stays within `budget`.

    A tighter bound that is there already stays.
    """
    bound = exposure_within(returns, budget, confidence=confidence, convention=convention)
    own = limits.max_gross_exposure
    if own is not None and float(own) <= bound:
        return limits
    return replace(limits, max_gross_exposure=round(bound, 6))


def without_correlated(
    limits: Limits, returns: Mapping[str, ArrayLike], *, held: str, threshold: float = 0.7
) -> Limits:
    """`limits` with every symbol restricted whose returns move with those of `held` too closely.

    Args:
        limits: The limits so far.
        returns: Past returns by symbol, of the same periods.
        held: The symbol that is held.
        threshold: Absolute correlation above which nothing may be added.

    Raises:
        InvalidValue: `held` has no returns, or they do not match, see
            [`correlation`][mainspring.analytics.risk.correlation].
    """
    if held not in returns:
        raise InvalidValue(f"no returns of {held}; there are {', '.join(returns)}")
    found = correlation(returns)
    row = found.matrix[found.names.index(held)]
    close = [
        name
        for name, value in zip(found.names, row, strict=True)
        if name != held and abs(value) > threshold
    ]
    return replace(limits, restricted=sorted({*limits.restricted, *close}))


def correlation_halt(
    returns: Mapping[str, ArrayLike],
    held: Collection[str],
    *,
    threshold: float = 0.7,
) -> str | None:
    """The cause to halt for when two of what is held move together too closely, else None.

    `LiveSession.kill` takes it as it is; the session's halt then has the cause ``correlation``.

    Args:
        returns: Past returns by symbol, of the same periods.
        held: The symbols with a position, long or short.
        threshold: Largest absolute correlation that two of them may have.

    Raises:
        InvalidValue: One that is held has no returns, they do not match, or there are too few of
            them, see [`correlation`][mainspring.analytics.risk.correlation].
    """
    missing = sorted(set(held) - set(returns))
    if missing:
        raise InvalidValue(f"no returns of {', '.join(missing)}, which are held")
    if len(set(held)) < 2:
        return None
    found = correlation({name: returns[name] for name in sorted(set(held))})
    if found.largest is None or abs(found.largest) <= threshold:
        return None
    pair = " and ".join(found.largest_pair or ())
    return f"correlation: {pair} move together by {found.largest:.2f}, beyond {threshold:.2f}"
