"""Sizes against hand-worked cases and against what they promise."""

from __future__ import annotations

import math
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mainspring.errors import InvalidValue
from mainspring.risk import sizing

positive = st.floats(0.01, 1e6)


def test_hand_worked_cases() -> None:
    assert sizing.fixed(1.2345, lot=0.01) == 1.23
    assert sizing.equity_fraction(10_000, 50, 0.1, lot=1) == 20
    # 1 % of 10,000 over a stop 2 away: 50 units, 4,950 of value.
    assert sizing.risk_per_stop(10_000, 99, 97, 0.01, lot=1) == 50
    assert sizing.risk_per_stop(10_000, 99, 101, 0.01, lot=1) == 50
    assert sizing.risk_per_stop(10_000, 100, 99.9, 0.01, lot=1, max_leverage=2) == 200
    assert sizing.volatility_target(10_000, 100, 0.4, 0.1, lot=1) == 25
    # Half of 0.08 / 0.04 is 1, within the cap of 0.5.
    assert sizing.fractional_kelly(10_000, 100, 0.08, 0.04, lot=1, cap=0.5) == 50
    assert sizing.fractional_kelly(10_000, 100, -0.004, 0.04, lot=1) == -5
    # p = 0.6 at even odds: Kelly 0.2, half of it 0.1.
    assert sizing.binary_kelly(10_000, 100, 0.6, 1.0, lot=1) == 10
    assert sizing.binary_kelly(10_000, 100, 0.4, 1.0, lot=1) == 0
    size = partial(sizing.equity_fraction, price=50, fraction=0.1, lot=1)
    assert sizing.drawdown_scaled(size, 10_000, 10_000, 0.2, lot=1) == 20
    assert sizing.drawdown_scaled(size, 9_000, 10_000, 0.2, lot=1) == 9
    assert sizing.drawdown_scaled(size, 8_000, 10_000, 0.2, lot=1) == 0


@given(equity=positive, entry=positive, distance=st.floats(0.001, 0.5), risk=st.floats(1e-4, 0.1))
def test_a_stop_never_costs_more_than_the_risk(
    equity: float, entry: float, distance: float, risk: float
) -> None:
    stop = entry * (1 - distance)
    qty = sizing.risk_per_stop(equity, entry, stop, risk, lot=1e-6)
    assert qty * (entry - stop) <= equity * risk * (1 + 1e-9)
    assert (qty + 1e-6) * (entry - stop) >= equity * risk * (1 - 1e-6)


@given(mean=st.floats(-1, 1), variance=st.floats(1e-4, 1), cap=st.floats(0.1, 5))
def test_kelly_stays_within_its_cap_and_on_its_side(
    mean: float, variance: float, cap: float
) -> None:
    qty = sizing.fractional_kelly(1_000, 10, mean, variance, lot=1e-6, cap=cap)
    assert abs(qty) * 10 <= 1_000 * cap * (1 + 1e-9)
    assert qty == 0 or math.copysign(1, qty) == math.copysign(1, mean)


@pytest.mark.parametrize(
    "size",
    [
        lambda: sizing.fixed(-1, lot=1),
        lambda: sizing.fixed(1, lot=0),
        lambda: sizing.equity_fraction(1, 0, 0.1, lot=1),
        lambda: sizing.risk_per_stop(1_000, 100, 100, 0.01, lot=1),
        lambda: sizing.risk_per_stop(1_000, 100, 90, 0.01, lot=1, max_leverage=0),
        lambda: sizing.fractional_kelly(1_000, 100, 0.1, 0, lot=1),
        lambda: sizing.drawdown_scaled(lambda e: e, 1, 0, 0.1, lot=1),
    ],
)
def test_nonsense_is_refused(size: object) -> None:
    with pytest.raises(InvalidValue):
        size()  # type: ignore[operator]
