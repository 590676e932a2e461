"""Where a resting order stands: how much feed quantity is in front of it.

The feed shows how a level changes, not where in the queue. Trades take from the front. What else
leaves the level was cancelled, in front of us or behind us, and the models differ only in the
probability that they give to "behind us". The formulas are those of hftbacktest 2.4.4.
"""

from __future__ import annotations

import math
from collections.abc import Callable

Probability = Callable[[float, float], float]
"""(front, back) -> the share of a decrease that happened behind us."""


def _power(n: float) -> Probability:
    return lambda front, back: _ratio(_pow(back, n), _pow(back, n) + _pow(front, n))


def _power_total(n: float) -> Probability:
    return lambda front, back: _ratio(_pow(back, n), _pow(back + front, n))


def _pow(x: float, n: float) -> float:
    """Squares and cubes are products, so that every engine rounds them alike."""
    if n in (2, 3):
        return x * x if n == 2 else x * x * x
    return math.pow(x, n) if x >= 0.0 or n.is_integer() else math.nan


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole != 0.0 else math.nan


def _log_plus_one(x: float) -> float:
    return math.log(1.0 + x) if x > -1.0 else math.nan


def _one_minus_power3(front: float, back: float) -> float:
    return 1.0 - _pow(_ratio(front, front + back), 3)


def _log(unit: float) -> Probability:
    def probability(front: float, back: float) -> float:
        behind = _log_plus_one(back * unit)
        return _ratio(behind, behind + _log_plus_one(front * unit))

    return probability


def _log2(unit: float) -> Probability:
    return lambda front, back: _ratio(
        _log_plus_one(back * unit), _log_plus_one(back * unit + front * unit)
    )


def _scaled(probability: Probability, unit: float) -> Probability:
    return lambda front, back: probability(front * unit, back * unit)


def probability_of(model: str, exponent: float = 2.0, unit: float = 1.0) -> Probability | None:
    """The probability of a model by name, `None` for the risk-averse one.

    The log models are not free of scale: `unit` is what one lot is in units of the base.

    Raises:
        ValueError: For a name that is not known.
    """
    named: dict[str, Probability | None] = {
        "risk_averse": None,
        "l3_fifo": None,  # with level data, the same
        "prob_power2": _power(2),
        "prob_power3": _power(3),
        "prob_power": _power(exponent),
        "prob_power_total2": _power_total(2),
        "prob_power_total3": _power_total(3),
        "prob_power_total": _power_total(exponent),
        "prob_one_minus_power3": _one_minus_power3,
        "prob_log": _log(unit),
        "prob_log2": _log2(unit),
    }
    if model not in named:
        raise ValueError(f"queue model {model!r} is not known; use one of {', '.join(named)}")
    return named[model]


class QueuePlace:
    """The place of one resting order."""

    __slots__ = ("front", "probability", "traded")

    def __init__(self, front: float, probability: Probability | None) -> None:
        self.front = float(front)
        """Feed quantity ahead of the order, in lots."""
        self.traded = 0.0
        """What traded since the level was last set, not to be counted again as a cancel."""
        self.probability = probability

    def trade(self, qty: float) -> None:
        """A trade took `qty` from the front of the queue."""
        self.front -= qty
        self.traded += qty

    def depth(self, before: float, after: float) -> None:
        """The feed set the level from `before` to `after`."""
        if self.probability is None:
            self.front = min(self.front, after)
            return
        change = before - after - self.traded
        self.traded = 0.0
        if change < 0.0:
            self.front = min(self.front, after)
            return
        back = before - self.front
        share = self.probability(max(self.front, 0.0), back)
        if not math.isfinite(share):
            share = 1.0
        self.front = min(
            self.front - (1.0 - share) * change + min(back - share * change, 0.0), after
        )
