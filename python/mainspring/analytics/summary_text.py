"""A summary for the terminal: plain text, and the same with rich."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING, Any

from mainspring.analytics.formatting import MINUS, UNDEFINED, compact, duration, moment
from mainspring.analytics.presentation import Row, Section, sections

if TYPE_CHECKING:
    from mainspring.analytics.run_summary import Summary

VALUE_WIDTH = 18


def title_lines(s: Summary) -> list[str]:
    """What ran, on what, when."""
    span = f"{moment(s.start_ns)} to {moment(s.end_ns)} UTC, {duration(s.end_ns - s.start_ns)}"
    lines = [f"{', '.join(s.strategies)} on {', '.join(s.instruments)}", span]
    counted = [
        f"{compact(float(s.counts[key]))} {name}"
        for key, name in (("rows", "rows"), ("messages", "messages"), ("events_per_s", "rows/s"))
        if isinstance(s.counts.get(key), (int, float))
    ]
    if counted:
        lines.append(", ".join(counted))
    lines.append(f"run {s.run_hash}")
    return lines


def _label_width(parts: list[Section]) -> int:
    return max(len(row.label) for part in parts for row in part.rows) + 2


def _detail(row: Row) -> str:
    """The remark that is worth a column: why a figure is missing, or how many stand behind it."""
    return row.remark


def summary_text(s: Summary, width: int = 78) -> str:
    """Plain text, aligned, within ``width`` columns where the labels allow."""
    parts = sections(s)
    labels = _label_width(parts)
    lines = [*title_lines(s), ""]
    for part in parts:
        lines.append(part.title)
        for row in part.rows:
            line = f"  {row.label:<{labels}}{row.text:>{VALUE_WIDTH}}"
            room = width - len(line) - 2
            detail = _detail(row)
            if detail and room >= 12:
                first, *rest = wrap(detail, room)
                lines.append(f"{line}  {first}")
                lines += [" " * (len(line) + 2) + more for more in rest]
            else:
                lines.append(line)
        lines.append("")
    for convention in s.conventions:
        lines += wrap(convention, width, subsequent_indent="  ")
    return "\n".join(lines)


def summary_rich(s: Summary) -> Any:
    """A rich renderable with the same content."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    head, *more = title_lines(s)
    blocks: list[Any] = [Text(head, style="bold"), Text("\n".join(more), style="dim")]
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(justify="right")
    table.add_column(style="dim")
    for part in sections(s):
        table.add_row("", "", "")
        table.add_row(Text(part.title, style="bold"), "", "")
        for row in part.rows:
            table.add_row(f"  {row.label}", Text(row.text, style=_style(row)), _detail(row))
    blocks += [table, Text(""), Text("\n".join(s.conventions), style="dim")]
    return Group(*blocks)


def _style(row: Row) -> str:
    if row.text == UNDEFINED:
        return "dim"
    if row.better <= 0:
        return ""
    if row.text.startswith("+"):
        return "green"
    return "red" if row.text.startswith(MINUS) else ""
