"""`mainspring data`: market data listed, imported, exported, checked, described and recorded."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cyclopts import App

from mainspring.cli import data_export, data_import, data_record, market_data
from mainspring.cli.app import Flag, verb_app
from mainspring.cli.exits import Exit
from mainspring.cli.output import Output, cell, table

app = verb_app("data", summary="List, import, export, check, describe and record market data.")
app.command(data_import.import_app, name="import")
app.command(data_export.export_app, name="export")
app.command(data_import.download_app, name="download")
app.command(data_record.record_app, name="record")

SEVERITIES = ("error", "warning", "note")


def _command(name: str, words: str = "") -> App:
    made = verb_app(f"data {name}", words)
    app.command(made, name=name)
    return made


@_command("ls").default
def ls(*, root: Path | None = None, output: Output | None = None) -> int:
    """List the catalog: what is in each file, its span, gaps and clock.

    Exits 7 when a file cannot be opened; its problem is in the list.

    Parameters
    ----------
    root
        The catalog's folder; the data folder (`MAINSPRING_HOME`) without it.
    output
        Flags of every verb.
    """
    from mainspring.data import Catalog

    output = output or Output()
    catalog = Catalog(root)
    entries = catalog.ls()
    documents = [{**asdict(entry), "path": str(entry.path)} for entry in entries]
    output.result(documents, lambda: _catalog_text(catalog.root, entries))
    return Exit.PARTIAL if any(entry.problem for entry in entries) else Exit.OK


def _catalog_text(root: Path, entries: list[Any]) -> Any:
    if not entries:
        return f"{root} holds no event files: try `mainspring data sample` or `data import`"
    rows = [
        (
            entry.name,
            ", ".join(entry.instruments),
            entry.rows,
            _span(entry.span_ns),
            entry.gaps,
            entry.problem or entry.clock,
        )
        for entry in entries
    ]
    return table(str(root), ("name", "instruments", "rows", "span (UTC)", "gaps", "clock"), rows)


def _span(span_ns: tuple[int, int] | None) -> str:
    if span_ns is None:
        return cell(None)
    first, last = (dt.datetime.fromtimestamp(ns // 10**9, dt.UTC) for ns in span_ns)
    return f"{first:%Y-%m-%d %H:%M:%S} for {last - first}"


@_command("add", "FILE").default
def add(
    file: Path,
    /,
    *,
    name: str | None = None,
    replace: Flag = False,
    root: Path | None = None,
    output: Output | None = None,
) -> None:
    """Copy an event file into the catalog, verified.

    Parameters
    ----------
    file
        The event file.
    name
        Its name in the catalog, with `/` for folders; the file's own without it.
    replace
        Replace a file of that name.
    root
        The catalog's folder; the data folder (`MAINSPRING_HOME`) without it.
    output
        Flags of every verb.
    """
    from mainspring.data import Catalog

    output = output or Output()
    entry = Catalog(root).add(file, name, replace=replace)
    output.result({**asdict(entry), "path": str(entry.path)}, lambda: f"{entry.name}: {entry.path}")


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
    names = [*known(), "csv-bars", "parquet"]
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
