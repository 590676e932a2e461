"""Runs side by side, and the statistics of a sweep."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from mainspring import analytics as an
from mainspring.analytics.sweeps import Trial
from synthetic_run import make_run


@pytest.fixture(scope="module")
def runs() -> list:
    return [make_run(seed=s, hours=1, n_fills=200, edge_ticks=e) for s, e in ((1, 4), (1, 12))]


def test_compare_names_the_better_run(runs: list) -> None:
    c = an.compare(runs, ["near", "far"])
    row = next(r for r in c.rows if r.label == "Profit and loss")
    pnl = [an.summary(run).money.pnl for run in runs]
    assert row.values == pytest.approx(pnl)
    assert row.deltas == pytest.approx([0.0, pnl[1] - pnl[0]])
    assert row.best == int(np.argmax(pnl))
    assert row.delta_texts[0] in {"0", "0.00"}
    text = c.to_text()
    assert "near" in text
    assert row.texts[row.best] + "*" in text


def test_less_is_better_for_fees_under_water(runs: list) -> None:
    row = next(r for r in an.compare(runs).rows if r.label == "Longest under water")
    values = [v for v in row.values if v is not None]
    assert row.best is None or row.values[row.best] == min(values)


def test_deltas_are_in_the_unit_of_the_figure(runs: list) -> None:
    by_label = {(r.section, r.label): r for r in an.compare(runs).rows}
    share = by_label["Returns", "Total return"]
    assert share.deltas[1] is not None
    assert share.delta_texts[1].endswith(" %")
    shown = float(share.delta_texts[1].removesuffix(" %").replace("\N{MINUS SIGN}", "-"))
    assert shown == pytest.approx(100 * share.deltas[1], abs=5e-4)


def test_a_lead_below_the_printed_digits_is_none(runs: list) -> None:
    for row in an.compare([runs[0], runs[0]]).rows:
        assert row.best is None


def test_compare_says_what_differs(runs: list) -> None:
    other = make_run(seed=2, hours=1, n_fills=200)
    c = an.compare([runs[0], other])
    assert c.same == {"data": True, "time span": True, "settings": False}
    assert c.differing_settings["seed"] == [1, 2]
    assert "seed: 1 | 2" in c.to_text()


def test_compare_as_json_and_html(runs: list, tmp_path: Path) -> None:
    c = an.compare(runs, ["a <b>", "c"])
    parsed = json.loads(c.to_json())
    assert parsed["names"] == ["a <b>", "c"]
    page = c.to_html(tmp_path / "c.html").read_text()
    assert "a &lt;b&gt;" in page
    assert "http" not in page


def trials(skill: float, n: int = 30, periods: int = 400) -> list[Trial]:
    rng = np.random.default_rng(5)
    noise = rng.normal(0, 0.01, (n, periods))
    noise[min(3, n - 1)] += skill
    return [Trial({"width": i}, row) for i, row in enumerate(noise)]


def test_the_best_of_noise_is_deflated() -> None:
    s = an.sweep_statistics(trials(0.0))
    assert s.psr is not None
    assert s.dsr is not None
    assert s.psr > 0.9, "looks good alone"
    assert s.dsr < 0.9, "is what luck gives"


def test_skill_survives() -> None:
    s = an.sweep_statistics(trials(0.004))
    assert s.best_parameters == {"width": 3}
    assert s.dsr is not None
    assert s.dsr > 0.95
    assert s.pbo == pytest.approx(0.0, abs=0.1)
    assert "width=3" in s.to_text()
    json.dumps(s.to_dict(), allow_nan=False)


def test_dsr_is_the_formula_on_the_trials() -> None:
    sample = trials(0.002)
    s = an.sweep_statistics(sample)
    sharpes = [t.returns.mean() / t.returns.std(ddof=1) for t in sample]
    assert s.sharpe == pytest.approx(max(sharpes))
    assert s.trial_variance == pytest.approx(np.var(sharpes, ddof=1))
    assert s.sr0 == pytest.approx(an.expected_max_sharpe(30, float(np.var(sharpes, ddof=1))))


def test_trials_that_never_trade_are_counted_not_ranked() -> None:
    flat = [Trial({"i": i}, np.zeros(50)) for i in range(3)]
    s = an.sweep_statistics(flat)
    assert s.sharpe is None
    assert "vary" in str(s.reason)
    mixed = an.sweep_statistics([*flat, *trials(0.0, n=2, periods=50)])
    assert (mixed.n_trials, mixed.n_ranked) == (5, 2)


def test_a_trial_of_a_run() -> None:
    trial = Trial.of({"gamma": 0.1}, make_run(hours=1, n_fills=50))
    assert trial is not None
    assert len(trial.returns) == 60
    assert Trial.of({}, make_run(hours=1, n_fills=50, capital=0.0)) is None
