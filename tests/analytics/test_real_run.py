"""The figures and the report of a run that the kernel made, over a generated market."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mainspring import analytics as an
from mainspring.analytics.run_data import columns

_core = pytest.importorskip("mainspring._core", reason="the extension is not built")


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Any:
    import mainspring as ms

    data = tmp_path_factory.mktemp("flow") / "ethusdt.mse"
    _core.generate_flow(data, ["ethusdt"], 0.5, 1, False)
    maker = ms.native.Grid(every="500ms", size="0.1", max_position="1", levels=2, spacing_ticks=20)
    fees = ms.Fees(maker="0.0001", taker="0.0004")
    return ms.backtest(maker, data, latency="2ms", sample="100ms", cash="10000", fees=fees)


def test_a_run_is_run_data(real: Any) -> None:
    assert isinstance(real, an.RunData)


def test_figures_agree_with_the_ledger(real: Any) -> None:
    s = an.summary(real)
    fills, equity, positions = (columns(t) for t in (real.fills, real.equity, real.positions))
    assert s.fills.n == real.counts["fills"] == len(fills["side"]) > 50
    assert s.money.capital == pytest.approx(10_000)
    assert s.money.pnl == pytest.approx(s.money.final_equity - 10_000, abs=1e-9)
    assert s.money.fees == pytest.approx(float(fills["fee"].sum()), rel=1e-12)
    assert s.money.realised == pytest.approx(float(fills["realised"].sum()), abs=1e-9)
    assert s.fills.fee_bps == pytest.approx(1.0, rel=1e-6)
    assert s.inventory[0].final == pytest.approx(float(positions["position"][-1]))
    parts = equity["realised"] + equity["unrealised"] - equity["fees"] + equity["funding"]
    assert np.allclose(equity["equity"], 10_000 + parts, atol=1e-9)


def test_every_horizon_is_defined_when_sampled_finely(real: Any) -> None:
    markouts = an.summary(real).markouts
    assert [m.horizon for m in markouts] == [10**8, 10**9, 10**10, 6 * 10**10]
    assert all(m.vw_bps is not None for m in markouts)


def test_latency_is_what_was_configured(real: Any) -> None:
    legs = {leg.leg: leg for leg in an.summary(real).latency}
    assert legs["fill report (venue to us)"].median_ns == 2_000_000
    assert legs["new order, sent to answered"].median_ns == 4_000_000


def test_orders_end_in_named_states(real: Any) -> None:
    orders = an.summary(real).orders
    assert orders.by_state["filled"] > 0
    assert all(not name.startswith("state ") for name in orders.by_state)
    assert all(not name.startswith("reason ") for name in orders.by_reason)


def test_its_report_is_written(real: Any, tmp_path: Path) -> None:
    pytest.importorskip("bokeh", reason="needs mainspring[report]")
    path = an.report(real, tmp_path / "r.html")
    page = path.read_text()
    assert path.stat().st_size < 6_000_000
    assert real.hash in page
    assert real.data[0]["hash"] in page
    assert "prob_power3" in page
