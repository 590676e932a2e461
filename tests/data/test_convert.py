"""Bars and trades of other programs become event files, exactly or not at all."""

from __future__ import annotations

import gzip
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import mainspring as ms
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mainspring.data import Dataset, from_arrow, from_csv_bars, from_frame, from_parquet, instrument
from mainspring.data.columns import infer_unit, times_ns
from mainspring.errors import DataError, InvalidValue, NotFoundError

MINUTE = 60_000_000_000
START = 1_700_000_040
X = instrument("XUSD", tick="0.01", lot="0.001")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MAINSPRING_HOME", str(tmp_path / "home"))


def shared(name: str) -> Path:
    """A recording beside the repository, or a skip that says so."""
    root = Path(os.environ.get("MAINSPRING_SHARED", ROOT.parent / "shared"))
    path = root / "data" / name
    if not path.exists():
        if os.environ.get("MAINSPRING_REQUIRE_SHARED") == "1":
            pytest.fail(f"{path} is missing and MAINSPRING_REQUIRE_SHARED is set")
        pytest.skip(f"{path} is not there")
    return path


def bars(count: int = 5, **more: Any) -> dict[str, Any]:
    n = np.arange(count)
    return {
        "time": (START + 60 * n).astype("int64"),
        "open": 100.0 + n / 100,
        "high": 100.5 + n / 100,
        "low": 99.5 + n / 100,
        "close": 100.25 + n / 100,
        "volume": 1.5 + n,
        **more,
    }


def test_bars_are_known_at_their_close_and_exact() -> None:
    data = from_frame(bars(trades=[1, 2, 3, 4, 5]), X)
    assert data.schema == "bar"
    table = data.read()
    assert table["open_ns"].tolist() == [(START + 60 * n) * 10**9 for n in range(5)]
    assert (table["recv_ns"] - table["open_ns"]).tolist() == [MINUTE] * 5
    assert table["open_ticks"].tolist() == [10_000, 10_001, 10_002, 10_003, 10_004]
    assert table["volume_lots"].tolist() == [1_500, 2_500, 3_500, 4_500, 5_500]
    assert table["close"].tolist() == [100.25, 100.26, 100.27, 100.28, 100.29]
    assert table["trades"].tolist() == [1, 2, 3, 4, 5]
    assert data.paths[0].parent.name == "imported"
    assert from_frame(bars(trades=[1, 2, 3, 4, 5]), X).paths == data.paths, "named by content"


def test_the_stamp_may_be_the_close_and_newest_may_come_first() -> None:
    opened = from_frame(bars(), X).read()
    late = from_frame(bars(time=START + 60 * np.arange(1, 6)), X, stamp="close").read()
    turned = from_frame({name: values[::-1] for name, values in bars().items()}, X).read()
    for table in (late, turned):
        for name, values in opened.to_numpy().items():
            np.testing.assert_array_equal(table[name], values, err_msg=name)


def test_write_bars_takes_a_path_and_an_interval(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "bars.mse"
    data = ms.data.write_bars(out, bars(1), X, interval="5m")
    assert data.paths == [out]
    table = data.read()
    assert table["recv_ns"][0] - table["open_ns"][0] == 5 * MINUTE
    with pytest.raises(DataError, match="give interval="):
        ms.data.write_bars(out, bars(1), X)
    for wrong in ("fast", "0m", -1):
        with pytest.raises(InvalidValue, match="interval"):
            ms.data.write_bars(out, bars(1), X, interval=wrong)


def test_off_grid_prices_are_refused_by_row_or_rounded() -> None:
    wrong = bars()
    wrong["close"][3] = 100.283
    with pytest.raises(DataError, match=r"row 3: close 100\.283 is not a multiple of the tick"):
        from_frame(wrong, X)
    assert from_frame(wrong, X, off_grid="round").read()["close_ticks"][3] == 10_028
    tiered = instrument("T", tick="0.01", price_tiers=[(0, "0.01"), (100, "0.05")])
    with pytest.raises(DataError, match=r"price 100\.01 is off the grid of T"):
        from_frame(bars(2), tiered)
    assert from_frame(bars(2), tiered, off_grid="round").read()["open_ticks"].tolist() == [
        10_000,
        10_000,
    ]


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
@pytest.mark.parametrize("column", ["open", "high", "low", "close", "volume"])
def test_what_is_no_number_is_refused_by_row(column: str, bad: float) -> None:
    wrong = bars()
    wrong[column][2] = bad
    with pytest.raises(DataError, match=f"row 2: {column} .* is not a number that can be used"):
        from_frame(wrong, X)


def test_contradicting_bars_are_refused() -> None:
    wrong = bars()
    wrong["high"][1] = 99.0
    with pytest.raises(DataError, match="row 1: open 10001 and close 10026 are not within"):
        from_frame(wrong, X)
    with pytest.raises(DataError, match="negative volume"):
        from_frame(bars(volume=[-1.0] * 5), X)
    with pytest.raises(DataError, match="there is no column 'time'"):
        from_frame({name: v for name, v in bars().items() if name != "time"}, X)


def test_a_symbol_alone_gets_the_finest_decimals() -> None:
    (made,) = from_frame(bars(), "ABC-EUR").instruments
    assert (made.symbol, made.base, made.quote) == ("ABC-EUR", "ABC", "EUR")
    assert (made.tick, made.lot) == (Decimal("0.01"), Decimal("0.1"))
    assert infer_unit([np.array([1.0, 20.0])]) == 1
    assert infer_unit([np.array([0.00001234])]) == Decimal("1e-8")
    assert infer_unit([np.array([1 / 3])]) == Decimal("1e-8")
    assert infer_unit([]) == 1


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 6), st.lists(st.integers(1, 10**8), min_size=1, max_size=30))
def test_inferred_ticks_hold_every_price(places: int, counts: list[int]) -> None:
    prices = [float(Decimal(count).scaleb(-places)) for count in counts]
    tick = infer_unit([np.array(prices)])
    assert all(Decimal(count).scaleb(-places) % tick == 0 for count in counts)
    assert tick >= Decimal(1).scaleb(-places)


