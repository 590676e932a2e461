"""Runs side by side."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from mainspring.analytics.calendar import CRYPTO, Calendar
from mainspring.analytics.figures import Figures, plain
from mainspring.analytics.formatting import UNDEFINED
from mainspring.analytics.presentation import Row, sections
from mainspring.analytics.run_data import RunData
from mainspring.analytics.run_report import write_whole
from mainspring.analytics.run_summary import Summary, summary
from mainspring.errors import InvalidValue


@dataclass(frozen=True, slots=True)
class ComparisonRow(Figures):
    """One figure over all runs; ``deltas`` are against the first.

    ``best`` is the index of the best run, ``None`` where more is neither better nor worse, or all
    are equal.
    """

    section: str
    label: str
    texts: list[str]
    values: list[float | None]
    deltas: list[float | None]
    delta_texts: list[str]
    best: int | None


@dataclass(frozen=True, slots=True)
class Comparison(Figures):
    """Figures of several runs side by side; the first is the base of the deltas.

    ``same`` says which inputs agree in all runs (data, span, configuration): a difference in result
    means little where the inputs differ.
    """

    names: list[str]
    rows: list[ComparisonRow]
    same: dict[str, bool]
    differing_settings: dict[str, list[Any]]

    def to_json(self, indent: int | None = None) -> str:
        """The comparison as one JSON object."""
        return json.dumps(self.to_dict(), indent=indent, allow_nan=False)

    def to_text(self) -> str:
        """An aligned plain text table."""
        label_width = max(len(row.label) for row in self.rows) + 4
        widths = [
            max(len(name), *(len(_cell(row, i)) for row in self.rows)) + 2
            for i, name in enumerate(self.names)
        ]
        lines = [" " * label_width + _aligned(self.names, widths)]
        section = ""
        for row in self.rows:
            if row.section != section:
                section = row.section
                lines += ["", section]
            cells = _aligned([_cell(row, i) for i in range(len(self.names))], widths)
            lines.append(f"  {row.label:<{label_width - 2}}{cells}")
        lines.append("")
        lines += [f"different {what}" for what, same in self.same.items() if not same]
        for name, values in self.differing_settings.items():
            lines.append(f"  {name}: {' | '.join(str(v) for v in values)}")
        lines.append("* best of the row")
        return "\n".join(lines)

    def __str__(self) -> str:
        """The plain text."""
        return self.to_text()

    def to_html(self, path: str | os.PathLike[str]) -> Path:
        """Write the table as one self-contained HTML file.

        Raises:
            StorageError: when the file cannot be written.
        """
        return write_whole(path, _page(self))


def compare(
    runs: Sequence[RunData],
    names: Sequence[str] | None = None,
    *,
    calendar: Calendar = CRYPTO,
) -> Comparison:
    """Compare runs figure by figure.

    Args:
        runs: at least two.
        names: column heads; the strategies and the start of the hash when not given.
        calendar: what makes a year.

    Raises:
        InvalidValue: with fewer than two runs, or as many names as there are not runs.
    """
    if len(runs) < 2:
        raise InvalidValue(f"a comparison needs at least two runs, not {len(runs)}")
    if names is not None and len(names) != len(runs):
        raise InvalidValue(f"{len(names)} names for {len(runs)} runs")
    summaries = [summary(run, calendar=calendar) for run in runs]
    heads = list(names or (f"{', '.join(r.strategies)} {r.hash[:6]}" for r in runs))
    differing = _differing_settings(runs)
    same = {
        "data": _all_equal([[d.get("hash") for d in run.data] for run in runs]),
        "time span": _all_equal([tuple(run.span_ns) for run in runs]),
        "settings": not differing,
    }
    return Comparison(heads, _rows(summaries), same, differing)


def _all_equal(values: Sequence[Any]) -> bool:
    return all(value == values[0] for value in values)


def _rows(summaries: list[Summary]) -> list[ComparisonRow]:
    """Every figure that any run has, in the order of the first run that has it."""
    tables = [
        {(part.title, row.label): row for part in sections(s) for row in part.rows}
        for s in summaries
    ]
    keys: list[tuple[str, str]] = []
    for table in tables:
        keys += [key for key in table if key not in keys]
    order = list(dict.fromkeys(section for section, _ in keys))
    keys.sort(key=lambda key: order.index(key[0]))
    return [_row(key, [table.get(key) for table in tables]) for key in keys]


def _row(key: tuple[str, str], cells: list[Row | None]) -> ComparisonRow:
    values = [None if cell is None else cell.value for cell in cells]
    texts = [UNDEFINED if cell is None else cell.text for cell in cells]
    best = _best(values, next(cell.better for cell in cells if cell is not None))
    if best is not None and texts.count(texts[best]) > 1:
        best = None  # A lead that the printed figures do not show is none.
    base = values[0]
    deltas = [None if v is None or base is None else v - base for v in values]
    return ComparisonRow(
        section=key[0],
        label=key[1],
        texts=texts,
        values=values,
        deltas=deltas,
        delta_texts=[
            UNDEFINED if cell is None or delta is None else cell.delta_text(delta)
            for cell, delta in zip(cells, deltas, strict=True)
        ],
        best=best,
    )


def _best(values: list[float | None], better: int) -> int | None:
    known = [(better * v, -i) for i, v in enumerate(values) if v is not None]
    if not better or len(known) < 2 or len({score for score, _ in known}) == 1:
        return None
    return -max(known)[1]


def _differing_settings(runs: Sequence[RunData]) -> dict[str, list[Any]]:
    flat = [_flat(run.config) for run in runs]
    names = list(dict.fromkeys(name for config in flat for name in config))
    columns = {name: [plain(config.get(name)) for config in flat] for name in names}
    return {name: values for name, values in columns.items() if not _all_equal(values)}


def _flat(config: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in config.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


def _cell(row: ComparisonRow, index: int) -> str:
    return row.texts[index] + ("*" if row.best == index else " ")


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip()


def _page(comparison: Comparison) -> str:
    style = files("mainspring.analytics.run_report").joinpath("style.css").read_text("utf-8")
    head = "".join(f"<th>{escape(name)}</th>" for name in comparison.names)
    rows, section = [], ""
    span = len(comparison.names) + 1
    for row in comparison.rows:
        if row.section != section:
            section = row.section
            rows.append(f'<tr class="head"><th colspan="{span}">{escape(section)}</th></tr>')
        cells = "".join(_html_cell(row, i) for i in range(len(comparison.names)))
        rows.append(f'<tr><th scope="row">{escape(row.label)}</th>{cells}</tr>')
    notes = [f"Different {what}." for what, same in comparison.same.items() if not same]
    settings = "".join(
        f"<tr><th>{escape(name)}</th>"
        + "".join(f"<td>{escape(str(v))}</td>" for v in values)
        + "</tr>"
        for name, values in comparison.differing_settings.items()
    )
    heading = f'<tr class="head"><th colspan="{span}">Settings that differ</th></tr>'
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        "<title>Comparison of runs</title>"
        f"<style>\n{style}</style></head><body><header>"
        '<p class="brand">Mainspring<span>comparison</span></p>'
        f"<h1>{len(comparison.names)} runs side by side</h1>"
        f'<p class="facts">{escape(" ".join(notes))}</p></header>'
        f'<section class="comparison scroll"><table><thead><tr><th></th>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}"
        f"{heading if settings else ''}{settings}</tbody></table></section></body></html>\n"
    )


def _html_cell(row: ComparisonRow, index: int) -> str:
    delta = row.deltas[index]
    small = ""
    if index and delta is not None and row.best is not None:
        small = f"<small>{escape(row.delta_texts[index])}</small>"
    best = ' class="best"' if row.best == index else ""
    return f"<td{best}>{escape(row.texts[index])}{small}</td>"
