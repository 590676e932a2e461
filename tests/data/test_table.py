"""Tables leave the engine by Arrow and numpy and come back unchanged."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mainspring import Table
from mainspring.errors import ConfigError, DataError

COLUMNS: dict[str, Any] = {
    "i64": np.array([1, -(2**63), 2**63 - 1], dtype="int64"),
    "i32": np.array([1, -(2**31), 3], dtype="int32"),
    "i8": np.array([1, -128, 127], dtype="int8"),
    "u64": np.array([0, 2**64 - 1, 5], dtype="uint64"),
    "u32": np.array([0, 2**32 - 1, 5], dtype="uint32"),
    "u16": np.array([0, 65_535, 5], dtype="uint16"),
    "u8": np.array([0, 255, 5], dtype="uint8"),
    "f64": np.array([0.1, np.nan, np.inf]),
    "flag": np.array([True, False, True]),
    "when": np.array(["2024-08-08T23:54:14.123456789", "1970-01-01", "1969-12-31T23:59:59"],
                     dtype="datetime64[ns]"),
    "text": np.array(["", "BTCUSDT", "é€😀"]),
}  # fmt: skip


@pytest.fixture
def table() -> Table:
    return Table(COLUMNS, "all types")


def same(left: dict[str, Any], right: dict[str, Any]) -> None:
    assert list(left) == list(right)
    for name, values in left.items():
        assert values.dtype.kind == right[name].dtype.kind, name
        np.testing.assert_array_equal(values, right[name], err_msg=name)


def test_numpy_round_trip_keeps_values_and_types(table: Table) -> None:
    out = table.to_numpy()
    same(out, COLUMNS)
    for name in ("i64", "u16", "f64"):
        assert out[name].dtype == COLUMNS[name].dtype
        assert out[name].flags.owndata
        assert out[name].flags.writeable
    out["i64"][0] = 77
    assert table["i64"][0] == 1, "an array of its own"


def test_shape_names_and_mistakes(table: Table) -> None:
    assert len(table) == 3
    assert table.shape == (3, 11)
    assert table.columns == list(COLUMNS)
    assert "i64" in table
    assert "nothing" not in table
    assert table.schema["when"] == "timestamp[ns]"
    assert len(table.head(2)) == 2
    assert table.slice(1, 1)["text"].tolist() == ["BTCUSDT"]
    assert len(table.slice(9, 1)) == 0
    with pytest.raises(KeyError, match="no column 'nothing', only i64, i32"):
        table["nothing"]
    shown = repr(table)
    assert shown.startswith("all types: 3 rows, 11 columns")
    assert "2024-08-08T23:54:14.123456789Z" in shown
    assert "<td>BTCUSDT</td>" in table._repr_html_()


def test_polars_takes_it(table: Table) -> None:
    pl = pytest.importorskip("polars")
    frame = table.to_polars()
    assert frame.shape == (3, 11)
    assert frame["i64"].to_list() == COLUMNS["i64"].tolist()
    assert frame["text"].to_list() == COLUMNS["text"].tolist()
    assert frame["flag"].to_list() == [True, False, True]
    assert frame.schema["when"] == pl.Datetime("ns", "UTC")
    same(Table(frame).to_numpy(), COLUMNS)


def test_pyarrow_takes_it(table: Table) -> None:
    pa = pytest.importorskip("pyarrow")
    arrow = table.to_pyarrow()
    arrow.validate(full=True)
    assert pa.schema(table) == arrow.schema
    assert arrow["u64"].to_pylist() == COLUMNS["u64"].tolist()
    same(Table(arrow).to_numpy(), COLUMNS)
    # The memory is the table's own, not a copy.
    array = arrow["i64"].chunk(0)
    again = table.to_pyarrow()["i64"].chunk(0)
    assert array.buffers()[1].address == again.buffers()[1].address


def test_pandas_takes_it(table: Table) -> None:
    pytest.importorskip("pandas")
    frame = table.to_pandas()
    assert frame["i64"].tolist() == COLUMNS["i64"].tolist()
    assert str(frame["when"].dtype) == "datetime64[ns, UTC]"
    same(Table(frame).to_numpy(), COLUMNS)


def test_duckdb_takes_it(table: Table) -> None:
    duckdb = pytest.importorskip("duckdb")
    rows = table
    answer = duckdb.sql("select text, u16::int, flag from rows where i32 = 3").fetchall()
    assert len(rows) == 3
    assert answer == [("é€😀", 5, True)]


def test_arrow_outlives_the_table() -> None:
    pytest.importorskip("pyarrow")
    arrow = Table({"a": np.arange(100_000), "s": ["x" * 9] * 100_000}).to_pyarrow()
    gc.collect()
    churn = [np.full(100_000, 7) for _ in range(20)]
    assert arrow["a"].to_numpy().sum() == 4_999_950_000
    assert len(churn) == 20
    assert arrow["s"][99_999].as_py() == "x" * 9


def test_a_capsule_is_taken_once(table: Table) -> None:
    pa = pytest.importorskip("pyarrow")

    class Holder:
        def __init__(self) -> None:
            self.capsule = table.__arrow_c_stream__()

        def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
            return self.capsule

    holder = Holder()
    same(Table(holder).to_numpy(), COLUMNS)
    with pytest.raises(DataError, match="was used before"):
        Table(holder)
    with pytest.raises(Exception, match=r"(?i)released|invalid"):
        pa.table(holder)


def test_foreign_arrow_types_come_in() -> None:
    pa = pytest.importorskip("pyarrow")
    arrow = pa.table(
        {
            "i16": pa.array([1, -2, 3], pa.int16()),
            "f32": pa.array([0.5, None, 1.5], pa.float32()),
            "s": pa.array([1, 2, 3], pa.timestamp("s")),
            "ms": pa.array([1, 2, 3], pa.timestamp("ms", "UTC")),
            "day": pa.array([0, 1, 2], pa.date32()),
            "view": pa.array(["short", "a text longer than twelve", ""], pa.string_view()),
            "word": pa.array(["buy", "sell", "buy"]).dictionary_encode(),
            "bits": pa.array([True, True, False]),
        }
    )
    table = Table(arrow)
    assert table["i16"].tolist() == [1, -2, 3]
    assert np.isnan(table["f32"][1])
    assert table["s"].astype("int64").tolist() == [10**9, 2 * 10**9, 3 * 10**9]
    assert table["ms"].astype("int64").tolist() == [10**6, 2 * 10**6, 3 * 10**6]
    assert table["day"].astype("datetime64[D]").astype("int64").tolist() == [0, 1, 2]
    assert table["view"].tolist() == ["short", "a text longer than twelve", ""]
    assert table["word"].tolist() == ["buy", "sell", "buy"]
    sliced = pa.concat_tables([arrow.slice(1, 2), arrow.slice(0, 1)])
    again = Table(sliced)
    assert again["i16"].tolist() == [-2, 3, 1]
    assert again["bits"].tolist() == [True, False, True]
    assert again["word"].tolist() == ["sell", "buy", "buy"]
    assert again["view"].tolist() == ["a text longer than twelve", "", "short"]


def test_what_has_no_counterpart_is_refused_by_name() -> None:
    pa = pytest.importorskip("pyarrow")
    with pytest.raises(DataError, match="column 'd' has Arrow type"):
        Table(pa.table({"d": pa.array([[1]])}))
    with pytest.raises(DataError, match="column 'n' has no value in row 1"):
        Table(pa.table({"n": pa.array([1, None])}))
    with pytest.raises(DataError, match="column 'c' has numpy type complex128"):
        Table({"c": np.array([1j])})
    with pytest.raises(DataError, match="column 'm' is not one-dimensional"):
        Table({"m": np.zeros((2, 2))})
    with pytest.raises(DataError, match="missing time"):
        Table({"t": np.array(["NaT"], dtype="datetime64[ns]")})
    with pytest.raises(ValueError, match="column 'b' has 1 rows, the others have 2"):
        Table({"a": [1, 2], "b": [1]})
    with pytest.raises(TypeError, match="not from int"):
        Table(5)


def test_empty_tables_cross_too() -> None:
    pa = pytest.importorskip("pyarrow")
    pl = pytest.importorskip("polars")
    empty = {name: values[:0] for name, values in COLUMNS.items()}
    table = Table(empty)
    assert table.to_pyarrow().num_rows == 0
    assert table.to_polars().shape == (0, 11)
    assert len(Table(pa.table({"a": pa.array([], pa.int64())}))) == 0
    assert len(Table(pl.DataFrame({"a": []}, schema={"a": pl.Int64}))) == 0


def test_a_missing_package_is_named(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    import builtins

    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name in {"polars", "pyarrow"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    for call in (table.to_polars, table.to_pyarrow):
        with pytest.raises(ConfigError, match=r"mainspring\[data\]"):
            call()


numbers = st.lists(
    st.tuples(
        st.integers(-(2**63), 2**63 - 1),
        st.floats(allow_nan=False),
        st.booleans(),
        st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"])),
    ),
    max_size=70,
)


@settings(max_examples=50, deadline=None)
@given(rows=numbers, start=st.integers(0, 80), count=st.integers(0, 80))
def test_any_rows_survive_arrow(rows: list[Any], start: int, count: int) -> None:
    pa = pytest.importorskip("pyarrow")
    a, b, c, d = ([row[n] for row in rows] for n in range(4))
    arrow = pa.table({"a": pa.array(a, pa.int64()), "b": pa.array(b, pa.float64()),
                      "c": pa.array(c, pa.bool_()), "d": pa.array(d, pa.string())})  # fmt: skip
    table = Table(arrow)
    back = table.to_pyarrow()
    back.validate(full=True)
    assert back.to_pylist() == arrow.to_pylist()
    assert (
        Table(arrow.slice(start, count)).to_pyarrow().to_pylist()
        == arrow.slice(start, count).to_pylist()
    )
