"""Runs with several strategies and instruments, of which some are inverse."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mainspring import analytics as an
from mainspring.analytics.run_data import mid_series, snapshot
from synthetic_run import SyntheticRun, make_run


def merged(inverse: bool = False, quote: str = "USDT") -> SyntheticRun:
    """Two runs as one: two instruments, two strategies, one account."""
    a, b = make_run(hours=1, n_fills=150, seed=1), make_run(hours=1, n_fills=100, seed=2)
    second = {**b.instruments[0], "symbol": "OTHER", "quote": quote}
    if inverse:
        second |= {"kind": "inverse_perpetual", "multiplier": "100"}
    for table in (b.fills, b.orders, b.positions):
        table["instrument"] = table["instrument"] + 1
        table["strategy"] = table["strategy"] + 1
    b.fills["order_id"] = b.fills["order_id"] + 10**6
    b.orders["order_id"] = b.orders["order_id"] + 10**6
    for name in ("fills", "orders", "positions"):
        one, two = getattr(a, name), getattr(b, name)
        both = {key: np.concatenate((one[key], two[key])) for key in one}
        order = np.argsort(both["time_ns"], kind="stable")
        setattr(a, name, {key: values[order] for key, values in both.items()})
    money = ("equity", "realised", "unrealised", "fees", "funding")
    a.equity = {k: v + b.equity[k] if k in money else v for k, v in a.equity.items()}
    a.instruments.append(second)
    a.strategies.append("other")
    return a


def test_figures_add_up_over_instruments() -> None:
    parts = [an.summary(make_run(hours=1, n_fills=n, seed=s)) for n, s in ((150, 1), (100, 2))]
    s = an.summary(merged())
    assert s.money.pnl == pytest.approx(sum(p.money.pnl for p in parts))
    assert s.fills.n == 250
    assert s.fills.notional == pytest.approx(sum(p.fills.notional or 0 for p in parts))
    assert s.fills.spread_captured == pytest.approx(
        sum(p.fills.spread_captured or 0 for p in parts)
    )
    assert s.orders.n == sum(p.orders.n for p in parts)
    assert s.round_trips.n == sum(p.round_trips.n for p in parts)
    for one, part in zip(s.inventory, parts, strict=True):
        assert one.mean == pytest.approx(part.inventory[0].mean, rel=1e-6)
    late = [m.total_pnl for m in s.markouts]
    assert late[2] == pytest.approx(sum(p.markouts[2].total_pnl or 0 for p in parts))


def test_mids_of_instruments_are_kept_apart() -> None:
    run = merged()
    run.positions["bid"][run.positions["instrument"] == 1] = 7.0
    run.positions["ask"][run.positions["instrument"] == 1] = 9.0
    run.fills["mid"][run.fills["instrument"] == 1] = 8.0
    assert set(mid_series(run, 1).mid) == {8.0}
    assert mid_series(run, 0).mid.min() > 1_000


def test_values_in_different_currencies_are_not_added() -> None:
    s = an.summary(merged(quote="EUR"))
    assert s.quote is None
    assert s.fills.notional is None
    assert s.fills.spread_captured is None
    assert s.fills.fee_bps is None
    assert s.fills.spread_captured_bps is not None


def test_an_inverse_contract_is_valued_by_its_multiplier() -> None:
    run = merged(inverse=True)
    value = an.summary(run).fills.notional
    own = run.fills["instrument"] == 1
    linear = (run.fills["price"] * run.fills["qty"])[~own].sum()
    assert value == pytest.approx(linear + 100 * run.fills["qty"][own].sum())


def test_its_report_has_a_chart_for_each(tmp_path: Path) -> None:
    pytest.importorskip("bokeh", reason="needs mainspring[report]")
    page = an.report(merged(), tmp_path / "r.html").read_text()
    for title in ("Price and fills BTCUSDT", "Price and fills OTHER", "Inventory OTHER"):
        assert f"{title}</h2>" in page


def test_a_snapshot_is_taken_once() -> None:
    run = snapshot(make_run(hours=0.1, n_fills=5))
    assert snapshot(run) is run