def test_frames_of_every_library_give_the_same_file() -> None:
    pd = pytest.importorskip("pandas")
    pl = pytest.importorskip("polars")
    pa = pytest.importorskip("pyarrow")
    plain = from_frame(bars(), X)
    stamps = (bars()["time"] * 10**9).astype("datetime64[ns]")
    named = {"Open": "open", "High": "high", "Low": "low", "Close": "close", "Volume": "volume"}
    indexed = pd.DataFrame({new: bars()[old] for new, old in named.items()}, index=stamps)
    zoned = pd.DataFrame(bars(time=pd.DatetimeIndex(stamps, tz="UTC")))
    for frame in (
        indexed,
        zoned,
        pl.DataFrame(bars(time=stamps)),
        pa.table(bars()),
        pl.DataFrame(bars(time=[str(t)[:19] for t in stamps])),
        bars(time=(START + 60 * np.arange(5)) * 1_000),
        bars(time=(START + 60.0 * np.arange(5))),
    ):
        assert from_frame(frame, X).hash == plain.hash, type(frame)
    assert from_arrow(pl.DataFrame(bars()), X).hash == plain.hash
    with pytest.raises(InvalidValue, match="does not speak Arrow"):
        from_arrow(bars(), X)


def test_other_names_are_told_by_columns() -> None:
    odd = {f"x_{name}": values for name, values in bars().items()}
    with pytest.raises(DataError, match="name others by columns="):
        from_frame(odd, X)
    names = {f"x_{name}": name for name in bars()}
    assert from_frame(odd, X, columns=names).hash == from_frame(bars(), X).hash
    with pytest.raises(DataError, match="there is no column 'nope'"):
        from_frame(odd, X, columns={"nope": "open"})


def trades(**more: Any) -> dict[str, Any]:
    return {
        "timestamp": [START, START + 1, START + 1],
        "price": [100.0, 100.01, 100.02],
        "amount": [0.5, 0.001, 2.0],
        "side": ["buy", "SELL", "buy"],
        **more,
    }


def test_trades_become_messages_with_the_takers_side() -> None:
    table = from_frame(trades(), X).read()
    assert table["side"].tolist() == [1, -1, 1]
    assert table["flags"].tolist() == [1, 3, 1]
    assert table["qty_lots"].tolist() == [500, 1, 2_000]
    assert table["kind"].tolist() == [2, 2, 2]
    binance = trades(is_buyer_maker=[False, True, False])
    del binance["side"]
    assert from_frame(binance, X).read()["side"].tolist() == [1, -1, 1]
    with pytest.raises(DataError, match="side 'up' in row 0 is neither buy nor sell"):
        from_frame(trades(side=["up", "buy", "buy"]), X)
    del binance["is_buyer_maker"]
    with pytest.raises(DataError, match="trades need a column side"):
        from_frame(binance, X)


def test_received_before_it_happened_makes_the_clock_uncorrected() -> None:
    early = trades(local_timestamp=[START - 1, START, START])
    assert from_frame(early, X).clock == "uncorrected"


