"""Net exposure over venues, worked by hand, and agreement with runs and journals."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import mainspring as ms
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mainspring.errors import DataError
from mainspring.exposures import Held, exposures_of_journal, exposures_of_run, net_exposures


def instrument(venue: str, **other: Any) -> dict[str, Any]:
    return {
        "symbol": "BTCUSDT", "venue": venue, "kind": "linear_perpetual", "base": "BTC",
        "quote": "USDT", "lot": "0.001", "multiplier": "1", **other,
    }  # fmt: skip


THREE = [
    instrument("binance"),
    instrument("okx", lot="1", multiplier="0.01"),
    instrument(
        "deribit", symbol="BTC-PERP", kind="inverse_perpetual", quote="USD", lot="1",
        multiplier="10",
    ),
]  # fmt: skip


def test_contracts_of_three_venues_are_one_exposure() -> None:
    held = [
        Held(0, 500, 50_000.0),  # 0.5 BTC
        Held(0, -100, 50_000.0),  # of another strategy: 0.4 in all
        Held(1, -90, 50_010.0),  # 90 contracts of 0.01: -0.9 BTC
        Held(2, 1_000, 40_000.0),  # 10,000 USD: 0.25 BTC
    ]
    btc = net_exposures(held, THREE)["BTC"]
    assert btc.by_venue == pytest.approx({"binance": 0.4, "okx": -0.9, "deribit": 0.25})
    assert btc.net == pytest.approx(-0.25)
    assert btc.gross == pytest.approx(1.55)
    assert btc.value == pytest.approx({"USDT": 0.4 * 50_000 - 0.9 * 50_010, "USD": 10_000})
    assert btc.by_instrument["BTC-PERP@deribit"] == pytest.approx(0.25)


def test_what_is_held_without_a_price_is_not_made_up() -> None:
    held = [Held(0, 500, math.nan), Held(2, 1_000, math.nan)]
    btc = net_exposures(held, THREE)["BTC"]
    assert btc.by_venue["binance"] == 0.5
    assert math.isnan(btc.value["USDT"])
    assert math.isnan(btc.net)
    flat = net_exposures([Held(2, 0, math.nan)], THREE)["BTC"]
    assert (flat.net, flat.gross) == (0, 0)
    with pytest.raises(DataError, match="instrument 3"):
        net_exposures([Held(3, 1, 1.0)], THREE)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(-9_999, 9_999)), max_size=12))
def test_net_is_the_sum_of_venues_and_mirrors(pairs: list[tuple[int, int]]) -> None:
    held = [Held(index, lots, 50_000.0) for index, lots in pairs]
    ours = net_exposures(held, THREE)
    mirrored = net_exposures([Held(h.instrument, -h.lots, h.mid) for h in held], THREE)
    for asset, one in ours.items():
        assert one.net == pytest.approx(sum(one.by_venue.values()), abs=1e-9)
        assert one.gross >= abs(one.net) - 1e-9
        assert mirrored[asset].net == pytest.approx(-one.net, abs=1e-9)


def test_a_run_and_a_journal_tell_theirs(tmp_path: Path) -> None:
    from mainspring import _core

    maker = ms.native.TouchMaker(size="0.01", max_position="0.05")
    run = ms.backtest(maker, ms.sample("btcusdt", hours=0.02))
    samples = run.positions.to_numpy()
    btc = exposures_of_run(run)["BTC"]
    assert btc.net == pytest.approx(samples["position"][-1])
    early = exposures_of_run(run, int(samples["time_ns"][3]))["BTC"]
    assert early.net == pytest.approx(samples["position"][3])
    _core.simulate_journal(tmp_path / "journal", 3, 200)
    journal = ms.journal.open(tmp_path / "journal")
    lots = sum(one["position_lots"] for one in journal.state()["positions"])
    assert exposures_of_journal(journal)["BTC"].net == pytest.approx(lots * 0.001)
