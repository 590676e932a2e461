"""GARCH against the arch package: its own daily returns of the S&P 500, and simulated ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mainspring import features as ft

pytestmark = pytest.mark.oracle

arch = pytest.importorskip("arch", reason="arch is not installed here")


def test_the_fit_of_the_sp500() -> None:
    from arch.data import sp500

    returns = (100 * sp500.load()["Adj Close"].pct_change().dropna()).to_numpy()
    found = ft.fit_garch(returns)
    vectors = json.loads((Path(__file__).parents[1] / "vectors/volatility.json").read_text())
    [expected] = [v["expected"] for v in vectors["vectors"] if v["fn"] == "garch_fit_arch_sp500"]
    for name in ("mu", "omega", "alpha", "beta"):
        assert getattr(found, name) == pytest.approx(expected[name], abs=2e-3), name


@pytest.mark.parametrize("seed", range(4))
def test_fits_of_simulated_returns(seed: int) -> None:
    rng = np.random.default_rng(seed)
    variance, returns = 1.0, []
    for _ in range(3_000):
        returns.append(np.sqrt(variance) * rng.standard_normal())
        variance = 0.05 + 0.1 * returns[-1] ** 2 + 0.85 * variance
    found = ft.fit_garch(returns)
    model: Any = arch.arch_model(np.array(returns), mean="Constant", vol="GARCH", p=1, q=1)
    theirs = model.fit(disp="off")
    # Both maximise the same likelihood: ours must not be lower.
    assert found.log_likelihood >= theirs.loglikelihood - 1e-3
    assert found.alpha == pytest.approx(theirs.params["alpha[1]"], abs=3e-3)
    assert found.beta == pytest.approx(theirs.params["beta[1]"], abs=6e-3)
