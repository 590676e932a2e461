"""Importers from Python: options, report, errors, and hftbacktest arrays that numpy reads."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from mainspring.data import importers
from mainspring.errors import ConfigError, DataError, NotFoundError

SESSION = """\
100 {"e":"depthUpdate","E":1700000000100,"s":"BTCUSDT","U":1,"u":4,"b":[["100.10","9"]],"a":[]}
120 {"lastUpdateId":4,"bids":[["100.10","1.5"]],"asks":[["100.20","1"]]}
130 {"e":"trade","E":1700000000130,"s":"BTCUSDT","p":"100.10","q":"0.25","T":1700000000130,"m":true}
140 {"e":"depthUpdate","E":1700000000140,"s":"BTCUSDT","U":5,"u":5,"b":[["100.10","0.5"]],"a":[]}
"""


@pytest.fixture
def session(tmp_path: Path) -> Path:
    path = tmp_path / "btcusdt.txt"
    path.write_text(SESSION)
    return path


def shared(name: str) -> Path:
    root = os.environ.get("MAINSPRING_SHARED")
    base = Path(root) if root else Path(__file__).parents[2] / "../shared"
    path = base / "data" / name
    if not path.exists():
        if os.environ.get("MAINSPRING_REQUIRE_SHARED") == "1":
            pytest.fail(f"{path} is missing and recordings are required")
        pytest.skip(f"{path} is not there")
    return path


def test_a_session_is_imported_and_reported(session: Path, tmp_path: Path) -> None:
    report = importers.import_report(session, out=tmp_path / "a.mse")
    assert report.format == "binance"
    assert report.rows_by_kind == {"Clear": 1, "Depth": 3, "Trade": 1}
    assert report.clock["method"] == "measured"
    assert report.instruments[0]["tick"] == "0.1"
    assert report.instruments[0]["tick_origin"] == "inferred"


def test_definitions_can_be_given_in_part(session: Path, tmp_path: Path) -> None:
    spec = {"tick": 0.01, "lot": "0.001", "maker_fee": -0.0001}
    report = importers.import_report(session, out=tmp_path / "a.mse", instrument=spec)
    own = report.instruments[0]
    assert (own["tick"], own["lot"], own["tick_origin"]) == ("0.01", "0.001", "given")


def test_progress_is_told_and_can_stop_the_import(session: Path, tmp_path: Path) -> None:
    seen: list[str] = []
    importers.import_report(
        session, out=tmp_path / "a.mse", progress=lambda stage, *_: seen.append(stage)
    )
    assert "write" in seen

    def stop(*_: object) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        importers.import_report(session, out=tmp_path / "b.mse", progress=stop)
    assert not (tmp_path / "b.mse").exists()


def test_errors_are_typed_and_named(session: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.mse"
    session.write_text(SESSION.replace('"0.25"', '"-0.25"'))
    with pytest.raises(DataError, match=r"btcusdt.txt: line 3: the size -0.25 is negative"):
        importers.import_report(session, out=out)
    with pytest.raises(NotFoundError):
        importers.import_report(tmp_path / "missing", out=out)
    with pytest.raises(NotFoundError, match="no importer 'nonsense'"):
        importers.import_report(session, "nonsense", out=out)
    with pytest.raises(ConfigError, match="unknown streams"):
        importers.import_report(session, out=out, streams=["dept"])  # type: ignore[list-item]
    with pytest.raises(ConfigError, match="tikc"):
        importers.import_report(session, out=out, instrument={"tikc": "0.1"})
    assert not out.exists()


def test_exported_arrays_are_those_numpy_reads_and_imports_again(
    session: Path, tmp_path: Path
) -> None:
    importers.import_report(session, out=tmp_path / "a.mse")
    rows = importers.export_hftbacktest(tmp_path / "a.mse", tmp_path / "a.npz")
    array = np.load(tmp_path / "a.npz")["data"]
    assert len(array) == rows == 6  # a clear row is one a side
    assert list(array["ev"] & 0xFF) == [3, 3, 4, 4, 2, 1]
    assert array["px"][-1] == 100.1
    assert array["qty"][-1] == 0.5
    np.savez_compressed(tmp_path / "b.npz", data=array)
    again = importers.import_report(
        tmp_path / "b.npz", out=tmp_path / "b.mse", instrument={"symbol": "BTCUSDT"}
    )
    assert again.format == "hftbacktest"
    assert again.rows_by_kind == {"Clear": 1, "Depth": 3, "Trade": 1}


def test_a_recording_is_imported_without_a_gap(tmp_path: Path) -> None:
    path = shared("binance-raw-2024/usdm_btcusdt_20240808.gz")
    report = importers.import_report(path, out=tmp_path / "usdm.mse")
    assert report.gap_count == 0
    assert report.messages["trade"] == 21_313
    assert 1.2e9 < report.clock["offset_ns"] < 1.35e9
