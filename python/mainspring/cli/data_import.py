"""`mainspring data import` and `mainspring data download`: from elsewhere to event files."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Group, Parameter

from mainspring.cli.app import Flag, verb_app
from mainspring.cli.exits import Exit
from mainspring.cli.output import Output
from mainspring.data.instruments import Kind
from mainspring.errors import InvalidValue

if TYPE_CHECKING:
    from mainspring.data import Dataset

import_app = verb_app("data import", "FILE...")
download_app = verb_app("data download", "SYMBOL")

_INSTRUMENT = Group("Instrument", sort_key=2)
_TABLES = ("csv-bars", "parquet")


@import_app.default
def import_(
    *files: Path,
    format_: Annotated[str, Parameter(name="--format")] = "auto",
    out: Path | None = None,
    streams: list[Literal["depth", "trades", "best", "mark"]] | None = None,
    symbols: list[str] | None = None,
    clock: str = "auto",
    bad_lines: Literal["refuse", "skip"] = "refuse",
    date: str | None = None,
    interval: str | None = None,
    stamp: Literal["open", "close"] = "open",
    venue: Annotated[str | None, Parameter(group=_INSTRUMENT)] = None,
    symbol: Annotated[str | None, Parameter(group=_INSTRUMENT)] = None,
    tick: Annotated[Decimal | None, Parameter(group=_INSTRUMENT)] = None,
    lot: Annotated[Decimal | None, Parameter(group=_INSTRUMENT)] = None,
    maker_fee: Annotated[Decimal | None, Parameter(group=_INSTRUMENT)] = None,
    taker_fee: Annotated[Decimal | None, Parameter(group=_INSTRUMENT)] = None,
    multiplier: Annotated[Decimal | None, Parameter(group=_INSTRUMENT)] = None,
    kind: Annotated[Kind | None, Parameter(group=_INSTRUMENT)] = None,
    base: Annotated[str | None, Parameter(group=_INSTRUMENT)] = None,
    quote: Annotated[str | None, Parameter(group=_INSTRUMENT)] = None,
    instrument: Annotated[list[str] | None, Parameter(group=_INSTRUMENT)] = None,
    utc_offset_hours: int | None = None,
    output: Output | None = None,
) -> None:
    """Import recordings of venues and files of vendors into one event file.

    Parameters
    ----------
    files
        The input; gzip, xz, zstd and zip are read as they are.
    format_
        The input's format; told from its content without it. `mainspring data formats` lists them;
        `csv-bars` and `parquet` (bars, trades or rows) are tables, one file at a time.
    out
        The event file; the first input's name with `.mse` in this folder without it.
    streams
        What goes in; depth, trades and mark without it.
    symbols
        Symbols to keep; all without it.
    clock
        `auto` corrects a receive clock that runs behind the exchange's, `keep` changes nothing, a
        number is the offset in ns.
    bad_lines
        Stop at the first line that cannot be read, or count and skip them.
    date
        Of files that stamp the time of day only.
    interval
        Of bars in a table, as `1m`; the most frequent distance without it.
    stamp
        Whether the time of a bar in a table is its open or its close.
    venue
        For formats that do not say.
    symbol
        For formats that do not say.
    tick
        Price step; from the recording without it.
    lot
        Quantity step; from the recording without it.
    maker_fee
        Fraction of the traded value; negative is a rebate.
    taker_fee
        Fraction of the traded value.
    multiplier
        What one contract is: quote value of an inverse contract, base units of a dated future.
    kind
        Sort of instrument; from the recording without it.
    base
        Base currency.
    quote
        Quote currency.
    instrument
        The same for one symbol of several, as `ESM4:multiplier=50,tick=0.25`; again for each.
    utc_offset_hours
        Of files that stamp the time of day: hours that its day begins after UTC's; New York's
        clock without it.
    output
        Flags of every verb.
    """
    from mainspring.data import import_report

    output = output or Output()
    if not files:
        raise InvalidValue("name the file to import")
    definition = {
        "tick": tick, "lot": lot, "maker_fee": maker_fee, "taker_fee": taker_fee,
        "multiplier": multiplier, "kind": kind, "base": base, "quote": quote,
    }  # fmt: skip
    given = {key: value for key, value in definition.items() if value is not None}
    definitions = _definitions(given, symbol, instrument or ())
    if _is_table(format_, files):
        named = {key: value for key, value in (("symbol", symbol), ("venue", venue)) if value}
        about = {**named, **(definitions[0] if definitions else {})}
        made = _import_table(
            files, format_, about or None, interval=interval, stamp=stamp, out=out
        )  # fmt: skip
        output.result({"output": str(made.paths[0]), "rows": made.rows}, made.describe)
        return
    with output.progress("import", unit="bytes") as bar:
        report = import_report(
            files,
            format_,
            out,
            instrument=definitions,
            streams=streams or ("depth", "trades", "mark"),
            symbols=symbols or (),
            clock=_clock(clock),
            bad_lines=bad_lines,
            venue=venue,
            symbol=symbol,
            date=date,
            utc_offset_hours=utc_offset_hours,
            progress=lambda _stage, done, total, _rows: bar.update(done, total),
        )
    output.result(asdict(report), lambda: _import_text(report))


def _definitions(
    given: dict[str, Any], symbol: str | None, by_symbol: Sequence[str]
) -> list[dict[str, Any]]:
    """Parts of definitions: those of single symbols, then what holds for the one or the rest."""
    found = [{**given, **_definition(text)} for text in by_symbol]
    return [*found, {**given, **({"symbol": symbol} if symbol else {})}] if given else found


def _definition(text: str) -> dict[str, str]:
    symbol, colon, parts = text.rpartition(":")
    pairs = [part.partition("=") for part in parts.split(",")]
    if not colon or not all(key and sign and value for key, sign, value in pairs):
        raise InvalidValue(f"--instrument {text!r}: write SYMBOL:key=value,key=value")
    return {"symbol": symbol, **{key: value for key, _, value in pairs}}


def _is_table(format_: str, files: Sequence[Path]) -> bool:
    return format_ in _TABLES or (format_ == "auto" and files[0].suffix == ".parquet")


def _import_table(
    files: Sequence[Path],
    format_: str,
    instrument: dict[str, Any] | None,
    *,
    interval: str | None,
    stamp: str,
    out: Path | None,
) -> Dataset:
    """An event file of a CSV file of bars, or of a Parquet file."""
    from mainspring.data import from_csv_bars, from_parquet

    if len(files) != 1:
        raise InvalidValue(f"{len(files)} tables; they are imported one at a time")
    target = out or Path(files[0].name.split(".")[0] + ".mse")
    options: dict[str, Any] = {"out": target}
    if interval is not None or format_ == "csv-bars":
        options |= {"interval": interval, "stamp": stamp}
    read = from_csv_bars if format_ == "csv-bars" else from_parquet
    return read(files[0], instrument, **options)


def _clock(text: str) -> Any:
    if text in ("auto", "keep"):
        return text
    try:
        return int(text)
    except ValueError:
        raise InvalidValue(f"--clock {text!r}: give auto, keep, or an offset in ns") from None


def _import_text(report: Any) -> str:
    lines = [
        f"{report.output}: {report.rows:,} rows from {report.format} in {report.seconds:.1f} s"
    ]
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in report.rows_by_kind.items() if count)
    lines.append(f"  rows        {kinds}")
    lines += [f"  instrument  {_instrument_text(one)}" for one in report.instruments]
    clock = report.clock
    if clock.get("offset_ns"):
        lines.append(f"  clock       receive times moved by {clock['offset_ns'] / 1e9:+.6f} s")
    lines.append(f"  gaps        {report.gap_count}")
    lines += [f"  refused     {one}" for one in report.refused]
    if compared := report.checksums.get("compared"):
        lines.append(f"  checksums   {report.checksums['equal']:,} of {compared:,} equal")
    return "\n".join([*lines, *(f"  note        {note}" for note in report.notes)])


def _instrument_text(one: dict[str, Any]) -> str:
    return f"{one.get('symbol')}: tick {one.get('tick')}, lot {one.get('lot')}"


@download_app.default
def download(
    symbol: str,
    /,
    *,
    start: dt.date,
    end: dt.date | None = None,
    kind: str = "trades",
    market: Literal["spot", "usdm", "coinm"] = "spot",
    period: Literal["daily", "monthly"] = "daily",
    interval: str = "1m",
    folder: Path | None = None,
    base_url: str | None = None,
    skip_missing: Flag = False,
    output: Output | None = None,
) -> int:
    """Download files of Binance's public archive, resumed where they stopped, and verified.

    Exits 7 when `--skip-missing` left some out.

    Parameters
    ----------
    symbol
        Such as `BTCUSDT`, or `BTCUSD_PERP` for coin-margined contracts.
    start
        First day, or any day of the first month.
    end
        Last day, included; the first without it.
    kind
        `trades`, `aggTrades`, `klines`; for futures also `bookDepth`, `bookTicker`, `fundingRate`,
        `metrics` and others.
    market
        Spot, USD-margined or coin-margined futures.
    period
        A file a day or a month.
    interval
        Of klines.
    folder
        Where files go, laid out as in the archive; `downloads` in the data folder without it.
    base_url
        A mirror of the archive.
    skip_missing
        Go on where the archive does not have a day.
    output
        Flags of every verb.
    """
    from mainspring.data.download import BASE_URL
    from mainspring.data.download import download as fetch

    output = output or Output()
    with output.progress("download", unit="bytes") as bar:
        paths = fetch(
            symbol,
            kind,
            start=start,
            end=end,
            market=market,
            period=period,
            interval=interval,
            folder=folder,
            base_url=base_url or BASE_URL,
            missing="skip" if skip_missing else "refuse",
            progress=lambda _name, done, total: bar.update(done, total),
        )
    output.result([str(path) for path in paths], lambda: "\n".join(map(str, paths)))
    wanted = _periods(start, end or start, period)
    return Exit.PARTIAL if len(paths) < wanted else Exit.OK


def _periods(first: dt.date, last: dt.date, period: str) -> int:
    if period == "daily":
        return (last - first).days + 1
    return (last.year - first.year) * 12 + last.month - first.month + 1
