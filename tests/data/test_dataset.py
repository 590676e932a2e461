"""Data sets, instruments, checks and the catalog from Python."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import mainspring as ms
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mainspring.data import Catalog, Dataset, Instrument, RowKind, correct_clock, instrument
from mainspring.errors import DataError, InvalidValue, NotFoundError, StorageError

BTC = instrument("BTCUSDT", tick="0.1", lot="0.001", kind="linear_perpetual", venue="test")


def rows(count: int = 1_000, latency_ns: int = 2_000_000) -> dict[str, Any]:
    """Depth on both sides and a trade now and then, one message a row."""
    n = np.arange(count)
    exch = 1_700_000_000_000_000_000 + n * 1_000_000
    ask = n % 2
    kind = np.where(n % 10 == 9, RowKind.TRADE, RowKind.DEPTH)
    return {
        "recv_ns": exch + latency_ns,
        "exch_ns": exch,
        "kind": kind.astype("uint8"),
        "flags": (1 + 2 * ask).astype("uint8"),
        "price_ticks": np.where(ask == 1, 600_001 + n % 5, 600_000 - n % 5),
        "qty_lots": 1 + n % 7,
    }


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    return ms.data.from_frame(rows(), BTC, out=tmp_path / "a.mse")


def test_what_is_written_is_read(data: Dataset) -> None:
    assert (data.rows, len(data), data.schema) == (1_000, 1_000, "market")
    assert data.instruments == [BTC]
    assert data.clock == "trusted"
    assert data.span[0] == dt.datetime(2023, 11, 14, 22, 13, 20, 2_000, tzinfo=dt.UTC)
    table = data.read()
    for name, values in rows().items():
        np.testing.assert_array_equal(table[name], values)
    np.testing.assert_array_equal(table["price"], np.round(rows()["price_ticks"] * 0.1, 1))
    np.testing.assert_array_equal(table["side"], np.where(np.arange(1_000) % 2, -1, 1))
    assert repr(data).startswith("Dataset(BTCUSDT: 1,000 market rows, 2023-11-14")
    assert "tick 0.1, lot 0.001 BTC" in data.describe()


def test_rows_are_chosen_by_time_kind_instrument_and_number(data: Dataset) -> None:
    first = data.span_ns[0]
    assert len(data.read(first + 10_000_000, first + 20_000_000)) == 10
    assert len(data.read(start="2023-11-14T22:13:20.500", end=dt.datetime(2023, 11, 15))) == 502  # noqa: DTZ001
    assert len(data.read(start=np.datetime64("2023-11-14T22:13:20.500"))) == 502
    assert set(data.read(kinds=["trade"])["kind"]) == {RowKind.TRADE}
    assert len(data.read(kinds=["trade", RowKind.DEPTH])) == 1_000
    assert len(data.read(instrument="BTCUSDT")) == 1_000
    assert data.read(skip=990, limit=5)["recv_ns"].tolist() == rows()["recv_ns"][990:995].tolist()
    assert len(data.read(skip=5_000)) == 0
    assert len(data.head(3)) == 3
    with pytest.raises(InvalidValue, match="no instrument 'ETH'; there are BTCUSDT"):
        data.read(instrument="ETH")
    with pytest.raises(InvalidValue, match="unknown kind of row 'trades'; there are depth, trade"):
        data.read(kinds=["trades"])
    with pytest.raises(InvalidValue, match="no ISO 8601 time"):
        data.read(start="yesterday")


def test_several_files_are_one_data_set(data: Dataset, tmp_path: Path) -> None:
    other = ms.data.from_frame(rows(10), BTC, out=tmp_path / "b.mse")
    both = data + other
    assert both.rows == 1_010
    assert both.paths == [tmp_path / "a.mse", tmp_path / "b.mse"]
    assert both.instruments == [BTC]
    assert [part.rows for part in both.parts] == [1_000, 10]
    assert len({both.hash, data.hash, other.hash, (other + data).hash}) == 4
    assert Dataset.open(both.paths).hash == both.hash
    with pytest.raises(InvalidValue, match="works on one file and this data set has 2"):
        both.read()


def test_wrong_files_have_typed_errors(data: Dataset, tmp_path: Path) -> None:
    whole = data.paths[0].read_bytes()
    bad = tmp_path / "bad.mse"
    with pytest.raises(NotFoundError, match=r"bad\.mse: cannot read: No such file"):
        ms.data.open(bad)
    with pytest.raises(StorageError, match="is a folder"):
        ms.data.open(tmp_path)
    for content, message in [
        (b"", "the file is empty"),
        (b"hello", "not an event file"),
        (whole[:-64], "incomplete: the end mark is missing"),
        (whole[:8] + b"\x09" + whole[9:], "newer Mainspring"),
        (whole[:100] + b"?" + whole[101:], "damaged"),
    ]:
        bad.write_bytes(content)
        with pytest.raises(DataError, match=message):
            ms.data.open(bad)
    bad.write_bytes(whole[:3_000] + bytes([whole[3_000] ^ 1]) + whole[3_001:])
    with pytest.raises(DataError, match=r"chunk 0 \(rows 0 to 999\) is damaged"):
        ms.data.open(bad).read()


@pytest.mark.skipif(os.name == "nt", reason="a mapped file cannot be cut there")
@pytest.mark.parametrize("handler", ["", "import faulthandler; faulthandler.enable()"])
def test_a_file_that_shrinks_does_not_kill_python(tmp_path: Path, handler: str) -> None:
    path = tmp_path / "a.mse"
    ms.data.from_frame(rows(400_000), BTC, out=path)
    program = f"""
