"""Volume curves from data."""

from __future__ import annotations

import mainspring as ms
import numpy as np
import pytest
from mainspring.data.dataset import Dataset
from mainspring.errors import ConfigError
from mainspring.execution import VolumeCurve, volume_curve

MINUTE = 60_000_000_000


def test_a_curve_counts_what_traded(market: Dataset) -> None:
    curve = volume_curve(market, bins="1m", period="1h")
    rows = market.read().to_numpy()
    trades = rows["kind"] == 2
    bins = (rows["exch_ns"][trades] % (60 * MINUTE)) // MINUTE
    counted = np.bincount(bins.astype(int), weights=rows["qty"][trades], minlength=60)
    assert np.allclose(curve.volumes, counted)
    assert sum(curve.volumes) > 0


def test_bars_count_where_they_open() -> None:
    day = 86_400_000_000_000
    opens = [n * MINUTE * 30 for n in range(96)]
    bars = ms.data.from_frame(
        {
            "time": [1_700_006_400_000_000_000 // day * day + at for at in opens],
            "open": [100.0] * 96,
            "high": [101.0] * 96,
            "low": [99.0] * 96,
            "close": [100.0] * 96,
            "volume": [float(1 + n % 48) for n in range(96)],
        },
        "BTCUSDT",
        interval="30m",
    )
    curve = volume_curve(bins="30m", data=bars)
    assert curve.volumes == tuple(float(2 * (1 + n)) for n in range(48))


def test_shares_split_bins_and_wrap_around_the_period() -> None:
    curve = VolumeCurve(4 * MINUTE, (1.0, 3.0, 0.0, 4.0))
    assert curve.share(0, 4 * MINUTE) == 1.0
    assert curve.share(MINUTE // 2, 3 * MINUTE // 2) == pytest.approx((0.5 + 1.5) / 8)
    # From the last bin over the edge into the first, periods later.
    start = 1_000_000 * 4 * MINUTE + 3 * MINUTE
    assert curve.weights(start, 2 * MINUTE, 2) == pytest.approx((4 / 8, 1 / 8))
    with pytest.raises(ConfigError, match="no volume at this time"):
        curve.weights(2 * MINUTE, MINUTE, 3)


def test_what_cannot_be_is_refused(market: Dataset) -> None:
    with pytest.raises(ConfigError, match="no instrument"):
        volume_curve(market, symbol="NONE")
    with pytest.raises(ConfigError, match="divide"):
        volume_curve(market, bins="7m")
    with pytest.raises(ConfigError, match="empty"):
        VolumeCurve(60, (0.0, 0.0)).share(0, 1)
    with pytest.raises(ConfigError, match="name the symbol"):
        volume_curve(ms.sample("btcusdt+ethusdt", hours=0.05))
