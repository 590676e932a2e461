"""Features over stored rows, and the estimators: vectors, a run as oracle, bad input."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mainspring as ms
import numpy as np
import pytest
from mainspring import features as ft
from mainspring.data import Dataset, RowKind, instrument
from mainspring.errors import ConfigError, InvalidValue

VECTORS = Path(__file__).parents[1] / "vectors"
FEATURES = ("mid", "imbalance", "ofi:window=5s", "trade_flow", "ewma_volatility:halflife=5s")
NAMES = ("mid", "imbalance", "ofi", "trade_flow", "ewma_volatility")


@pytest.fixture(scope="module")
def data() -> Dataset:
    return ms.sample("btcusdt", hours=0.05)


class Watcher(ms.Strategy):
    """Writes down what the kernel's features are at every message."""

    features = FEATURES

    def on_start(self, m: Any) -> None:
        self.seen: list[tuple[float, ...]] = []

    def on_book(self, m: Any) -> None:
        self.seen.append((m.time_ns, *(getattr(m.features, name) for name in NAMES)))


def test_a_scan_gives_what_a_strategy_sees(data: Dataset) -> None:
    watcher = Watcher()
    ms.backtest(watcher, data, latency=0)
    table = ft.compute(data, FEATURES)
    scanned = np.column_stack([table[name] for name in NAMES])
    times, first, counts = np.unique(table["time_ns"], return_index=True, return_counts=True)
    at = {time: scanned[n] for time, n in zip(times[counts == 1], first[counts == 1], strict=True)}
    compared = 0
    for time, *values in watcher.seen:
        if time in at:
            np.testing.assert_array_equal(at[time], values)
            compared += 1
    assert compared > 2_000


def test_a_book_has_the_levels_that_its_rows_say(data: Dataset) -> None:
    table = ft.book(data, 3)
    rows = data.read()
    columns = [rows[name].tolist() for name in ("recv_ns", "kind", "flags", "side", "price", "qty")]
    levels: dict[int, dict[float, float]] = {1: {}, -1: {}}
    at, touched = 0, False
    for recv_ns, kind, flags, side, price, qty in zip(*columns, strict=True):
        if kind == RowKind.CLEAR:
            levels = {1: {}, -1: {}}
        elif kind == RowKind.DEPTH:
            levels[side].pop(price, None)
            levels[side] |= {price: qty} if qty else {}
        touched |= kind != RowKind.TRADE
        if flags & 1 and touched:
            touched = False
            assert table["time_ns"][at] == recv_ns
            for name, own, best in (("bid", levels[1], -1), ("ask", levels[-1], 1)):
                for level, shown in enumerate(sorted(own, key=lambda p: best * p)[:3]):
                    assert table[f"{name}_{level}"][at] == shown
                    assert table[f"{name}_qty_{level}"][at] == own[shown]
            at += 1
    assert at == len(table) > 1_000


def test_samples_are_thinned(data: Dataset) -> None:
    every = ft.compute(data, ["mid"], every="1s")
    seconds = every["time_ns"] // 1_000_000_000
    assert len(set(seconds.tolist())) == len(seconds)
    assert 150 < len(seconds) <= 181


