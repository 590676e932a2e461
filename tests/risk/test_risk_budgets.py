"""Figures of risk as limits."""

from __future__ import annotations

import json
from pathlib import Path

import mainspring as ms
import numpy as np
import pytest
from mainspring import analytics as an
from mainspring.errors import InvalidValue
from mainspring.risk import budgets

VECTORS = json.loads(
    (Path(__file__).resolve().parents[1] / "vectors" / "risk.json").read_text(encoding="utf-8")
)["vectors"]
VALUE_AT_RISK = [vector for vector in VECTORS if vector["fn"] == "value_at_risk"]


@pytest.mark.parametrize("vector", VALUE_AT_RISK, ids=lambda vector: vector["id"])
def test_a_budget_over_its_figure_is_the_exposure(vector: dict[str, dict[str, float]]) -> None:
    returns, confidence = vector["inputs"]["returns"], vector["inputs"]["confidence"]
    conventions: tuple[budgets.Convention, ...] = (
        "historical_linear",
        "cornish_fisher",
        "parametric_normal",
        "cvar_rockafellar_uryasev",
    )
    for one in conventions:
        bound = budgets.exposure_within(returns, 100, confidence=confidence, convention=one)
        assert bound == pytest.approx(100 / vector["expected"][one], rel=1e-9)


def test_limits_take_the_tighter_bound() -> None:
    returns = VALUE_AT_RISK[0]["inputs"]["returns"]
    bound = budgets.exposure_within(returns, 100)
    limits = budgets.within_value_at_risk(ms.Limits(max_position="1"), returns, 100)
    assert limits.max_gross_exposure == pytest.approx(bound)
    assert limits.max_position == "1"
    tight = ms.Limits(max_gross_exposure="5")
    assert budgets.within_value_at_risk(tight, returns, 100) == tight
    for budget in (0, -1, float("nan")):
        with pytest.raises(InvalidValue):
            budgets.exposure_within(returns, budget)
    with pytest.raises(InvalidValue):
        budgets.exposure_within([0.01, 0.02, 0.03], 100)


def test_correlation_is_that_of_numpy_and_names_the_closest_pair() -> None:
    rng = np.random.default_rng(7)
    a, noise, c = rng.normal(size=(3, 200))
    b = a + 0.3 * noise
    found = an.correlation({"a": a, "b": b, "c": c})
    np.testing.assert_allclose(found.matrix, np.corrcoef([a, b, c]), rtol=0, atol=1e-12)
    assert found.largest_pair == ("a", "b")
    assert 1.0 < found.effective_bets < 3.0
    assert an.correlation({"a": a, "b": a}).effective_bets == pytest.approx(1.0)
    limits = budgets.without_correlated(
        ms.Limits(restricted=["x"]), {"a": a, "b": b, "c": c}, held="a"
    )
    assert limits.restricted == ["b", "x"]
    with pytest.raises(InvalidValue):
        an.correlation({"a": a, "b": b[:-1]})
    with pytest.raises(InvalidValue):
        budgets.without_correlated(ms.Limits(), {"a": a}, held="b")


def test_what_is_held_and_moves_together_is_a_cause_to_halt() -> None:
    rng = np.random.default_rng(7)
    a, noise, c = rng.normal(size=(3, 200))
    returns = {"a": a, "b": -a + 0.3 * noise, "c": c}
    cause = budgets.correlation_halt(returns, {"a", "b", "c"})
    assert cause is not None
    assert cause.startswith("correlation: a and b move together by -0.9")
    assert budgets.correlation_halt(returns, {"a", "c"}) is None
    assert budgets.correlation_halt(returns, {"a"}) is None
    assert budgets.correlation_halt(returns, {"a", "b"}, threshold=0.99) is None
    few = {name: series[:19] for name, series in returns.items()}
    with pytest.raises(InvalidValue):
        budgets.correlation_halt(few, {"a", "b"})
    with pytest.raises(InvalidValue, match="no returns of d"):
        budgets.correlation_halt(returns, {"a", "d"})
