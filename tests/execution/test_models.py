"""Schedules, trajectories and measures from Python: the vectors, and fractions as the oracle."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import mainspring as ms
import pytest
from execution_vectors import vectors
from hypothesis import given
from hypothesis import strategies as st
from mainspring import _core
from mainspring.errors import ConfigError, InvalidValue
from mainspring.execution import plans


def near(value: float, expected: Any, vector: Any) -> None:
    want = math.inf if expected == "Infinity" else expected
    tolerance = vector["tolerance"]
    assert value == pytest.approx(want, rel=tolerance["rel"], abs=tolerance["abs"])


@pytest.mark.parametrize("vector", vectors("almgren_chriss"))
def test_almgren_chriss(vector: Any) -> None:
    given, expected = vector["inputs"], vector["expected"]
    found = ms.execution.almgren_chriss_trajectory(
        quantity=given["X"],
        horizon=given["T"],
        slices=given["N"],
        volatility=given["sigma"],
        half_spread=given["eps"],
        permanent=given["gamma"],
        temporary=given["eta"],
        risk_aversion=given["lam"],
    )
    for name in ("eta_tilde", "kappa", "half_life", "expected_cost", "variance", "utility"):
        near(getattr(found, name), expected[name], vector)
    near(found.standard_deviation, expected["std"], vector)
    for ours, theirs in zip(found.holdings, expected["holdings"], strict=True):
        near(ours, theirs, vector)


@pytest.mark.parametrize("vector", vectors("impact_power_law"))
def test_impact(vector: Any) -> None:
    for i, case in enumerate(vector["inputs"]["cases"]):
        found = ms.execution.market_impact(
            quantity=case["X"],
            daily_volume=case["V"],
            outstanding=case["Theta"],
            volatility=case["sigma"],
            days=case["T_days"],
        )
        for name in ("permanent_bps", "temporary_bps", "cost_bps"):
            near(getattr(found, name), vector["expected"][name][i], vector)


@pytest.mark.parametrize("vector", vectors("implementation_shortfall"))
def test_shortfall(vector: Any) -> None:
    given, expected = vector["inputs"], vector["expected"]
    found = ms.execution.implementation_shortfall(
        "buy" if given["side"] == 1 else "sell",
        quantity=given["Q"],
        fills=[(fill["price"], fill["qty"]) for fill in given["fills"]],
        decision=given["decision"],
        arrival=given["arrival"],
        last=given["final"],
        fees=given["fees"],
    )
    near(found.executed, expected["executed"], vector)
    near(found.average_price, expected["avg_price"], vector)
    near(found.delay, expected["delay_cost"], vector)
    near(found.trading, expected["trading_cost"], vector)
    near(found.opportunity, expected["opportunity_cost"], vector)
    near(found.total, expected["total"], vector)
    near(found.total_bps, expected["total_bps"], vector)


@pytest.mark.parametrize("vector", vectors("twap_slices"))
def test_even_slices(vector: Any) -> None:
    given = vector["inputs"]
    lots = _core.slice_lots(round(given["qty"] / given["lot"]), even=given["n"])
    assert [n * given["lot"] for n in lots] == pytest.approx(vector["expected"]["children"])


@pytest.mark.parametrize("vector", vectors("vwap_slices"))
def test_weighted_slices(vector: Any) -> None:
    given = vector["inputs"]
    weights = plans.whole_weights(given["curve"])
    lots = _core.slice_lots(round(given["qty"] / given["lot"]), weights=weights)
    assert [n * given["lot"] for n in lots] == pytest.approx(vector["expected"]["children"])


@pytest.mark.parametrize("vector", vectors("pov_children"))
def test_participation(vector: Any) -> None:
    given = vector["inputs"]
    total, sent, children = 0, 0, []
    for volume in given["market_volumes"]:
        total += round(volume / given["lot"])
        allowed = _core.participation_lots(total, given["rate"], given["own_volume_counts"])
        due = min(round(given["qty"] / given["lot"]), allowed)
        children.append((due - sent) * given["lot"])
        sent = due
    assert children == pytest.approx(vector["expected"]["children"])


@given(
    st.integers(1, 10**12),
    st.lists(
        st.floats(0, 1e6, allow_nan=False).map(lambda x: round(x, 6)), min_size=1, max_size=40
    ),
)
def test_slices_are_the_exact_shares_rounded_down(lots: int, curve: list[float]) -> None:
    if not any(curve):
        with pytest.raises(ConfigError, match="above zero"):
            plans.whole_weights(curve)
        return
    exact = [Fraction(str(weight)) for weight in curve]
    children = _core.slice_lots(lots, weights=plans.whole_weights(curve))
    done, share = 0, Fraction(0)
    for child, weight in zip(children, exact, strict=True):
        done, share = done + child, share + weight
        assert done == math.floor(lots * share / sum(exact))
    assert done == lots


def test_weights_of_very_different_size_keep_their_proportion() -> None:
    weights = plans.whole_weights([1e-30, 1.0, 1e30])
    assert weights[2] == 1 << 62
    assert weights[0] == 0


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: ms.Twap("buy", 0), "positive"),
        (lambda: ms.Twap("long", 1), "side"),  # type: ignore[arg-type]
        (lambda: ms.Twap("buy", 1, slices=0), "slices"),
        (lambda: ms.Twap("buy", 1, duration="soon"), "span of time"),
        (lambda: ms.Twap("buy", 1, style="rest"), "style"),  # type: ignore[arg-type]
        (lambda: ms.Vwap("buy", 1, curve=[0.0, 0.0]), "above zero"),
        (lambda: ms.Vwap("buy", 1), "weights"),
        (lambda: ms.Pov("buy", 1, rate=1.5), "rate"),
        (lambda: ms.Pov("buy", 1, rate=1.0, own_volume_counts=True), "rate"),
        (lambda: ms.Iceberg("buy", 1), "display"),
        (lambda: ms.Iceberg("buy", 1, display=1, style="join"), "clips"),
        (lambda: ms.Twap("buy", 1, max_participation=0.0), "max_participation"),
    ],
)
def test_plans_that_cannot_be_are_refused(make: Any, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        make()


def test_a_trajectory_without_optimum_is_refused() -> None:
    with pytest.raises(InvalidValue, match="must exceed"):
        ms.execution.almgren_chriss_trajectory(
            quantity=1.0, horizon=1.0, slices=1, volatility=1.0, temporary=0.1, permanent=1.0
        )


def test_shortfall_urgency_follows_from_risk() -> None:
    # k = sqrt(2e-6 * 0.5^2 / 0.002) = sqrt(2.5e-4) = 0.0158 a second: the half life is 43.8 s.
    plan = ms.ImplementationShortfall.from_risk(
        "sell", 1, risk_aversion=2e-6, volatility=0.5, temporary=0.002, duration="5m", slices=5
    )
    assert int(plan.half_life) == pytest.approx(math.log(2) / math.sqrt(2.5e-4) * 1e9)
    shares = plan._schedule(0)["shares"]
    assert shares[0] > 0.5
    assert shares[-1] == 1.0