@pytest.fixture(scope="module")
def leaning(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """A spread of one tick whose mid moves a tick now and then, the way the sizes lean."""
    rng = np.random.default_rng(4)
    bid, rows, sizes = 1_000, [], np.array([1, 1])
    for at in range(6_000):
        leans = (sizes[0] - sizes[1]) / sizes.sum()
        if rng.random() < 0.3 * abs(leans):
            bid += int(np.sign(leans)) * (rng.random() < 0.8) or -int(np.sign(leans))
        sizes = rng.integers(1, 100, size=2)
        for side, price in ((0, bid), (1, bid + 1)):
            stale = [(side, price - 1, 0), (side, price + 1, 0)]
            for _, gone, _ in stale:
                rows.append((at, side, gone, 0))
            rows.append((at, side, price, int(sizes[side])))
    columns = np.array(rows).T
    last = np.append(np.diff(columns[0]) != 0, True)
    made = {
        "recv_ns": columns[0] * 1_000_000 + 1,
        "exch_ns": columns[0] * 1_000_000,
        "kind": np.ones(len(rows), dtype="uint8"),
        "flags": (last + 2 * columns[1]).astype("uint8"),
        "price_ticks": columns[2],
        "qty_lots": columns[3],
    }
    spec = instrument("LEAN", tick="0.5", lot="1", venue="test")
    return ms.data.from_frame(made, spec, out=tmp_path_factory.mktemp("lean") / "lean.mse")


def test_a_fitted_microprice_prices_a_run(leaning: Dataset) -> None:
    fitted = ft.fit_microprice(leaning, imbalances=4, spreads=1)
    assert fitted.transitions > 5_000
    [adjustment] = np.array(fitted.adjustment_ticks)
    # The fit counts the mirror too: what more bid moves up, more ask moves down.
    np.testing.assert_allclose(adjustment, -adjustment[::-1], atol=1e-9)
    assert np.all(np.diff(adjustment) > 0)
    assert 0.02 < adjustment[-1] < 0.5
    table = ft.compute(leaning, ["mid", fitted.feature])
    moved = (table["microprice"] - table["mid"]) / 0.5
    assert set(np.round(moved, 6)) == set(np.round(adjustment, 6))

    class Priced(ms.Strategy):
        features = (fitted.feature,)

        def on_start(self, m: Any) -> None:
            self.calls = 0

        def on_book(self, m: Any) -> None:
            self.calls += abs(m.features.microprice - m.features.mid) <= 0.5

    priced = Priced()
    ms.backtest(priced, leaning)
    assert priced.calls > 5_000


def suite(name: str) -> dict[str, dict[str, Any]]:
    vectors = json.loads((VECTORS / f"{name}.json").read_text())["vectors"]
    return {vector["fn"]: vector for vector in vectors}


def ewma(i: dict[str, Any]) -> dict[str, Any]:
    return {"variance": ft.ewma_variance(i["returns"], lam=i["lam"], initial=i["init"])}


def irregular(i: dict[str, Any]) -> dict[str, Any]:
    found = ft.ewma_variance(i["returns"], dt=i["dt"], halflife=i["half_life"], initial=i["init"])
    return {"variance_rate": found}


def ranges(i: dict[str, Any]) -> dict[str, Any]:
    found = ft.range_variance(i["open"], i["high"], i["low"], i["close"])
    return {
        "parkinson": found.parkinson,
        "garman_klass": found.garman_klass,
        "rogers_satchell": found.rogers_satchell,
        "yang_zhang": found.yang_zhang,
    }


def realised(i: dict[str, Any]) -> dict[str, Any]:
    found = ft.realized_measures(i["prices"], i["K"])
    return {
        "rv": found.variance,
        "bipower": found.bipower,
        "tsrv": found.two_scale,
        "tsrv_adj": found.two_scale_adjusted,
        "noise_var": found.noise_variance,
    }


def garch(i: dict[str, Any]) -> dict[str, Any]:
    model = ft.Garch(i["mu"], i["omega"], i["alpha"], i["beta"], i["var0"], float("nan"))
    path, following = model.filter(i["returns"])
    return {
        "variance": path,
        "forecast_1": model.forecast(following, 1),
        "forecast_10": model.forecast(following, 10),
        "unconditional": model.unconditional,
    }


@pytest.mark.parametrize(
    ("name", "compute"),
    [
        ("ewma_variance", ewma),
        ("ewma_variance_irregular", irregular),
        ("ohlc_variance", ranges),
        ("realized_measures", realised),
        ("garch_filter", garch),
    ],
)
def test_volatility_vectors(name: str, compute: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    vector = suite("volatility")[name]
    for key, value in compute(vector["inputs"]).items():
        np.testing.assert_allclose(value, vector["expected"][key], rtol=1e-9, err_msg=key)


def test_the_particle_filter_is_near_the_exact_one() -> None:
    vector = suite("volatility")["sv_filter"]
    i = vector["inputs"]
    model = ft.ParticleFilter(
        mu=i["mu"], phi=i["phi"], sigma_eta=i["sigma_eta"], particles=20_000, seed=3
    )
    found = model.follow(i["y"])
    tolerance = vector["tolerance"]["particle_filter_N20000"]
    np.testing.assert_allclose(
        [belief.volatility for belief in found],
        vector["expected"]["sigma_mean"],
        rtol=tolerance["sigma_mean_rel"],
    )


def test_garch_finds_its_own_parameters() -> None:
    rng = np.random.default_rng(5)
    variance, returns = 1.0, []
    for _ in range(20_000):
        returns.append(0.05 + np.sqrt(variance) * rng.standard_normal())
        variance = 0.02 + 0.09 * (returns[-1] - 0.05) ** 2 + 0.89 * variance
    found = ft.fit_garch(returns)
    assert (found.alpha, found.beta) == (
        pytest.approx(0.09, abs=0.015),
        pytest.approx(0.89, abs=0.02),
    )
    assert found.unconditional == pytest.approx(1.0, rel=0.15)


def test_impact_and_spreads_by_hand() -> None:
    line = ft.kyle_lambda([1.0, -2.0, 3.0, 0.0], [0.5, -1.0, 1.5, 0.0])
    assert (line.slope, line.intercept) == (pytest.approx(0.5), pytest.approx(0.0, abs=1e-12))
    # Prices that bounce by 0.2 around one value: the spread is 0.2 times a factor of the sample.
    bounced = ft.roll_spread([100.0 + 0.2 * (n % 2) for n in range(400)])
    assert bounced == pytest.approx(0.4, rel=0.01)
    parts = ft.spread_components([1, -1], [100.1, 99.9], [1, 1], [100.0, 100.0], [100.05, 99.95])
    assert parts.effective_bps == pytest.approx(20.0)
    assert parts.realised_bps == pytest.approx(10.0)
    assert parts.effective_bps == pytest.approx(parts.realised_bps + parts.impact_bps)


def test_toxicity_by_hand() -> None:
    # Buckets of 10: all bought, half and half, all sold; the average over two of |imbalance|.
    found = ft.vpin([10, 5, -5, -10], bucket=10, window=2)
    np.testing.assert_allclose(found, [0.5, 0.5])
    bought, sold = ft.bulk_volume_classification([100, 101, 100, 101], [1, 10, 10, 10])
    np.testing.assert_allclose(bought + sold, 10.0)
    assert bought[0] == pytest.approx(bought[2])
    assert bought[0] > 8 > 2 > bought[1]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: ft.ewma_variance([0.1], initial=1.0), "lam for even returns"),
        (lambda: ft.ewma_variance([0.1], initial=1.0, lam=1.5), "lambda"),
        (lambda: ft.range_variance([1], [2], [1], [1, 2]), "same length"),
        (lambda: ft.range_variance([1], [0.5], [1], [1]), "not possible"),
        (lambda: ft.realized_measures([1.0, -1.0, 2.0, 3.0], 2), "positive prices"),
        (lambda: ft.fit_garch([0.1] * 20), "100"),
        (lambda: ft.kyle_lambda([[1.0]], [1.0]), "one-dimensional"),
        (lambda: ft.kyle_lambda([1, 1, 1], [1, 2, 3]), "does not vary"),
        (lambda: ft.vpin([1.0], bucket=0.0), "bucket"),
        (lambda: ft.ParticleFilter(mu=0, phi=1.5, sigma_eta=0.1), "phi"),
        (lambda: ft.ParticleFilter(mu=0, phi=0.9, sigma_eta=0.1).update(0.1, 0.0), "positive"),
    ],
)
def test_bad_numbers_are_refused(call: Callable[[], Any], words: str) -> None:
    with pytest.raises(InvalidValue, match=words):
        call()


def test_bad_scans_are_refused(data: Dataset, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nonsense"):
        ft.compute(data, ["nonsense"])
    with pytest.raises(InvalidValue, match="no instrument 7"):
        ft.compute(data, ["mid"], instrument=7)
    with pytest.raises(InvalidValue, match="XRP"):
        ft.compute(data, ["mid"], instrument="XRP")
    with pytest.raises(InvalidValue, match="1 to 64"):
        ft.book(data, 65)
    with pytest.raises(InvalidValue, match="states"):
        ft.fit_microprice(data, imbalances=0)
    bars = {"time": [0, 60_000_000_000], "open": [1.0, 1.0], "high": [2.0, 2.0]}
    bars |= {"low": [1.0, 1.0], "close": [1.0, 2.0], "volume": [1.0, 1.0]}
    spec = instrument("X", tick="0.1", lot="1", venue="test")
    made = ms.data.from_frame(bars, spec, out=tmp_path / "bars.mse", interval="1m")
    with pytest.raises(InvalidValue, match="market rows"):
        ft.compute(made, ["mid"])
