"""CSV bars and Parquet with any damage: a whole event file, or one typed error and nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mainspring.data import Dataset, from_csv_bars, from_parquet
from mainspring.errors import MainspringError

pytest.importorskip("pyarrow")

Edit = tuple[int, int, bytes]
EDITS = st.lists(
    st.tuples(st.integers(0, 2**31), st.integers(0, 40), st.binary(max_size=6)),
    min_size=1,
    max_size=4,
)
ROWS = [f"2024-01-02 09:{30 + i},100.{i},101.5,99.5,100.5,{10 * i + 1}" for i in range(6)]
CSV = ("time,open,high,low,close,volume\n" + "\n".join(ROWS) + "\n").encode()


@cache
def parquet() -> bytes:
    """Trades, as pyarrow writes them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    trades = {
        "time": 1_700_000_000_000_000_000 + np.arange(50) * 1_000_000,
        "price": 100.0 + np.arange(50) * 0.5,
        "qty": np.ones(50),
        "side": ["buy", "sell"] * 25,
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.parquet"
        pq.write_table(pa.table(trades), path)
        return path.read_bytes()


@cache
def own_parquet() -> bytes:
    """Bars, as `Dataset.to_parquet` writes them, with instruments and origin."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "a.csv"
        source.write_bytes(CSV)
        made = from_csv_bars(source, out=Path(folder) / "a.mse")
        return made.to_parquet(Path(folder) / "a.parquet").read_bytes()


def damaged(whole: bytes, edits: list[Edit]) -> bytes:
    """Some bytes replaced, left out or put in."""
    content = bytearray(whole)
    for where, length, new in edits:
        at = where % (len(content) + 1)
        content[at : at + length] = new
    return bytes(content)


def survives(read: Callable[..., Any], name: str, content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / name, Path(folder) / "out.mse"
        source.write_bytes(content)
        refused = None
        try:
            read(source, out=out)
        except MainspringError as error:
            refused = str(error)
        if refused is None:
            assert Dataset.open(out).files[0].rows >= 0
        else:
            assert len(refused.splitlines()) == 1
            assert [path.name for path in Path(folder).iterdir()] == [name]


@settings(max_examples=150, deadline=None)
@given(EDITS)
def test_csv_bars(edits: list[Edit]) -> None:
    survives(from_csv_bars, "a.csv", damaged(CSV, edits))


@settings(max_examples=60, deadline=None)
@given(EDITS)
def test_parquet_of_others(edits: list[Edit]) -> None:
    survives(from_parquet, "a.parquet", damaged(parquet(), edits))


@settings(max_examples=60, deadline=None)
@given(EDITS)
def test_parquet_of_our_own(edits: list[Edit]) -> None:
    survives(from_parquet, "a.parquet", damaged(own_parquet(), edits))


def test_the_undamaged_ones_are_read(tmp_path: Path) -> None:
    for name, content, read in (
        ("a.csv", CSV, from_csv_bars),
        ("b.parquet", parquet(), from_parquet),
        ("c.parquet", own_parquet(), from_parquet),
    ):
        (tmp_path / name).write_bytes(content)
        assert read(tmp_path / name, out=tmp_path / f"{name}.mse").rows in (6, 50)
