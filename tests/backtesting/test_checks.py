"""The checks find planted faults and pass honest strategies."""

from __future__ import annotations

import mainspring as ms
import planted
import pytest
from mainspring.data.dataset import Dataset
from mainspring.errors import InvalidValue


@pytest.mark.parametrize(
    "strategy",
    [planted.Honest, ms.native.TouchMaker(size="0.01", max_position="0.1", every="1s")],
    ids=["python", "native"],
)
def test_honest_strategies_pass_both(market: Dataset, strategy: type[ms.Strategy]) -> None:
    determinism = ms.check_determinism(strategy, market, latency="2ms")
    assert determinism.passed, determinism
    assert len(determinism.hashes) == 3
    assert not determinism.notes
    lookahead = ms.check_lookahead(strategy, market, cuts=2, latency="2ms")
    assert lookahead.passed, lookahead
    assert lookahead.decisions > 100
    assert lookahead.opened == []


@pytest.mark.parametrize(
    ("strategy", "cause"),
    [
        (planted.Unseeded, "random.random()"),
        (planted.SetOrder, "makes a set"),
        (planted.WallClock, "time.time_ns()"),
    ],
)
def test_a_strategy_that_differs_is_found_with_its_cause(
    market: Dataset, strategy: type[ms.Strategy], cause: str
) -> None:
    check = ms.check_determinism(strategy, market)
    assert not check.passed
    assert check.difference is not None
    assert check.difference.order_id is not None or check.difference.left is not None
    (named,) = check.causes
    assert cause in named
    assert "planted.py:" in named
    assert "first difference at record" in str(check)
    assert check.to_dict()["passed"] is False


def test_a_strategy_that_reads_the_data_set_is_found(market: Dataset) -> None:
    path = str(market.paths[0])
    check = ms.check_lookahead(planted.Peeker, market, parameters={"path": path})
    assert not check.passed
    assert check.opened == [str(market.paths[0].resolve())]
    for peek in check.peeks:
        assert peek.time_ns < peek.cut_ns
        assert (peek.cut_ns - peek.time_ns) <= 61 * 10**9  # it peeks a minute ahead
        assert f"order {peek.order_id}" in peek.text
    assert {peek.variant for peek in check.peeks} == {"cut", "changed"}


def test_peeking_at_fixed_times_can_be_asked_for(market: Dataset) -> None:
    first, last = market.span_ns
    times = [first + (last - first) // 3, first + (last - first) // 2]
    check = ms.check_lookahead(planted.Honest, market, cuts=times, perturb=False)
    assert check.cuts_ns == times
    with pytest.raises(InvalidValue, match="inside the run"):
        ms.check_lookahead(planted.Honest, market, cuts=[last + 1])
    with pytest.raises(InvalidValue, match="two at least"):
        ms.check_determinism(planted.Honest, market, runs=1)


def test_a_class_that_no_process_can_load_is_checked_here(market: Dataset) -> None:
    class Local(planted.Honest, every="5s"):
        pass

    check = ms.check_determinism(Local, market, runs=2)
    assert check.passed
    assert "put it into a file" in str(check)
    clock = ms.check_determinism(type("Clock", (planted.WallClock,), {}), market, runs=2)
    assert not clock.passed
