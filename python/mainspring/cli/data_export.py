"""`mainspring data export`: event files for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from mainspring.cli import market_data
from mainspring.cli.app import verb_app
from mainspring.cli.output import Output

export_app = verb_app("data export", "DATA")

_SUFFIXES = {"parquet": ".parquet", "hftbacktest": ".npz"}


@export_app.default
def export(
    data: str,
    /,
    *,
    format_: Annotated[Literal["parquet", "hftbacktest"] | None, Parameter(name="--format")] = None,
    out: Path | None = None,
    symbol: str | None = None,
    output: Output | None = None,
) -> None:
    """Write an event file as Parquet, which comes back to the row, or as an hftbacktest array.

    Parameters
    ----------
    data
        Event file, catalog name or `sample:NAME`.
    format_
        Told from the name of `--out` without it, Parquet when that says nothing.
    out
        The file; in this folder under the name of the data without it.
    symbol
        The instrument to export to hftbacktest, where there are several.
    output
        Flags of every verb.
    """
    from mainspring.data import export_hftbacktest
    from mainspring.errors import InvalidValue

    output = output or Output()
    (source,) = market_data.open_all([data])
    told = "hftbacktest" if out is not None and out.suffix == ".npz" else "parquet"
    chosen = format_ or told
    if symbol is not None and chosen == "parquet":
        raise InvalidValue("--symbol: Parquet holds the whole file; leave it out")
    target = out or Path(source.paths[0].stem + _SUFFIXES[chosen])
    rows = source.rows
    source.single_file("export")
    if chosen == "parquet":
        source.to_parquet(target)
    else:
        rows = export_hftbacktest(source.paths[0], target, symbol)
    output.result(
        {"output": str(target), "format": chosen, "rows": rows},
        lambda: f"{target}: {rows:,} rows as {chosen}",
    )
