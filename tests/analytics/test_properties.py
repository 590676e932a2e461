"""What must hold for any input."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mainspring import analytics as an
from mainspring.analytics.distributions import (
    normal_cdf,
    normal_quantile,
    student_t_cdf,
    student_t_pdf,
    student_t_quantile,
)
from mainspring.analytics.trades import step_lookup
from mainspring.errors import InvalidValue

returns = arrays(np.float64, st.integers(2, 60), elements=st.floats(-0.5, 0.5, width=32))
equities = arrays(np.float64, st.integers(1, 80), elements=st.floats(1, 1e6))


@given(returns)
def test_drawdown_is_never_positive_nor_total(r: np.ndarray) -> None:
    value = an.max_drawdown(r)
    assert value is not None
    assert -1.0 < value <= 0.0


@given(returns, st.floats(0.1, 10))
def test_sharpe_ignores_the_scale(r: np.ndarray, scale: float) -> None:
    assume_varied = np.ptp(r) > 1e-6
    if assume_varied and np.abs(r * scale).max() < 1:
        assert an.sharpe_ratio(r * scale) == pytest.approx(an.sharpe_ratio(r), rel=1e-6, abs=1e-9)


@given(returns)
def test_metrics_are_finite_or_explained(r: np.ndarray) -> None:
    m = an.performance_metrics(r, 365)
    for name, value in m.to_dict().items():
        if value is None:
            assert m.undefined[name]
        elif isinstance(value, float):
            assert math.isfinite(value)


@given(returns)
def test_omega_at_zero_is_the_profit_factor(r: np.ndarray) -> None:
    assert an.omega_ratio(r) == an.performance_metrics(r, 252).profit_factor


@given(equities)
def test_drawdown_against_the_quadratic_definition(equity: np.ndarray) -> None:
    d = an.drawdown(equity)
    worst = min(equity[j] / equity[: j + 1].max() - 1.0 for j in range(len(equity)))
    assert d.max_drawdown == pytest.approx(worst)
    assert d.peak_index <= d.trough_index
    if d.recovery_index is not None:
        assert equity[d.recovery_index] >= equity[d.peak_index]
    longest = 0
    for i, value in enumerate(equity):
        if value == equity[: i + 1].max():
            later = [j for j in range(i + 1, len(equity)) if equity[j] >= value]
            end = later[0] if later else len(equity) - 1
            if end > i and (not later or end > i + 1):
                longest = max(longest, end - i)
    assert d.longest_underwater == longest


@given(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5), st.floats(-0.5, 0.5), st.integers(10, 5_000))
def test_psr_grows_with_the_gap_and_is_a_half_at_the_benchmark(
    low: float, high: float, sharpe: float, n: int
) -> None:
    low, high = sorted((low, high))
    assert an.probabilistic_sharpe(sharpe, low, n) >= an.probabilistic_sharpe(sharpe, high, n)
    assert an.probabilistic_sharpe(sharpe, sharpe, n) == pytest.approx(0.5)


@given(st.floats(0.01, 0.5), st.integers(30, 3_000), st.integers(2, 500), st.floats(1e-6, 0.05))
def test_more_trials_deflate_more(sharpe: float, n: int, trials: int, variance: float) -> None:
    few = an.deflated_sharpe(sharpe, n, n_trials=trials, trial_variance=variance)
    many = an.deflated_sharpe(sharpe, n, n_trials=2 * trials, trial_variance=variance)
    assert many.sr0 > few.sr0
    assert many.dsr <= few.dsr <= an.probabilistic_sharpe(sharpe, 0.0, n) + 1e-12


@given(st.floats(0.02, 0.4), st.floats(0.6, 0.99))
def test_the_minimum_track_record_reaches_its_confidence(sharpe: float, confidence: float) -> None:
    n = an.min_track_record(sharpe, confidence=confidence)
    assert n is not None
    reached = normal_cdf(sharpe * math.sqrt(n - 1) / math.sqrt(1 + 0.5 * sharpe**2))
    assert reached == pytest.approx(confidence, abs=1e-9)


ticks = st.integers(900, 1_100)


@given(
    st.lists(
        st.tuples(st.integers(0, 100), st.sampled_from([1, -1]), ticks), min_size=1, max_size=30
    ),
    st.lists(st.tuples(st.integers(0, 100), ticks), min_size=1, max_size=60),
    st.integers(0, 20),
)
def test_markouts_against_a_loop(
    fills: list[tuple[int, int, int]], quotes: list[tuple[int, int]], horizon: int
) -> None:
    quotes.sort(key=lambda q: q[0])
    t, side, price = (np.array(x) for x in zip(*fills, strict=True))
    clock, mids = (np.array(x, dtype=float) for x in zip(*quotes, strict=True))
    bps = an.markout_bps(t, side, price.astype(float), mid_times=clock, mids=mids, horizon=horizon)
    for k, (when, sign, paid) in enumerate(fills):
        at = when + horizon
        known = [mid for time, mid in quotes if time <= at]
        if at > quotes[-1][0] or not known:
            assert math.isnan(bps[k])
        else:
            assert bps[k] == pytest.approx(sign * (known[-1] - paid) / paid * 1e4)


@given(ticks, ticks, ticks, st.sampled_from([1, -1]))
def test_effective_spread_is_realised_plus_impact(
    mid: int, later: int, price: int, side: int
) -> None:
    def markout(p: float, m: float) -> float:
        return side * (m - p)

    assert -2 * markout(price, mid) == -2 * markout(price, later) + 2 * markout(mid, later)


@given(
    st.integers(1, 30),
    arrays(np.float64, st.integers(1, 400), elements=st.floats(-1e6, 1e6)),
    st.randoms(use_true_random=False),
)
def test_downsampling_keeps_the_extremes_of_every_span(
    buckets: int, values: np.ndarray, rng
) -> None:
    times = np.cumsum([rng.randint(0, 5) for _ in values])
    kept = an.minmax_indices(times, values, buckets)
    assert len(kept) <= 2 * buckets + 2 or len(values) <= 2 * buckets + 2
    assert (np.diff(kept) > 0).all()
    assert kept[0] == 0
    assert kept[-1] == len(values) - 1
    assert values[kept].max() == values.max()
    assert values[kept].min() == values.min()
    span = (times[-1] - times[0]) or 1
    bucket = np.minimum((times - times[0]) * buckets // span, buckets - 1)
    for b in np.unique(bucket):
        inside = values[bucket == b]
        chosen = values[kept][bucket[kept] == b]
        assert (chosen.min(), chosen.max()) == (inside.min(), inside.max())


def test_downsampling_drops_what_is_not_a_number() -> None:
    assert an.minmax_indices(np.arange(4), [1.0, np.nan, np.inf, 2.0], 5).tolist() == [0, 3]


@given(st.floats(1e-9, 1 - 1e-9), st.floats(1, 200))
def test_quantiles_invert_their_distributions(p: float, dof: float) -> None:
    assert normal_cdf(normal_quantile(p)) == pytest.approx(p, rel=1e-9)
    assert student_t_cdf(student_t_quantile(p, dof), dof) == pytest.approx(p, rel=1e-8, abs=1e-12)


@given(st.floats(1e-6, 1 - 1e-6))
def test_t_quantiles_with_a_closed_form(p: float) -> None:
    one, two = math.tan(math.pi * (p - 0.5)), (2 * p - 1) / math.sqrt(2 * p * (1 - p))
    assert student_t_quantile(p, 1) == pytest.approx(one, rel=1e-9, abs=1e-12)
    assert student_t_quantile(p, 2) == pytest.approx(two, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("dof", [2.5, 5.0, 40.0])
def test_t_distribution_is_the_integral_of_its_density(dof: float) -> None:
    grid = np.linspace(0, 1.7, 20_001)
    density = np.array([student_t_pdf(x, dof) for x in grid])
    integral = float(((density[1:] + density[:-1]) / 2 * np.diff(grid)).sum())
    assert student_t_cdf(1.7, dof) == pytest.approx(0.5 + integral, abs=1e-9)


@given(returns, st.floats(0.6, 0.99))
def test_expected_shortfall_is_at_least_value_at_risk(r: np.ndarray, confidence: float) -> None:
    v = an.value_at_risk(r, confidence)
    slack = 1e-9
    assert v.cvar_normal >= v.parametric_normal - slack
    assert v.cvar_student_t >= v.student_t - slack
    assert v.cvar_rockafellar_uryasev >= v.historical_order_statistic - slack
    assert v.cvar_empyrical >= v.historical_linear - slack


@given(st.integers(20, 200), st.integers(2, 8), st.floats(0, 0.2), st.integers(0, 10))
def test_purged_folds_do_not_leak(n: int, k: int, embargo: float, length: int) -> None:
    start = np.arange(n)
    end = start + (start * 7919 % (length + 1))
    seen = []
    for fold in an.purged_kfold(start, end, k, embargo=embargo):
        seen += fold.test.tolist()
        first, last = start[fold.test[0]], end[fold.test].max()
        assert not set(fold.train) & set(fold.test)
        for i in fold.train:
            assert end[i] < first or start[i] > last
    assert sorted(seen) == list(range(n))


@given(st.integers(5, 60), st.integers(1, 20), st.integers(1, 20), st.integers(0, 5))
def test_walk_forward_windows_fit(n: int, train: int, test: int, purge: int) -> None:
    for window in an.walk_forward(n, train, test, purge=purge):
        assert window.train[1] - window.train[0] == train
        assert window.test[0] - window.train[1] == purge
        assert window.test[1] - window.test[0] == test
        assert window.test[1] <= n


@given(arrays(np.float64, 4, elements=st.floats(-2, 2)))
def test_component_value_at_risk_sums_up(weights: np.ndarray) -> None:
    cov = np.diag([0.04, 0.09, 0.02, 0.1]) + 0.01
    if weights @ cov @ weights > 1e-8:
        v = an.portfolio_var(weights, cov, 1e6, 0.99)
        assert sum(v.component_var) == pytest.approx(v.var)


def test_lookup_takes_the_last_of_equal_times() -> None:
    found = step_lookup(np.array([1, 1, 2]), np.array([5.0, 6.0, 7.0]), np.array([0, 1, 2, 3]))
    assert math.isnan(found[0])
    assert found[1:3].tolist() == [6.0, 7.0]
    assert math.isnan(found[3])


@pytest.mark.parametrize(
    "call",
    [
        lambda: an.performance_metrics([0.1, math.nan], 252),
        lambda: an.performance_metrics([0.1, -1.5], 252),
        lambda: an.performance_metrics([0.1], 0),
        lambda: an.value_at_risk([0.1], 0.95),
        lambda: an.value_at_risk([0.1, 0.2], 1.0),
        lambda: an.drawdown([]),
        lambda: an.drawdown([1.0, -1.0]),
        lambda: an.kelly_continuous(0.1, 0.0),
        lambda: an.probabilistic_sharpe(1.0, 0.0, 1),
        lambda: an.probabilistic_sharpe(1.0, 0.0, 10, skew=9.0, kurtosis=3.0),
        lambda: an.pbo(np.zeros((10, 3)), 5),
        lambda: an.benchmark_metrics([0.1], [0.1, 0.2], 252),
        lambda: an.turnover([[1.0]], [[0.1]]),
        lambda: an.trade_statistics([1.0], [0.0]),
        lambda: an.walk_forward(10, 0, 1),
        lambda: an.purged_kfold([0, 1], [0, 0], 2),
        lambda: an.cpcv_counts(3, 3),
        lambda: an.sweep_statistics([]),
        lambda: an.compare([]),
    ],
)
def test_bad_input_is_refused(call) -> None:
    with pytest.raises(InvalidValue) as caught:
        call()
    assert len(str(caught.value)) > 10


fills_of_a_group = st.tuples(
    st.integers(0, 1), st.integers(0, 1), st.sampled_from([1, -1]), st.integers(1, 3)
)


@given(st.lists(fills_of_a_group, max_size=60))
def test_round_trips_against_a_loop(fills: list[tuple[int, int, int, int]]) -> None:
    rows = np.array(fills, dtype=np.int64).reshape(-1, 4)
    net = np.arange(1.0, len(rows) + 1) ** 2
    trips = an.round_trips(
        {
            "time_ns": np.arange(len(rows), dtype=np.int64) * 10,
            "strategy": rows[:, 0],
            "instrument": rows[:, 1],
            "side": rows[:, 2],
            "qty_lots": rows[:, 3],
            "realised": net + 0.5,
            "fee": np.full(len(rows), 0.5),
        }
    )
    state: dict[tuple[int, int], list] = {}
    expected = []
    for i, (strategy, instrument, side, lots) in enumerate(fills):
        open_trip = state.setdefault((strategy, instrument), [0, None, 0.0])
        before, after = open_trip[0], open_trip[0] + side * lots
        if open_trip[1] is None:
            open_trip[1] = i * 10
        open_trip[2] += net[i]
        open_trip[0] = after
        if before and (after == 0 or (after > 0) != (before > 0)):
            expected.append((open_trip[1], i * 10, strategy, instrument, open_trip[2]))
            open_trip[1:] = [i * 10 if after else None, 0.0]
    got = zip(
        trips.start_ns, trips.end_ns, trips.strategy, trips.instrument, trips.pnl, strict=True
    )
    assert [tuple(row) for row in got] == expected