import os, mainspring as ms
{handler}
data = ms.data.open({str(path)!r})
assert len(data.read(limit=10)) == 10
os.truncate({str(path)!r}, 5_000)
for attempt in range(3):
    try:
        data.read()
    except ms.MainspringError as error:
        print(type(error).__name__, error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 3
    assert all(line.startswith("StorageError") and "shrank" in line for line in lines), lines


def test_a_check_reports_what_is_wrong(tmp_path: Path) -> None:
    clean = ms.data.from_frame(rows(), BTC, out=tmp_path / "clean.mse").check()[0]
    assert clean.is_clean, str(clean)
    early = ms.data.from_frame(rows(latency_ns=-1_270_000_000), BTC, out=tmp_path / "early.mse")
    assert early.clock == "uncorrected"
    report = early.check()[0]
    assert report.worst == "error"
    assert report.findings[0]["code"] == "negative_latency"
    assert report.findings[0]["count"] == 1_000
    assert "by up to 1.270000 s" in str(report)
    assert report.counts["instruments"][0]["trades"] == 100

    offset = correct_clock(early.paths[0], tmp_path / "fixed.mse", base_latency_ns=500_000)
    assert offset["offset_ns"] == 1_270_500_000
    fixed = ms.data.open(tmp_path / "fixed.mse")
    assert fixed.clock == "corrected"
    assert fixed.provenance[0]["clock"]["offset_ns"] == 1_270_500_000
    assert "corrected by +1.270500 s" in fixed.describe()
    assert fixed.check()[0].is_clean
    np.testing.assert_array_equal(fixed.read()["recv_ns"], early.read()["recv_ns"] + 1_270_500_000)


def test_writing_refuses_faulty_rows_and_leaves_nothing(tmp_path: Path) -> None:
    out = tmp_path / "bad.mse"
    for name, value, message in [
        ("qty_lots", -1, "row 3: negative size -1"),
        ("flags", 64, "row 3: unknown flags 0x40"),
        ("kind", 77, "row 3: unknown kind 77"),
        ("recv_ns", 5, "row 3: receive time 5 is before"),
    ]:
        table = rows(10)
        table[name] = table[name].copy()
        table[name][3] = value
        with pytest.raises(DataError, match=message):
            ms.data.from_frame(table, BTC, out=out)
    table = rows(10)
    del table["flags"]
    with pytest.raises(DataError, match="has no column 'flags'"):
        ms.data.from_frame(table, BTC, out=out)
    with pytest.raises(DataError, match="no rows were written"):
        ms.data.from_frame(rows(0), BTC, out=out)
    assert list(tmp_path.iterdir()) == []


# Instruments


def test_an_instrument_round_trips_through_json() -> None:
    made = instrument(
        "ETH-USD", tick=0.05, lot="0.01", kind="inverse_perpetual", venue="v", multiplier=10,
        min_qty="0.05", max_qty=100, min_notional=5, maker_fee="-0.00005", taker_fee=0.0005,
        price_tiers=[(0, "0.05"), (1_000, "0.5")],
        margin_tiers=[{"notional_cap": None, "maintenance_rate": "0.004", "max_leverage": 125}],
    )  # fmt: skip
    assert (made.base, made.quote, made.settle) == ("ETH", "USD", "ETH")
    assert made.tick == Decimal("0.05")
    assert (made.min_qty, made.max_qty) == (Decimal("0.05"), Decimal(100))
    assert made.to_dict()["min_qty"] == 5
    assert made.to_dict()["grids"][0]["steps"] == [[0, 1], [20_000, 10]]
    assert Instrument.from_json(made.to_json()) == made
    assert instrument("X", tick=1).max_qty is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tick": 0}, "same positive tick"),
        ({"tick": "abc"}, "'abc' is not a number"),
        ({"tick": float("nan")}, "not a finite number"),
        ({"tick": 1, "lot": -1}, "lot must be positive"),
        ({"tick": 1, "lot": "0.1", "min_qty": "0.15"}, "not a whole number of 0.1"),
        ({"tick": 1, "kind": "swap"}, "instrument kind 'swap'; there are spot"),
        ({"tick": "1e-9", "lot": "1e-9"}, "needs more than 17 decimals"),
        ({"tick": 1, "price_tiers": [], "significant_digits": 5}, "not both"),
    ],
)
def test_definitions_that_do_not_fit_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValue, match=message):
        instrument("X", **options)


