"""Every numeric vector of the figures in this package, at its own tolerance."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mainspring import analytics as an

VECTORS = Path(__file__).resolve().parents[1] / "vectors"


def load(suite: str) -> list[dict[str, Any]]:
    return json.loads((VECTORS / f"{suite}.json").read_text())["vectors"]


def performance(i: dict[str, Any]) -> Any:
    m = an.performance_metrics(i["returns"], i["periods_per_year"], mar=i["mar"])
    return m.to_dict()


def omega(i: dict[str, Any]) -> Any:
    return {"omega": an.omega_ratio(i["returns"], i["threshold"])}


def trade_statistics(i: dict[str, Any]) -> Any:
    s = an.trade_statistics(i["pnl"], i["initial_risk"]).to_dict()
    s["expectancy_R"], s["sqn_R"] = s.pop("expectancy_r"), s.pop("sqn_r")
    s["sqn_R_capped100"] = s.pop("sqn_r_capped100")
    # The vector's second form of the same figure, from its parts.
    loss_rate = sum(p < 0 for p in i["pnl"]) / len(i["pnl"])
    s["expectancy_formula"] = s["win_rate"] * s["avg_win"] + loss_rate * s["avg_loss"]
    return s


def markouts(i: dict[str, Any]) -> Any:
    fills = {k: np.array([f[k] for f in i["fills"]]) for k in ("t", "side", "price", "qty")}
    times, mids = np.array(i["mids"]).T
    result = {}
    for h, m in zip(
        i["horizons"], an.markouts(*fills.values(), times, mids, i["horizons"]), strict=True
    ):
        bps = an.markout_bps(fills["t"], fills["side"], fills["price"], times, mids, h)
        result[str(h)] = {
            "per_fill_bps": bps.tolist(),
            "total_pnl": m.total_pnl,
            "vw_bps": m.vw_bps,
        }
    return result


def turnover(i: dict[str, Any]) -> Any:
    return {"one_way": an.turnover(i["target_weights"], i["period_returns"])}


def benchmark(i: dict[str, Any]) -> Any:
    return an.benchmark_metrics(
        i["returns"], i["benchmark"], i["periods_per_year"], risk_free=i["risk_free"]
    ).to_dict()


def value_at_risk(i: dict[str, Any]) -> Any:
    v = an.value_at_risk(i["returns"], i["confidence"], student_dof=5).to_dict()
    v["student_t5"], v["cvar_t5"] = v.pop("student_t"), v.pop("cvar_student_t")
    return v


def kelly(i: dict[str, Any]) -> Any:
    return {
        "binary": an.kelly_binary(i["p_win"], i["payoff"]),
        "continuous": an.kelly_continuous(i["mean"], i["variance"]),
        "multi_asset": an.kelly_weights(i["mu"], i["cov"], fraction=1.0).tolist(),
        "half_multi_asset": an.kelly_weights(i["mu"], i["cov"]).tolist(),
    }


def vol_target(i: dict[str, Any]) -> Any:
    return an.vol_target_size(**i).to_dict()


def portfolio_var(i: dict[str, Any]) -> Any:
    v = an.portfolio_var(**i).to_dict()
    v["component_sum"] = sum(v["component_var"])
    return v


def exposure(i: dict[str, Any]) -> Any:
    rows = i["positions"]
    return an.exposure(
        i["equity"], *([p[key] for p in rows] for key in ("qty", "mark", "beta"))
    ).to_dict()


def psr(i: dict[str, Any]) -> Any:
    value = an.probabilistic_sharpe(
        i["sharpe"], i["benchmark"], i["T"], skew=i["skew"], kurtosis=i["kurtosis"]
    )
    return {"psr": value}


def dsr(i: dict[str, Any]) -> Any:
    return an.deflated_sharpe(
        i["sharpe"],
        i["T"],
        n_trials=i["n_trials"],
        trial_variance=i["var_trial_sharpe"],
        skew=i["skew"],
        kurtosis=i["kurtosis"],
    ).to_dict()


def min_track_record(i: dict[str, Any]) -> Any:
    n = an.min_track_record(**i)
    assert n is not None
    return {"observations": n, "years": n / 250}


def expected_max(i: dict[str, Any]) -> Any:
    return {
        "z": [an.expected_max_normal(n) for n in i["n_trials"]],
        "min_backtest_years_sr1": [an.min_backtest_years(n) for n in i["n_trials"]],
    }


def walk_forward(i: dict[str, Any]) -> Any:
    n, train, test = i.pop("n"), i.pop("train"), i.pop("test")
    return {"windows": [w.to_dict() for w in an.walk_forward(n, train, test, **i)]}


def purged_kfold(i: dict[str, Any]) -> Any:
    folds = an.purged_kfold(i["label_start"], i["label_end"], i["k"], embargo=i["embargo"])
    return {
        "folds": [
            {"test": [int(f.test[0]), int(f.test[-1])], "train": f.train.tolist()} for f in folds
        ]
    }


def cpcv(i: dict[str, Any]) -> Any:
    return dict(zip(("splits", "paths"), an.cpcv_counts(**i), strict=True))


def shortfall(i: dict[str, Any]) -> Any:
    price, qty = ([f[key] for f in i["fills"]] for key in ("price", "qty"))
    return an.implementation_shortfall(
        i["side"], i["decision"], i["arrival"], price, qty, i["Q"], i["final"], i["fees"]
    ).to_dict()


CALCULATIONS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "performance_metrics": performance,
    "omega_ratio": omega,
    "trade_statistics": trade_statistics,
    "markouts": markouts,
    "turnover": turnover,
    "brinson": lambda i: an.brinson(**i).to_dict(),
    "benchmark_metrics": benchmark,
    "value_at_risk": value_at_risk,
    "drawdown": lambda i: an.drawdown(i["equity"]).to_dict(),
    "kelly": kelly,
    "vol_target_size": vol_target,
    "portfolio_var": portfolio_var,
    "exposure": exposure,
    "probabilistic_sharpe": psr,
    "deflated_sharpe": dsr,
    "min_track_record": min_track_record,
    "expected_max_sharpe": expected_max,
    "pbo": lambda i: an.pbo(i["returns"], i["S"]).to_dict(),
    "walk_forward": walk_forward,
    "purged_kfold": purged_kfold,
    "cpcv_counts": cpcv,
    "implementation_shortfall": shortfall,
}

CASES = [
    vector
    for suite in ("performance", "risk", "backtest_realism", "execution")
    for vector in load(suite)
    if vector["fn"] in CALCULATIONS
]


def assert_equal(got: Any, want: Any, tolerance: dict[str, float], where: str) -> None:
    if isinstance(want, dict):
        for key, value in want.items():
            assert key in got, f"{where}.{key} is missing"
            assert_equal(got[key], value, tolerance, f"{where}.{key}")
    elif isinstance(want, list):
        assert len(got) == len(want), where
        for n, pair in enumerate(zip(got, want, strict=True)):
            assert_equal(*pair, tolerance, f"{where}[{n}]")
    elif want is None:
        assert got is None, where
    else:
        close = math.isclose(got, want, rel_tol=tolerance["rel"], abs_tol=tolerance["abs"])
        assert close, f"{where}: {got} is not {want}"


@pytest.mark.parametrize("vector", CASES, ids=[v["id"] for v in CASES])
def test_vector(vector: dict[str, Any]) -> None:
    got = CALCULATIONS[vector["fn"]](dict(vector["inputs"]))
    assert_equal(got, vector["expected"], vector["tolerance"], vector["id"])


def test_every_calculation_has_a_vector() -> None:
    assert {v["fn"] for v in CASES} == set(CALCULATIONS)
