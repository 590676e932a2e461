"""Figures of a run against slow, separate arithmetic."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from mainspring import analytics as an
from mainspring.analytics.calendar import DAY_NS, HOUR_NS, MINUTE_NS, regular_step, step_equity
from mainspring.analytics.formatting import UNDEFINED
from mainspring.analytics.run_data import columns
from mainspring.errors import InvalidValue
from synthetic_run import FILLED, LOT, SECOND, START_NS, SyntheticRun, make_run


def test_a_run_satisfies_the_protocol(run: SyntheticRun) -> None:
    assert isinstance(run, an.RunData)


def test_money_adds_up(run: SyntheticRun) -> None:
    s = an.summary(run)
    m = s.money
    assert m.capital == pytest.approx(10_000)
    assert m.pnl == pytest.approx(m.final_equity - m.capital)
    assert m.pnl == pytest.approx(m.realised + m.unrealised - m.fees + m.funding)
    assert m.fees == pytest.approx(float(run.fills["fee"].sum()))
    assert m.realised == pytest.approx(float(run.fills["realised"].sum()))


def test_fill_figures_by_hand(run: SyntheticRun) -> None:
    f, s = run.fills, an.summary(run)
    value = captured = maker = 0.0
    for side, price, qty, mid, is_maker in zip(
        f["side"], f["price"], f["qty"], f["mid"], f["maker"], strict=True
    ):
        value += price * qty
        captured += side * (mid - price) * qty
        maker += price * qty * is_maker
    assert s.fills.notional == pytest.approx(value)
    assert s.fills.maker_share == pytest.approx(maker / value)
    assert s.fills.spread_captured == pytest.approx(captured)
    assert s.fills.spread_captured_bps == pytest.approx(captured / value * 1e4)
    assert s.fills.fee_bps == pytest.approx(f["fee"].sum() / value * 1e4)
    assert s.fills.n_buys + s.fills.n_sells == s.fills.n == len(f["side"])


def test_order_figures_by_hand(run: SyntheticRun) -> None:
    last: dict[int, tuple[int, float]] = {}
    o = run.orders
    for order_id, state, filled, qty in zip(
        o["order_id"], o["state"], o["filled_lots"], o["qty_lots"], strict=True
    ):
        last[int(order_id)] = (int(state), filled / qty)
    figures = an.summary(run).orders
    assert figures.n == len(last)
    assert figures.by_state["filled"] == sum(s == FILLED for s, _ in last.values())
    assert sum(figures.by_state.values()) == figures.n
    assert figures.fill_ratio == pytest.approx(sum(r for _, r in last.values()) / len(last))
    assert figures.by_reason == {"post only would take": figures.by_state["rejected"]} or (
        figures.by_reason == {"post_only_would_take": figures.by_state["rejected"]}
    )


def test_inventory_by_hand(run: SyntheticRun) -> None:
    (figures,) = an.summary(run).inventory
    times = [run.span_ns[0], *run.fills["time_ns"].tolist()]
    held = [0.0, *(run.fills["position_lots"] * LOT).tolist()]
    ends = [*times[1:], max(run.span_ns[1], times[-1])]
    spans = [end - start for start, end in zip(times, ends, strict=True)]
    total = sum(spans)
    assert figures.final == pytest.approx(held[-1])
    assert figures.mean == pytest.approx(
        sum(h * w for h, w in zip(held, spans, strict=True)) / total
    )
    busy = sum(w for h, w in zip(held, spans, strict=True) if h)
    assert figures.time_in_market == pytest.approx(busy / total)
    assert figures.max_long == pytest.approx(max(held))
    assert figures.max_short == pytest.approx(min(held))


def test_drawdown_by_hand(run: SyntheticRun) -> None:
    peak = worst = 10_000.0
    worst = 0.0
    for value in run.equity["equity"].tolist():
        peak = max(peak, value)
        worst = min(worst, value - peak)
    d = an.summary(run).drawdown
    assert d.max_drawdown_money == pytest.approx(worst)
    assert d.peak_ns <= d.trough_ns


def test_latency_by_hand(run: SyntheticRun) -> None:
    waits = np.sort(run.fills["time_ns"] - run.fills["exch_ns"])
    legs = {leg.leg: leg for leg in an.summary(run).latency}
    report = legs["fill report (venue to us)"]
    assert (report.n, report.min_ns, report.max_ns) == (len(waits), waits[0], waits[-1])
    assert waits[0] <= report.median_ns <= report.p95_ns <= report.p99_ns <= waits[-1]
    assert legs["new order, sent to answered"].min_ns >= 3_500_000


def test_round_trips_by_hand(run: SyntheticRun) -> None:
    trips = an.round_trips(run.fills)
    pnl, start, held, done = 0.0, None, 0, []
    f = run.fills
    for i in range(len(f["side"])):
        after = int(f["position_lots"][i])
        if held == 0:
            start = int(f["time_ns"][i])
        pnl += float(f["realised"][i] - f["fee"][i])
        if held != 0 and (after == 0 or (after > 0) != (held > 0)):
            done.append((start, int(f["time_ns"][i]), pnl))
            pnl, start = 0.0, int(f["time_ns"][i])
        held = after
    assert len(trips) == len(done) > 20
    assert trips.start_ns.tolist() == [d[0] for d in done]
    assert trips.end_ns.tolist() == [d[1] for d in done]
    assert trips.pnl == pytest.approx([d[2] for d in done], abs=1e-9)


def test_markouts_below_the_sampling_interval_are_refused(run: SyntheticRun) -> None:
    by_horizon = {m.horizon: m for m in an.summary(run).markouts}
    short = by_horizon[100_000_000]
    assert short.vw_bps is None
    assert "every 1 s" in str(short.reason)
    assert by_horizon[SECOND].n > 1_900


def test_recorded_mids_give_short_horizons() -> None:
    run = make_run(hours=1, n_fills=100)
    run.mids = {
        0: {
            "time_ns": run.positions["time_ns"],
            "mid": 0.5 * (run.positions["bid"] + run.positions["ask"]),
        }
    }
    first = an.summary(run).markouts[0]
    assert first.horizon == 100_000_000
    assert first.n == 100


def test_short_runs_are_not_annualised(run: SyntheticRun) -> None:
    s = an.summary(run)
    assert s.returns is not None
    assert s.returns.sharpe is None
    assert s.returns.sharpe_per_period is not None
    assert "30 days" in s.returns.undefined["sharpe"]
    assert any("Not annualised" in line for line in s.conventions)
    forced = an.summary(run, annualise_short=True).returns
    assert forced is not None
    assert forced.sharpe == pytest.approx(s.returns.sharpe_per_period * math.sqrt(365 * 1440))


def test_long_runs_are_annualised_by_days() -> None:
    s = an.summary(make_run(hours=24 * 45, sample_s=600, n_fills=500))
    assert s.returns is not None
    assert s.returns_step == "1 day"
    assert (s.returns.n_periods, s.returns.periods_per_year) == (45, 365)
    assert s.returns.sharpe is not None
    assert any("365 periods a year" in line for line in s.conventions)


def test_without_capital_there_are_no_returns() -> None:
    s = an.summary(make_run(hours=1, n_fills=50, capital=0.0))
    assert s.returns is None
    assert s.drawdown.max_drawdown is None
    assert s.drawdown.max_drawdown_money <= 0
    assert any("without capital" in line for line in s.conventions)
    assert "No returns" in s.to_text()


def test_a_run_without_fills_has_a_summary() -> None:
    run = make_run(hours=1, n_fills=0)
    s = an.summary(run)
    assert s.fills.n == 0
    assert s.fills.spread_captured_bps is None
    assert s.orders.fill_ratio is None
    assert s.returns is not None
    assert s.returns.sharpe_per_period is None
    assert s.returns.total_return is not None
    json.loads(s.to_json())
    text = s.to_text()
    assert "Fills" in text
    assert UNDEFINED not in text, "nothing is listed that says nothing"


def test_a_run_without_equity_is_refused(run: SyntheticRun) -> None:
    empty = make_run(hours=1, n_fills=0)
    empty.equity = {name: values[:0] for name, values in columns(run.equity).items()}
    with pytest.raises(InvalidValue, match="no equity sample"):
        an.summary(empty)


def test_json_has_no_nan(run: SyntheticRun) -> None:
    def refuse(text: str) -> None:
        raise AssertionError(text)

    parsed = json.loads(an.summary(run).to_json(), parse_constant=refuse)
    assert parsed["money"]["pnl"] == pytest.approx(an.summary(run).money.pnl)
    assert parsed["markouts"][0]["vw_bps"] is None


def test_text_is_aligned_and_complete(run: SyntheticRun) -> None:
    text = an.summary(run).to_text(78)
    assert max(len(line) for line in text.splitlines()) <= 78
    for word in (
        "Profit and loss",
        "Fees",
        "Spread captured",
        "after 10 s",
        "ended filled",
        run.hash,
    ):
        assert word in text


def test_rich_prints_the_same_figures(run: SyntheticRun) -> None:
    from rich.console import Console

    s = an.summary(run)
    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(s)
    printed = console.export_text()
    assert "Profit and loss" in printed
    assert run.hash in printed


@pytest.mark.parametrize(
    ("span", "sampling", "step"),
    [
        (60 * DAY_NS, SECOND, DAY_NS),
        (3 * DAY_NS, SECOND, HOUR_NS),
        (6 * HOUR_NS, SECOND, MINUTE_NS),
        (60 * SECOND, SECOND, SECOND),
        (10 * SECOND, 100_000_000, SECOND),
        (10 * MINUTE_NS, 5 * MINUTE_NS, HOUR_NS),
    ],
)
def test_the_step_fits_the_span(span: int, sampling: int, step: int) -> None:
    if span == 10 * MINUTE_NS:
        assert regular_step(span, sampling) == SECOND
    else:
        assert regular_step(span, sampling) == step


def test_stepped_equity_is_the_last_value_known() -> None:
    times = START_NS + np.array([10, 70, 130, 600], dtype=np.int64) * SECOND
    values = np.array([101.0, 102.0, 99.0, 105.0])
    stepped = step_equity(times, values, 100.0, MINUTE_NS)
    assert stepped.equity.tolist() == [100, 101, 102, *([99.0] * 7), 105]
    gaps = step_equity(times, values, 100.0, MINUTE_NS, continuous=False)
    assert gaps.equity.tolist() == [100, 101, 102, 99, 105]


def test_lost_capital_gives_no_returns() -> None:
    times = START_NS + np.arange(1, 4, dtype=np.int64) * MINUTE_NS
    stepped = step_equity(times, np.array([50.0, -1.0, 2.0]), 100.0, MINUTE_NS)
    assert stepped.returns() is None