@given(st.integers(1, 10**6), st.integers(0, 8), st.integers(1, 10**6), st.integers(0, 8))
def test_any_tick_and_lot_survive(tick: int, a: int, lot: int, b: int) -> None:
    made = instrument("X", tick=Decimal(tick).scaleb(-a), lot=Decimal(lot).scaleb(-b))
    assert (made.tick, made.lot) == (Decimal(tick).scaleb(-a), Decimal(lot).scaleb(-b))
    assert Instrument.from_json(json.dumps(made.to_dict())) == made


# The catalog


def test_a_catalog_lists_opens_checks_and_removes(data: Dataset, tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "catalog")
    assert catalog.ls() == []
    entry = catalog.add(data, "binance/btc")
    assert (entry.name, entry.rows, entry.instruments) == ("binance/btc", 1_000, ["BTCUSDT"])
    assert entry.hash == data.hash
    catalog.add(data.paths[0])
    assert catalog.names() == ["a", "binance/btc"]
    assert catalog.get("binance/btc").hash == data.hash
    assert catalog.open("btc").rows == 1_000, "the end of a name will do"
    assert [report.is_clean for report in catalog.check().values()] == [True, True]
    with pytest.raises(NotFoundError, match=r"no data set 'btcc' in .*; did you mean binance/btc"):
        catalog.get("btcc")
    with pytest.raises(InvalidValue, match="is in the catalog already"):
        catalog.add(data, "a")
    catalog.add(data, "a", replace=True)
    catalog.add(data, "okx/btc")
    with pytest.raises(InvalidValue, match="may be any of binance/btc, okx/btc"):
        catalog.get("btc")
    catalog.remove("a")
    assert catalog.names() == ["binance/btc", "okx/btc"]
    with pytest.raises(NotFoundError):
        catalog.remove("a")


def test_a_damaged_file_is_listed_with_its_problem(data: Dataset, tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "catalog")
    path = catalog.add(data, "x").path
    path.write_bytes(path.read_bytes()[:-1])
    (entry,) = catalog.ls()
    assert "incomplete" in entry.problem
    assert isinstance(catalog.check()["x"], DataError)
    with pytest.raises(DataError):
        catalog.get("x")


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a//b", "", ".hidden", "a/../../b"])
def test_names_stay_inside_the_catalog(data: Dataset, tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidValue, match="is no name for a data set"):
        Catalog(tmp_path / "catalog").add(data, name)


def test_a_damaged_file_is_not_added(data: Dataset, tmp_path: Path) -> None:
    path = data.paths[0]
    raw = bytearray(path.read_bytes())
    raw[3_000] ^= 1
    (tmp_path / "bad.mse").write_bytes(raw)
    catalog = Catalog(tmp_path / "catalog")
    with pytest.raises(DataError, match="is damaged"):
        catalog.add(tmp_path / "bad.mse")
    assert catalog.names() == []


def test_the_home_folder_follows_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MAINSPRING_HOME", str(tmp_path))
    assert Catalog().root == tmp_path
    monkeypatch.delenv("MAINSPRING_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert Catalog().root == tmp_path / "mainspring"
