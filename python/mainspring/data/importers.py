"""Recordings of venues and files of vendors become event files.

The work is done by the extension without the GIL; this module turns Python values into its options
and its report into a dataclass.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mainspring import _core
from mainspring.errors import ConfigError

if TYPE_CHECKING:
    from mainspring.data.dataset import Dataset

PathArg = str | PathLike[str]
Progress = Callable[[str, int, int, int], object]
Stream = Literal["depth", "trades", "best", "mark"]

_STREAMS: tuple[Stream, ...] = ("depth", "trades", "best", "mark")
_DEFAULT_STREAMS: tuple[Stream, ...] = ("depth", "trades", "mark")
_DECIMALS = {"tick", "lot", "multiplier", "min_notional", "maker_fee", "taker_fee"}
_COMPRESSED = {".gz", ".xz", ".zst", ".zip"}


@dataclass(frozen=True)
class ImportReport:
    """What an import did.

    Attributes:
        format: the format it was read as.
        inputs: the files, in the order they were read.
        output: the event file.
        rows: rows written; `rows_by_kind` has them apart.
        messages: messages of the input by the venue's kind, those not kept included.
        instruments: symbol, tick, lot, their origins (`given`, `recording`, `inferred`), rows.
        gap_count: how often the book was lost; `gaps` lists the first hundred with file and line.
        refused: lines left out, by reason, with count and place of the first.
        clock: `offset_ns` added to receive times, the method, smallest and median latency (ns).
        checksums: venue checksums compared and equal.
        notes: facts worth knowing.
        span_ns: first and last receive time, corrected (ns since 1970), or None.
        seconds: how long it took.
    """

    format: str
    inputs: list[str]
    output: str
    rows: int
    rows_by_kind: dict[str, int]
    messages: dict[str, int]
    instruments: list[dict[str, Any]]
    gap_count: int
    gaps: list[dict[str, Any]]
    refused: list[dict[str, Any]]
    clock: dict[str, Any]
    checksums: dict[str, int]
    notes: list[str] = field(default_factory=list)
    span_ns: tuple[int, int] | None = None
    seconds: float = 0.0


def formats() -> list[str]:
    """Names of the formats that `import_file` reads."""
    return list(_core.import_formats())


def detect_format(path: PathArg) -> str:
    """The format of a file, told by its content.

    Raises:
        NotFoundError: the file is missing.
        DataError: no importer knows it.
    """
    return _core.detect_format(Path(path))


def export_hftbacktest(path: PathArg, out: PathArg, symbol: str | None = None) -> int:
    """Writes one instrument of an event file as an hftbacktest event array (`.npz`, array `data`).

    Exchange times are their running maximum, so that the array is in order by both clocks. A gap
    empties the book; mark price, funding and status rows have no place in the format.

    Returns:
        The number of records.

    Raises:
        NotFoundError: the file is missing, or holds several instruments and none was named.
        InvalidValue: the file holds bars.
    """
    return _core.export_hftbacktest(Path(path), Path(out), symbol)


def import_file(
    path: PathArg | Iterable[PathArg],
    format: str = "auto",  # noqa: A002 - the word people look for
    out: PathArg | None = None,
    **options: Any,
) -> Dataset:
    """Imports files and opens the result.

    Options and errors are those of `import_report`, which says what was done instead.
    """
    from mainspring import data

    report = import_report(path, format, out, **options)
    return data.open(report.output)


def import_report(
    path: PathArg | Iterable[PathArg],
    format: str = "auto",  # noqa: A002 - the word people look for
    out: PathArg | None = None,
    *,
    instrument: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    streams: Iterable[Stream] = _DEFAULT_STREAMS,
    symbols: Iterable[str] = (),
    clock: Literal["auto", "keep"] | int = "auto",
    bad_lines: Literal["refuse", "skip"] = "refuse",
    base_latency_ns: int = 0,
    venue: str | None = None,
    symbol: str | None = None,
    date: str | None = None,
    utc_offset_hours: int | None = None,
    progress: Progress | None = None,
) -> ImportReport:
    """Imports files into one event file and says what was done.

    Args:
        path: a file or several; what several mean (continuations, parts of one session) is the
            format's. gzip, xz, zstd and zip are read as they are.
        format: one of `formats()`, or "auto" to tell it from the content of the first file.
        out: the event file; by default the first input's name with `.mse` in the current folder.
        instrument: parts of the definition (`symbol`, `tick`, `lot`, `multiplier`, `kind`, `base`,
            `quote`, fees, ...), one mapping or one a symbol. What is left open comes from the
            recording, and tick and lot otherwise from the finest decimals in the data.
        streams: which of depth, trades, best, mark go in.
        symbols: symbols to keep, all when empty.
        clock: "auto" adds to receive times what makes the smallest latency `base_latency_ns` when
            rows are received before they happened; "keep" changes nothing; a number is an offset
            in ns.
        bad_lines: "refuse" stops at the first, "skip" counts them.
        base_latency_ns: see `clock`.
        venue, symbol: for formats that do not say.
        date, utc_offset_hours: for formats that stamp the time of day; New York otherwise.
        progress: called as `progress(stage, bytes, bytes_total, rows)` every few thousand
            messages; an exception in it stops the import.

    Raises:
        NotFoundError: a file or format that does not exist.
        DataError: the input is not what it claims to be; names file and line.
        ConfigError: options that do not fit.
        KeyboardInterrupt: Ctrl-C. In every case no file is left.
    """
    paths = [Path(path)] if isinstance(path, str | PathLike) else [Path(each) for each in path]
    if not paths:
        raise ConfigError("there is no input to import")
    settings = {
        "instruments": _instruments(instrument),
        "streams": _streams(streams),
        "symbols": list(symbols),
        "clock": clock if isinstance(clock, str) else {"offset": int(clock)},
        "bad_lines": bad_lines,
        "base_latency_ns": base_latency_ns,
        "venue": venue,
        "symbol": symbol,
        "date": date,
        "utc_offset_hours": utc_offset_hours,
    }
    target = Path(out) if out is not None else _default_output(paths[0])
    target.parent.mkdir(parents=True, exist_ok=True)
    text = _core.import_file(paths, target, format, json.dumps(settings), progress)
    return ImportReport(**json.loads(text))


def _instruments(
    given: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None,
) -> list[dict[str, Any]]:
    if given is None:
        return []
    specs = [given] if isinstance(given, Mapping) else list(given)
    return [{key: _plain(key, value) for key, value in spec.items()} for spec in specs]


def _plain(key: str, value: Any) -> Any:
    """Decimals of a definition cross as text; a float is written with its shortest digits."""
    if key not in _DECIMALS or value is None:
        return value
    try:
        return format(Decimal(str(value)), "f")
    except InvalidOperation:
        raise ConfigError(f"instrument: {key} {value!r} is not a number") from None


def _streams(wanted: Iterable[Stream]) -> dict[str, bool]:
    names = set(wanted)
    if unknown := names.difference(_STREAMS):
        raise ConfigError(f"unknown streams {sorted(unknown)}; there are {list(_STREAMS)}")
    return {name: name in names for name in _STREAMS}


def _default_output(first: Path) -> Path:
    name = first
    while name.suffix in _COMPRESSED:
        name = name.with_suffix("")
    return Path.cwd() / f"{name.stem if name.suffix in {'.csv', '.txt'} else name.name}.mse"
