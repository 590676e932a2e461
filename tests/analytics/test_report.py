"""The report as a file: whole, small, safe to open."""

from __future__ import annotations

import importlib.util
import re
import time
from pathlib import Path

import numpy as np
import pytest
from mainspring import analytics as an
from mainspring.analytics.run_report import MissingExtraError
from mainspring.errors import StorageError
from synthetic_run import SyntheticRun, make_run

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("bokeh") is None, reason="needs mainspring[report]"
)


def without_scripts(page: str) -> str:
    return re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)


def test_everything_is_in_the_file(run: SyntheticRun, tmp_path: Path) -> None:
    page = an.report(run, tmp_path / "r.html").read_text()
    visible = without_scripts(page)
    for title in (
        "Profit", "Drawdown", "Price and fills", "Traded quantity", "Inventory", "Spread captured",
        "Markout", "Fees and funding", "Fill ratio", "Latency", "All figures", "Assumptions",
    ):  # fmt: skip
        assert f"{title}</h2>" in visible, title
    for fact in (run.hash, run.data[0]["hash"], "prob_power3", "seed", "Not annualised", "thinned"):
        assert fact in visible, fact
    assert "http://" not in visible
    assert "https://" not in visible
    assert "<link" not in page
    assert 'src="' not in visible


def test_names_are_escaped(tmp_path: Path) -> None:
    run = make_run(hours=0.2, n_fills=20)
    run.strategies = ["<img src=x onerror=alert(1)>"]
    run.config["note"] = "</script><b>"
    page = an.report(run, tmp_path / "r.html").read_text()
    assert "<img" not in page
    assert "</script><b>" not in page


def test_millions_of_points_stay_small(tmp_path: Path) -> None:
    run = make_run(hours=0.5, n_fills=3_000)
    n = 2_000_000
    start, end = run.span_ns
    rng = np.random.default_rng(1)
    level = np.cumsum(rng.normal(0, 0.01, n))
    level[1_234_567] += 500.0
    run.equity = {
        "time_ns": np.linspace(start, end, n).astype(np.int64),
        "equity": 10_000 + level,
        "realised": level,
        "unrealised": np.zeros(n),
        "fees": np.zeros(n),
        "funding": np.zeros(n),
    }
    begin = time.perf_counter()
    path = an.report(run, tmp_path / "big.html")
    seconds = time.perf_counter() - begin
    assert path.stat().st_size < 6e6
    assert seconds < 30
    from mainspring.analytics.run_report.series import equity_series

    series = equity_series(run)
    assert len(series.pnl) < 5_000
    assert series.pnl.max() == pytest.approx(float(level.max()))


@pytest.mark.parametrize("n_fills", [0, 1, 2])
def test_nearly_empty_runs_have_a_report(n_fills: int, tmp_path: Path) -> None:
    path = an.report(make_run(hours=0.1, n_fills=n_fills), tmp_path / "r.html")
    assert path.stat().st_size > 1e6


def test_no_capital_no_mid_no_orders(tmp_path: Path) -> None:
    run = make_run(hours=0.2, n_fills=30, capital=0.0)
    run.fills["mid"] = np.full(30, np.nan)
    run.orders = {name: values[:0] for name, values in run.orders.items()}
    run.positions = {name: values[:0] for name, values in run.positions.items()}
    an.report(run, tmp_path / "r.html")


def test_months_only_where_there_are_months(run: SyntheticRun, tmp_path: Path) -> None:
    assert "Monthly returns" not in an.report(run, tmp_path / "a.html").read_text()
    long_run = make_run(hours=24 * 100, sample_s=3600, n_fills=300)
    page = an.report(long_run, tmp_path / "b.html").read_text()
    assert "Monthly returns" in page
    from mainspring.analytics.run_report.series import monthly_returns

    months = monthly_returns(long_run)
    assert months is not None
    product = np.prod([1 + v for v in months.values[2024] if v is not None])
    final = long_run.equity["equity"][-1] / 10_000
    assert product == pytest.approx(final)
    assert months.totals[2024] == pytest.approx(final - 1)


def test_a_failed_write_leaves_nothing(run: SyntheticRun, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no-such-folder"):
        an.report(run, tmp_path / "no-such-folder" / "r.html")
    target = tmp_path / "taken"
    target.mkdir()
    with pytest.raises(StorageError):
        an.report(run, target)
    assert [p.name for p in tmp_path.iterdir()] == ["taken"]


def test_a_missing_extra_says_what_to_install(
    run: SyntheticRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'mainspring\[report\]'"):
        an.report(run, tmp_path / "r.html")


def test_the_same_run_gives_the_same_figures(run: SyntheticRun, tmp_path: Path) -> None:
    pages = [an.report(run, tmp_path / f"{i}.html").read_text() for i in range(2)]
    ids = re.compile(r' id="[^"]+"')
    first, second = (ids.sub("", without_scripts(page)) for page in pages)
    assert first == second
