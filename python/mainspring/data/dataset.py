"""Data sets: one or several event files, opened in place."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Sequence
from enum import IntEnum
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainspring import _core
from mainspring.data.checks import CheckReport, check
from mainspring.data.instruments import Instrument
from mainspring.data.times import TimeArg, from_ns, to_ns
from mainspring.errors import ConfigError, InvalidValue, StorageError

if TYPE_CHECKING:
    from mainspring._core import EventFile, Table

PathArg = str | PathLike[str]

_PARQUET_ROWS = 1 << 18
"""Rows that are in memory at once while a file is exported."""


class RowKind(IntEnum):
    """What a row says: the values of the column `kind`."""

    DEPTH = 1
    TRADE = 2
    BEST = 3
    CLEAR = 4
    GAP = 5
    MARK = 6
    FUNDING = 7
    STATUS = 8
    GRID = 9
    ORDER_ADD = 16
    ORDER_MODIFY = 17
    ORDER_DELETE = 18
    ORDER_EXECUTE = 19


class Dataset:
    """One or several event files. Nothing is read until it is asked for.

    Attributes:
        files: the open files.
    """

    def __init__(self, files: Sequence[EventFile]) -> None:
        if not files:
            raise InvalidValue("a data set needs at least one event file")
        self.files: tuple[EventFile, ...] = tuple(files)

    @classmethod
    def open(cls, path: PathArg | Iterable[PathArg]) -> Dataset:
        """Opens one event file or several.

        Raises:
            NotFoundError: a file is missing.
            StorageError: a file cannot be read.
            DataError: a file is no event file, incomplete, damaged, or of a newer version.
        """
        paths = [path] if isinstance(path, str | PathLike) else list(path)
        return cls([_core.EventFile(Path(each)) for each in paths])

    @property
    def paths(self) -> list[Path]:
        """Where the files are."""
        return [Path(file.path) for file in self.files]

    @property
    def parts(self) -> list[Dataset]:
        """Each file as a data set of its own."""
        return [Dataset([file]) for file in self.files]

    @cached_property
    def instruments(self) -> list[Instrument]:
        """What is traded in the files, each instrument once."""
        found: dict[tuple[str, str], Instrument] = {}
        for file in self.files:
            for definition in json.loads(file.instruments):
                key = definition["venue"], definition["symbol"]
                found.setdefault(key, Instrument.from_dict(definition))
        return list(found.values())

    @property
    def schema(self) -> str:
        """`market`, `order` or `bar`; `mixed` when the files differ."""
        schemas = {file.schema for file in self.files}
        return schemas.pop() if len(schemas) == 1 else "mixed"

    @property
    def rows(self) -> int:
        """Rows in all files."""
        return sum(file.rows for file in self.files)

    @property
    def bytes(self) -> int:
        """Size of all files."""
        return sum(file.bytes for file in self.files)

    @property
    def hash(self) -> str:
        """Hash of what the rows say, whatever they were read from, in hexadecimal."""
        if len(self.files) == 1:
            return self.files[0].hash
        together = "\n".join(file.hash for file in self.files)
        return hashlib.blake2b(together.encode(), digest_size=32).hexdigest()

    @property
    def span_ns(self) -> tuple[int, int]:
        """First and last receive time of all files, ns since 1970 UTC."""
        spans = [file.recv_span_ns for file in self.files]
        return min(first for first, _ in spans), max(last for _, last in spans)

    @property
    def span(self) -> tuple[dt.datetime, dt.datetime]:
        """`span_ns` as datetimes in UTC."""
        first, last = self.span_ns
        return from_ns(first), from_ns(last)

    @property
    def provenance(self) -> list[dict[str, Any]]:
        """Where the rows of each file come from, and what is known of its clock."""
        return [json.loads(file.provenance) for file in self.files]

    @property
    def clock(self) -> str:
        """`trusted`, `corrected` or `uncorrected`: the worst of the files."""
        states = {origin["clock"]["state"] for origin in self.provenance}
        return next(s for s in ("uncorrected", "corrected", "trusted") if s in states)

    def read(
        self,
        start: TimeArg | None = None,
        end: TimeArg | None = None,
        *,
        instrument: str | int | None = None,
        kinds: Iterable[RowKind | str | int] = (),
        skip: int = 0,
        limit: int | None = None,
    ) -> Table:
        """Rows as a table.

        Args:
            start: receive time from; ns since 1970, a datetime or ISO text.
            end: receive time up to, not included.
            instrument: only this one, by symbol or index.
            kinds: only these kinds, such as ``"trade"``; all without.
            skip: rows to leave out at the front.
            limit: most rows.

        Returns:
            Columns `recv_ns`, `exch_ns`, `kind` (a `RowKind`), `flags`, `instrument`, `side` (+1
            bid or buyer, -1 ask or seller), `price_ticks`, `qty_lots` (exact), `price`, `qty`, and
            for order-level data `order_id`. Bars have `recv_ns`, `open_ns`, `instrument`, `open`,
            `high`, `low`, `close`, `volume`, `trades`, and exact `open_ticks` to
            `volume_lots`.

        Raises:
            InvalidValue: the data set has several files (read one of `parts`), or an unknown
                instrument or kind.
            DataError, StorageError: the file is damaged or was cut.
        """
        file = self.single_file("read")
        return file.read(
            None if start is None else to_ns(start),
            None if end is None else to_ns(end),
            self.instrument_index(instrument),
            [int(_kind(kind)) for kind in kinds],
            skip,
            limit,
        )

    def head(self, rows: int = 5) -> Table:
        """The first rows."""
        return self.single_file("head").read(limit=rows)

    def to_arrow(self, **selection: Any) -> Table:
        """Rows as a table that polars, pandas, pyarrow and duckdb take without a copy.

        Arguments and errors are those of `read`.
        """
        return self.read(**selection)

    def to_polars(self, **selection: Any) -> Any:
        """Rows as a polars DataFrame; arguments and errors are those of `read`."""
        return self.read(**selection).to_polars()

    def to_pandas(self, **selection: Any) -> Any:
        """Rows as a pandas DataFrame; arguments and errors are those of `read`."""
        return self.read(**selection).to_pandas()

    def to_parquet(self, path: PathArg) -> Path:
        """Writes all rows as Parquet, with instruments and origin in the file's metadata.

        `from_parquet` makes the same event file of it again, to the row.

        Raises:
            ConfigError: pyarrow is not installed.
            InvalidValue: the data set has several files.
            StorageError: it cannot be written; nothing is left then.
        """
        file = self.single_file("to_parquet")
        arrow, parquet = pyarrow_modules()
        target = Path(path)
        partial = target.with_name(f".{target.name}.partial")
        about = {"instruments": file.instruments, "provenance": file.provenance}
        about = {f"mainspring:{key}": text for key, text in about.items()}
        about["mainspring:schema"] = file.schema
        try:
            schema = arrow.table(file.read(limit=0)).schema.with_metadata(about)
            with parquet.ParquetWriter(partial, schema, compression="zstd") as writer:
                for skip in range(0, file.rows, _PARQUET_ROWS):
                    batch = arrow.table(file.read(skip=skip, limit=_PARQUET_ROWS))
                    writer.write_table(batch.cast(schema))
            partial.replace(target)
        except OSError as error:
            raise StorageError(f"{target}: cannot be written: {error}") from error
        finally:
            partial.unlink(missing_ok=True)
        return target

    def check(self) -> list[CheckReport]:
        """Checks every file; see `mainspring.data.check`."""
        return [check(path) for path in self.paths]

    def describe(self) -> str:
        """What the data set is, for people."""
        first, last = self.span
        lines = [
            f"{self.rows:,} {self.schema} rows in {len(self.files)} file(s), {self.bytes:,} bytes",
            f"{first:%Y-%m-%d %H:%M:%S} to {last:%Y-%m-%d %H:%M:%S} UTC ({last - first})",
        ]
        lines += [_describe(one) for one in self.instruments]
        for path, origin in zip(self.paths, self.provenance, strict=True):
            clock = origin["clock"]
            state = clock["state"]
            if state == "corrected":
                state += f" by {clock['offset_ns'] / 1e9:+.6f} s"
            lines.append(f"{path}: {origin['source']}, clock {state}, {origin['gaps']} gaps")
        lines.append(f"hash {self.hash}")
        return "\n".join(lines)

    def single_file(self, doing: str) -> EventFile:
        """The only file; `doing` is what needs it.

        Raises:
            InvalidValue: there are several.
        """
        if len(self.files) != 1:
            raise InvalidValue(
                f"{doing} works on one file and this data set has {len(self.files)}; "
                "take one of its parts: dataset.parts[0]"
            )
        return self.files[0]

    def instrument_index(self, instrument: str | int | None) -> int | None:
        """The index of an instrument by its symbol; an index or None as it is.

        Raises:
            InvalidValue: no instrument of this name.
        """
        if instrument is None or isinstance(instrument, int):
            return instrument
        symbols = [definition["symbol"] for definition in json.loads(self.files[0].instruments)]
        if instrument not in symbols:
            raise InvalidValue(f"no instrument {instrument!r}; there are {', '.join(symbols)}")
        return symbols.index(instrument)

    def __add__(self, other: Dataset) -> Dataset:
        return Dataset([*self.files, *other.files])

    def __len__(self) -> int:
        return self.rows

    def __repr__(self) -> str:
        symbols = ", ".join(one.symbol for one in self.instruments[:4])
        more = ", ..." if len(self.instruments) > 4 else ""
        first, last = self.span
        return (
            f"Dataset({symbols}{more}: {self.rows:,} {self.schema} rows, "
            f"{first:%Y-%m-%d %H:%M:%S} to {last:%Y-%m-%d %H:%M:%S} UTC)"
        )


def open(path: PathArg | Iterable[PathArg]) -> Dataset:  # noqa: A001 - `ms.data.open`
    """Opens one event file or several as a data set; errors are those of `Dataset.open`."""
    return Dataset.open(path)


def _kind(kind: RowKind | str | int) -> RowKind:
    try:
        return RowKind[kind.upper()] if isinstance(kind, str) else RowKind(kind)
    except (KeyError, ValueError):
        names = ", ".join(one.name.lower() for one in RowKind)
        raise InvalidValue(f"unknown kind of row {kind!r}; there are {names}") from None


def _describe(one: Instrument) -> str:
    kind = one.kind.replace("_", " ")
    return f"{one.symbol} ({one.venue}, {kind}): tick {one.tick:f}, lot {one.lot:f} {one.base}"


def pyarrow_modules() -> tuple[Any, Any]:
    """`pyarrow` and `pyarrow.parquet`, or a ConfigError that says how to get them."""
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ModuleNotFoundError:
        raise ConfigError(
            "pyarrow is not installed; `pip install 'mainspring[data]'` brings it"
        ) from None
    return pa, parquet
