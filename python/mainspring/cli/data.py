"""`mainspring data`: list, import, check, describe, generate and download market data."""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Group, Parameter

from mainspring.cli import market_data
from mainspring.cli.app import Flag, verb_app
from mainspring.cli.exits import Exit
from mainspring.cli.output import Output
from mainspring.errors import InvalidValue

app = verb_app("data", summary="List, import, check, describe and download market data.")

_INSTRUMENT = Group("Instrument", sort_key=2)
SEVERITIES = ("error", "warning", "note")


def _command(name: str, words: str = "") -> App:
    made = verb_app(f"data {name}", words)
    app.command(made, name=name)
    return made


@_command("info", "DATA...").default
def info(*data: str, output: Output | None = None) -> None:
    """Describe data sets: instruments, span, rows, origin, clock, hash.

    Parameters
    ----------
    data
        Event files, catalog names or `sample:NAME`.
    output
        Flags of every verb.
    """
    output = output or Output()
    sets = market_data.open_all(data)
    documents = [_description(one) for one in sets]
    output.result(documents, lambda: "\n\n".join(one.describe() for one in sets))


def _description(one: Any) -> dict[str, Any]:
    return {
        "paths": [str(path) for path in one.paths],
        "schema": one.schema,
        "rows": one.rows,
        "bytes": one.bytes,
        "span_ns": one.span_ns,
        "clock": one.clock,
        "hash": one.hash,
        "instruments": [instrument.to_dict() for instrument in one.instruments],
        "provenance": one.provenance,
    }


@_command("check", "DATA...").default
def check(*data: str, strict: Flag = False, output: Output | None = None) -> int:
    """Check event files: checksums, gaps, crossed books, order, duplicates, grid, clocks.

    Exits 1 when an error was found; warnings and notes are told.

    Parameters
    ----------
    data
        Event files, catalog names or `sample:NAME`.
    strict
        Exit 1 for a warning too.
    output
        Flags of every verb.
    """
    output = output or Output()
    reports = [report for one in market_data.open_all(data) for report in one.check()]
    documents = [{**asdict(report), "path": str(report.path)} for report in reports]
    output.result(documents, lambda: "\n\n".join(report.text for report in reports))
    refused = SEVERITIES[: 2 if strict else 1]
    return Exit.ERROR if any(report.worst in refused for report in reports) else Exit.OK


@_command("import", "FILE...").default
def import_(
    *files: Path,
    format_: Annotated[str, Parameter(name="--format")] = "auto",
    out: Path | None = None,
    streams: list[Literal["depth", "trades", "best", "mark"]] | None = None,
    symbols: list[str] | None = None,
    clock: str = "auto",
    bad_lines: Literal["refuse", "skip"] = "refuse",
    date: str | None = None,
    venue: Annotated[str | None, Parameter(group=_INSTRUMENT)] = None,
    symbol: Annotated[str | None, Parameter(group=_INSTRUMENT)] = None,
    tick: Annotated[Decimal | None, Parameter(group=_INSTRUMENT)] = None,
    lot: Annotated[Decimal | None, Parameter(group=_INSTRUMENT)] = None,
    maker_fee: Annotated[Decimal | None, Parameter(group=_INSTRUMENT)] = None,
    taker_fee: Annotated[Decimal | None, Parameter(group=_INSTRUMENT)] = None,
    output: Output | None = None,
) -> None:
    """Import recordings of venues and files of vendors into one event file.

    Parameters
    ----------
    files
        The input; gzip, xz, zstd and zip are read as they are.
    format_
        The input's format; told from its content without it. `mainspring data formats` lists them.
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
    output
        Flags of every verb.
    """
    from mainspring.data import import_report

    output = output or Output()
    definition = {"tick": tick, "lot": lot, "maker_fee": maker_fee, "taker_fee": taker_fee}
    given = {key: value for key, value in definition.items() if value is not None}
    with output.progress("import", unit="bytes") as bar:
        report = import_report(
            files,
            format_,
            out,
            instrument={**given, **({"symbol": symbol} if symbol else {})} if given else None,
            streams=streams or ("depth", "trades", "mark"),
            symbols=symbols or (),
            clock=_clock(clock),
            bad_lines=bad_lines,
            venue=venue,
            symbol=symbol,
            date=date,
            progress=lambda _stage, done, total, _rows: bar.update(done, total),
        )
    output.result(asdict(report), lambda: _import_text(report))


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
    if report.checksums:
        lines.append(f"  checksums   {report.checksums}")
    return "\n".join([*lines, *(f"  note        {note}" for note in report.notes)])


def _instrument_text(one: dict[str, Any]) -> str:
    return f"{one.get('symbol')}: tick {one.get('tick')}, lot {one.get('lot')}"


@_command("formats").default
def formats(*, output: Output | None = None) -> None:
    """List the formats that `mainspring data import` reads.

    Parameters
    ----------
    output
        Flags of every verb.
    """
    from mainspring.data import formats as known

    output = output or Output()
    names = known()
    output.result(names, lambda: "\n".join(names))


@_command("sample", "[NAME]").default
def sample(
    name: str = "btcusdt",
    *,
    hours: float = 1.0,
    seed: int = 1,
    l3: Flag = False,
    output: Output | None = None,
) -> None:
    """Generate a sample market, the same for the same arguments on every machine.

    Parameters
    ----------
    name
        `btcusdt`, `ethusdt` or `altusdt`; several joined by `+` share a connection.
    hours
        Length.
    seed
        Everything random follows from it.
    l3
        Every order instead of level changes and trades.
    output
        Flags of every verb.
    """
    import mainspring as ms

    output = output or Output()
    made = ms.sample(name, hours=hours, seed=seed, l3=l3)
    output.result(_description(made), made.describe)