def test_parquet_brings_rows_instruments_and_origin_back(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    for data in (from_frame(trades(), X), from_frame(bars(), X, source="somewhere")):
        path = data.to_parquet(tmp_path / "x.parquet")
        back = from_parquet(path)
        assert back.hash == data.hash
        assert back.instruments == data.instruments
        assert back.provenance == data.provenance
    assert sorted(p.name for p in tmp_path.iterdir()) == ["home", "x.parquet"]
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 and nothing")
    with pytest.raises(DataError, match="not a Parquet file that can be read"):
        from_parquet(tmp_path / "bad.parquet")
    with pytest.raises(NotFoundError):
        from_parquet(tmp_path / "none.parquet")


def test_parquet_of_others_comes_in(tmp_path: Path) -> None:
    pl = pytest.importorskip("polars")
    pytest.importorskip("pyarrow")
    pl.DataFrame(bars()).write_parquet(tmp_path / "p.parquet")
    assert from_parquet(tmp_path / "p.parquet", X).hash == from_frame(bars(), X).hash


HEADER = "Date,Open,High,Low,Close,Volume\n"
LINES = "2024-01-02 00:00:00,1,2,0.5,1.5,10\n2024-01-02 01:00:00,1.5,2,1,1.25,11\n"


@pytest.mark.parametrize(
    "text",
    [
        HEADER + LINES,
        LINES,
        (HEADER + LINES).replace(",", ";"),
        (HEADER + LINES).replace(",", "\t"),
        "\ufeff" + HEADER + LINES,
        HEADER.replace("Date", "") + LINES,
        (HEADER + LINES).replace("\n", "\r\n") + "\r\n",
        HEADER + LINES.replace("-", "").replace(":", ""),
        HEADER + LINES.replace("00:00,", "00:00Z,"),
        HEADER.replace("Date", "Date,Time") + LINES.replace(" ", ","),
        HEADER
        + LINES.replace("2024-01-02 00:00:00", "1704153600").replace(
            "2024-01-02 01:00:00", "1704157200"
        ),
        (
            "1704153600000000,1,2,.5,1.5,10,1704157199999999,0,3,0,0,0\n"
            "1704157200000000,1.5,2,1,1.25,11,1704160799999999,0,4,0,0,0\n"
        ),
    ],
)
def test_csv_bars_of_many_shapes(tmp_path: Path, text: str) -> None:
    plain, packed = tmp_path / "eth-1h.csv", tmp_path / "eth-1h.csv.gz"
    plain.write_text(text, encoding="utf-8", newline="")
    packed.write_bytes(gzip.compress(text.encode()))
    for path in (plain, packed):
        data = from_csv_bars(path)
        table = data.read()
        assert table["open_ns"].tolist() == [1_704_153_600 * 10**9, 1_704_157_200 * 10**9]
        assert table["recv_ns"].tolist() == [1_704_157_200 * 10**9, 1_704_160_800 * 10**9]
        assert table["low"].tolist() == [0.5, 1.0]
        assert table["volume"].tolist() == [10.0, 11.0]
        assert data.instruments[0].symbol == "eth"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        (HEADER, "Column|no rows|bar"),
        (HEADER + "2024-01-02,1,2,0.5\n", "line 2 has 4 cells, not 6"),
        (HEADER + LINES.replace("1.25", "x"), "column close has to hold numbers"),
        (HEADER + LINES.replace("2024-01-02 01", "2024-13-02 01"), "row 1 is not a time"),
        ("1,2,3\n", "has no header and 3 columns"),
        ("Open,Open\n1,2\n", "two columns have the same name"),
    ],
)
def test_csv_that_is_no_bars_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        from_csv_bars(path, interval="1h")
    path.write_bytes(b"\xff\xfe\x00bad")
    with pytest.raises(DataError, match="not text in UTF-8"):
        from_csv_bars(path)


@settings(max_examples=60, deadline=None)
@given(st.datetimes(), st.sampled_from([10**0, 10**3, 10**6, 10**9]))
def test_times_in_any_unit_are_told_apart(when: Any, per_second: int) -> None:
    seconds = int(np.datetime64(when, "s").astype("int64"))
    if not 10**8 * 2 <= seconds < 9 * 10**9:
        seconds = 1_700_000_000
    assert times_ns(np.array([seconds * per_second]), "t").tolist() == [seconds * 10**9]
    text = np.array([str(np.datetime64(seconds, "s"))])
    assert times_ns(text, "t").tolist() == [seconds * 10**9]


def test_recorded_bars_come_in_whole() -> None:
    for name, count, tick in [
        ("ohlcv/btc-perp-ftx-1m-2022-01.csv.gz", 45_031, None),
        ("ohlcv/EURUSD_1h_2017_2018.csv.gz", 5_000, "0.00001"),
        ("ohlcv/GOOG_daily_2004_2013.csv.gz", 2_148, "0.01"),
    ]:
        data = from_csv_bars(shared(name))
        assert data.rows == count
        assert tick is None or data.instruments[0].tick == Decimal(tick)
        report = data.check()[0]
        assert report.worst in {None, "note", "warning"}, str(report)
    lines = gzip.decompress(shared("ohlcv/GOOG_daily_2004_2013.csv.gz").read_bytes()).splitlines()
    wanted = [float(line.split(b",")[4]) for line in lines[1:]]
    assert Dataset.open(data.paths).read()["close"].tolist() == wanted
