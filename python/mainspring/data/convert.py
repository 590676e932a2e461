"""Tables of other programs as event files: bars, trades, and rows of our own.

Prices become ticks and quantities lots. A price that is no whole number of ticks is refused, with
its row, unless rounding is asked for.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mainspring import _core
from mainspring.data.columns import (
    Frame,
    Stamp,
    bar_columns,
    infer_unit,
    kind_of,
    normalised,
    trade_columns,
)
from mainspring.data.csv_bars import read_csv
from mainspring.data.dataset import Dataset, pyarrow_modules
from mainspring.data.home import data_home
from mainspring.data.instruments import Instrument, instrument
from mainspring.errors import DataError, InvalidValue, NotFoundError, StorageError

if TYPE_CHECKING:
    from mainspring._core import Table

PathArg = str | PathLike[str]
InstrumentArg = Instrument | str | Mapping[str, Any] | Sequence[Instrument] | None
FrameKind = Literal["auto", "bars", "trades", "rows"]
OffGrid = Literal["refuse", "round"]


def from_frame(
    data: Any,
    instrument: InstrumentArg = None,
    *,
    kind: FrameKind = "auto",
    interval: str | int | None = None,
    stamp: Stamp = "open",
    columns: Mapping[str, str] | None = None,
    off_grid: OffGrid = "refuse",
    out: PathArg | None = None,
    source: str = "frame",
) -> Dataset:
    """Makes a data set of a table: pandas, polars, pyarrow, duckdb, or a mapping of arrays.

    Column names are matched without regard to case; common ones (``Date``, ``o``, ``vol``,
    ``amount``, ``is_buyer_maker``) are known. Times are timestamps, ISO text, or numbers of
    seconds, milliseconds, microseconds or nanoseconds (told by their size).

    Args:
        data: the table.
        instrument: its definition, parts of it (arguments of `ms.data.instrument` as a mapping), or
            a symbol: a tick and lot that are left open are the finest decimals in the data.
            Several definitions for `rows` with a column `instrument`.
        kind: ``bars`` (time, open, high, low, close, volume), ``trades`` (time, price, qty, side),
            or ``rows`` (as `Dataset.read` gives them); told by the columns with ``auto``.
        interval: of bars, such as ``"1m"`` or in ns; the most frequent distance without it.
        stamp: whether a bar's time is its ``open`` or its ``close``. A bar is known at its close.
        columns: names of ours by names in the data, where they are not known.
        off_grid: what to do with a price that is no whole number of ticks.
        out: the event file; without it one under the data home, named by its content.
        source: what the provenance calls the origin.

    Raises:
        DataError: a column is missing or holds what cannot be used; names the row.
        InvalidValue: a definition or option that cannot be used.
        StorageError: the file cannot be written.
    """
    frame = normalised(_core.Table(_materialised(data)), columns)
    chosen = kind_of(frame) if kind == "auto" else kind
    if chosen == "bars":
        frame = bar_columns(frame, interval, stamp)
    elif chosen == "trades":
        frame = trade_columns(frame)
    elif chosen != "rows":
        raise InvalidValue(f"unknown kind of table {kind!r}; there are bars, trades and rows")
    instruments = _instruments(instrument, frame)
    schema = "bar" if "open_ns" in frame else "order" if "order_id" in frame else "market"
    return _write(frame, schema, instruments, _provenance(source), off_grid, out)


def from_arrow(data: Any, instrument: InstrumentArg = None, **options: Any) -> Dataset:
    """Makes a data set of anything that speaks the Arrow PyCapsule interface.

    Options and errors are those of `from_frame`.

    Raises:
        InvalidValue: it does not speak Arrow.
    """
    if not hasattr(data, "__arrow_c_stream__"):
        raise InvalidValue(f"{type(data).__name__} does not speak Arrow; use from_frame")
    return from_frame(data, instrument, **{"source": "arrow", **options})


def from_parquet(path: PathArg, instrument: InstrumentArg = None, **options: Any) -> Dataset:
    """Makes a data set of a Parquet file.

    A file that `Dataset.to_parquet` wrote brings its instruments and origin along and comes back
    to the row. Options and errors are those of `from_frame`.

    Raises:
        NotFoundError: the file is missing.
        DataError: it is no Parquet file.
        ConfigError: pyarrow is not installed.
    """
    file = _existing(path)
    arrow, parquet = pyarrow_modules()
    try:
        table = parquet.read_table(file)
    except (arrow.ArrowException, OSError, ValueError) as error:
        why = " ".join(str(error).split())
        raise DataError(f"{file}: not a Parquet file that can be read: {why}") from error
    about = table.schema.metadata or {}
    if b"mainspring:instruments" in about and instrument is None and not options.get("columns"):
        schema, instruments, origin = _own_facts(file, about)
        frame = _core.Table(table).to_numpy()
        return _write(frame, schema, instruments, origin, "refuse", options.get("out"))
    return from_frame(table, instrument, **{"source": f"parquet {file.name}", **options})


def _own_facts(
    file: Path, about: Mapping[bytes, bytes]
) -> tuple[str, list[dict[str, Any]], dict[str, Any]]:
    """Schema, instruments and origin that `Dataset.to_parquet` put into the metadata."""
    try:
        instruments = json.loads(about[b"mainspring:instruments"])
        origin = json.loads(about[b"mainspring:provenance"])
        origin["gaps"] = 0  # the writer counts the gap rows again
        return about[b"mainspring:schema"].decode(), [dict(one) for one in instruments], origin
    except (ValueError, KeyError, TypeError) as error:
        why = f"the metadata of this engine is damaged: {error!r}"
        raise DataError(f"{file}: {why}; name the instrument to read it without") from error


def from_csv_bars(path: PathArg, instrument: InstrumentArg = None, **options: Any) -> Dataset:
    """Makes a data set of a CSV file of bars, plain or gzipped.

    With a header its names are matched as in `from_frame`. Without one the columns are taken for
    Binance's klines (twelve columns) or for time, open, high, low, close, volume. The separator is
    a comma, semicolon or tab. Options and errors are those of `from_frame`.

    Raises:
        NotFoundError: the file is missing.
        DataError: a line is no bar; names the line.
    """
    file = _existing(path)
    symbol = file.name.split(".")[0].split("-")[0] or "bars"
    if instrument is None:
        instrument = symbol
    elif isinstance(instrument, Mapping):
        instrument = {"symbol": symbol, **instrument}
    defaults: dict[str, Any] = {"source": f"csv {file.name}", "kind": "bars"}
    return from_frame(read_csv(file), instrument, **{**defaults, **options})


def write_bars(
    out: PathArg,
    bars: Any,
    instrument: InstrumentArg = None,
    *,
    interval: str | int | None = None,
    stamp: Stamp = "open",
    off_grid: OffGrid = "refuse",
) -> Dataset:
    """Writes bars as an event file at `out`; arguments and errors are those of `from_frame`."""
    return from_frame(
        bars, instrument, kind="bars", interval=interval, stamp=stamp, off_grid=off_grid, out=out
    )


def _materialised(data: Any) -> Any:
    """A pandas index with a name of a time becomes a column; other tables stay as they are."""
    index = getattr(data, "index", None)
    if index is None or not hasattr(data, "reset_index"):
        return data
    if getattr(index, "dtype", None) is not None and index.dtype.kind == "M":
        named = data.rename_axis("time") if index.name is None else data
        return named.reset_index()
    return data.reset_index(drop=True) if index.name is None else data.reset_index()


def _instruments(given: InstrumentArg, frame: Frame) -> list[dict[str, Any]]:
    if isinstance(given, Instrument):
        return [given.to_dict()]
    if given is not None and not isinstance(given, str | Mapping):
        return [one.to_dict() for one in given]
    exact = {"price_ticks", "open_ticks"}.intersection(frame)
    if given is None and exact:
        raise InvalidValue("the table counts ticks and lots; give the instrument they belong to")
    prices = [frame[name] for name in ("open", "high", "low", "close", "price") if name in frame]
    sizes = [frame[name] for name in ("volume", "qty") if name in frame]
    parts = dict(given) if isinstance(given, Mapping) else {"symbol": given or "UNNAMED"}
    inferred = {"symbol": "UNNAMED", "tick": infer_unit(prices), "lot": infer_unit(sizes)}
    try:
        return [instrument(**{**inferred, **parts}).to_dict()]
    except TypeError as error:
        raise InvalidValue(f"parts of an instrument: {error}") from None


def _provenance(source: str) -> dict[str, Any]:
    return {
        "source": source,
        "clock": {"state": "trusted"},
        "software": f"mainspring {_core.__version__}",
    }


def cut(data: Dataset, end_ns: int, out: PathArg) -> Dataset:
    """Copies an event file without what was received at `end_ns` or later.

    Raises:
        InvalidValue: the data set has several files.
        StorageError: the copy cannot be written.
    """
    origin = {**data.provenance[0], "gaps": 0}  # the writer counts the gap rows again
    instruments = json.loads(data.files[0].instruments)
    frame = data.read(end=end_ns).to_numpy()
    return _write(frame, data.schema, instruments, origin, "refuse", out)


def _write(
    frame: Frame,
    schema: str,
    instruments: list[dict[str, Any]],
    provenance: dict[str, Any],
    off_grid: str,
    out: PathArg | None,
) -> Dataset:
    table: Table = _core.Table(frame, "table")
    target = Path(out) if out is not None else None
    folder = target.parent if target is not None else data_home() / "imported"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{folder}: cannot be made: {error}") from error
    name = instruments[0]["symbol"].replace("/", "-")
    path = target if target is not None else folder / f"{name}-{schema}-{os.getpid()}.mse"
    _core.write_event_file(
        path, schema, json.dumps(instruments), json.dumps(provenance), table, off_grid
    )
    if target is None:
        digest = hashlib.blake2b(Dataset.open(path).hash.encode(), digest_size=6).hexdigest()
        path = path.replace(folder / f"{name}-{schema}-{digest}.mse")
    return Dataset.open(path)


def _existing(path: PathArg) -> Path:
    file = Path(path)
    if not file.exists():
        raise NotFoundError(f"{file}: no such file")
    return file
