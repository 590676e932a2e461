"""The HTML of the report: structure and words (looks: ``style.css``, behaviour: ``page.js``)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from html import escape
from importlib.resources import files
from typing import Any

from bokeh.document import Document
from bokeh.embed.util import standalone_docs_json_and_render_items
from bokeh.resources import Resources

from mainspring.analytics.execution_quality import fill_detail
from mainspring.analytics.formatting import (
    MINUS,
    UNDEFINED,
    bps,
    compact,
    count,
    duration,
    moment,
    money,
    number,
    percent,
)
from mainspring.analytics.presentation import Row, Section, sections
from mainspring.analytics.run_data import RunData, columns
from mainspring.analytics.run_report import charts, series
from mainspring.analytics.run_summary import Summary

MAX_INSTRUMENT_CHARTS = 4
INPUT_ORDER = ("source", "path", "rows", "span_ns", "clock", "hash")


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart with its caption. ``keys`` are ``(palette role, words)`` of its legend."""

    title: str
    chart: Any
    note: str = ""
    keys: tuple[tuple[str, str], ...] = ()
    wide: bool = False


def render(run: RunData, s: Summary, title: str | None = None) -> str:
    """The whole page."""
    panels = _without_hole(list(_panels(run, s)))
    document = Document()
    with document.models.freeze():
        for panel in panels:
            document.add_root(panel.chart)
    docs, (item,) = standalone_docs_json_and_render_items(document)
    places = [root.elementid for root in item.roots]
    heading = title or f"{', '.join(s.strategies)} on {', '.join(s.instruments)}"
    body = "\n".join(
        [
            _header(s, heading),
            _key_figures(s),
            '<main class="panels">',
            *(_panel(panel, place) for panel, place in zip(panels, places, strict=True)),
            "</main>",
            _monthly(series.monthly_returns(run)),
            _all_figures(s),
            _assumptions(run, s),
        ]
    )
    embedded = {"docs": docs, "items": [item.to_json()]}
    return _document(heading, body, embedded)


def _document(heading: str, body: str, embedded: dict[str, Any]) -> str:
    bokeh = "\n".join(Resources(mode="inline", minified=True, components=["bokeh"]).js_raw)
    # In a script element only "</" could end it early, and "<!--" could change its parsing.
    data = json.dumps(embedded, separators=(",", ":")).replace("<", "\\u003c")
    return _asset("page.html").format(
        title=escape(heading),
        style=_asset("style.css"),
        body=body,
        data=data,
        bokeh=bokeh,
        script=_asset("page.js"),
    )


def _asset(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _panels(run: RunData, s: Summary) -> Iterator[Panel]:
    frame = charts.TimeFrame(s.start_ns / 1e6, s.end_ns / 1e6)
    equity = series.equity_series(run)
    yield Panel(
        "Profit",
        charts.equity_chart(frame, equity, s.currency),
        f"{s.currency}, realised and unrealised, after fees and funding",
        wide=True,
    )
    yield Panel(
        "Drawdown",
        charts.drawdown_chart(frame, equity, s.currency),
        f"{s.currency} under the highest equity so far",
        wide=True,
    )
    yield from _instrument_panels(run, frame)
    yield Panel(
        "Fees and funding",
        charts.cost_chart(frame, series.cost_series(run), s.currency),
        f"{s.currency}, cumulative, up is income",
        (("sell", "fees"), ("accent", "funding")),
    )
    detail = fill_detail(run)
    histogram = series.spread_histogram(run, detail)
    if histogram is not None:
        yield Panel(
            "Spread captured",
            charts.spread_chart(histogram),
            f"share of fills, median {bps(histogram.median)}",
            (("accent", "earned"), ("loss", "paid")),
        )
    curve = series.markout_curve(run, detail)
    if len(curve) > 1:
        yield Panel(
            "Markout",
            charts.markout_chart(curve),
            "bp, price move for us after a fill",
            (("accent", "mean, 95 % band"), ("sell", "by value")),
        )
    flow = series.order_flow(run)
    if flow is not None:
        yield Panel(
            "Fill ratio",
            charts.fill_ratio_chart(frame, flow),
            "filled share of the orders that ended in each period",
        )
    curves = series.latency_curves(run)
    if curves:
        yield Panel(
            "Latency",
            charts.latency_chart(curves),
            "share answered within a time",
            tuple((charts.LATENCY_ROLES[name], name) for name in curves),
        )


def _without_hole(panels: list[Panel]) -> list[Panel]:
    """Widen each narrow panel that has no neighbour to share its row with."""
    result: list[Panel] = []
    half_filled = False
    for panel in panels:
        if panel.wide and half_filled:
            result[-1] = replace(result[-1], wide=True)
            half_filled = False
        result.append(panel)
        half_filled = not panel.wide and not half_filled
    if half_filled:
        result[-1] = replace(result[-1], wide=True)
    return result


def _instrument_panels(run: RunData, frame: charts.TimeFrame) -> Iterator[Panel]:
    """Price with fills and inventory, of the instruments with the most fills."""
    own = columns(run.fills)["instrument"]
    traded = [(int((own == i).sum()), i) for i in range(len(run.instruments))]
    most = sorted(traded, key=lambda pair: (-pair[0], pair[1]))[:MAX_INSTRUMENT_CHARTS]
    for _, index in most:
        price = series.price_series(run, index)
        several = f" {price.symbol}" if len(run.instruments) > 1 else ""
        shown = len(price.fill_ms)
        thinned = f"; {count(shown)} of {count(price.n_fills)} fills drawn"
        yield Panel(
            f"Price and fills{several}",
            charts.price_chart(frame, price),
            f"{price.symbol}, mid price{thinned if shown < price.n_fills else ''}",
            (("muted", "mid"), ("accent", "bought"), ("sell", "sold")),
            wide=True,
        )
        unit = str(run.instruments[index].get("base", ""))
        yield Panel(
            f"Traded quantity{several}",
            charts.flow_chart(frame, series.traded_flow(run, index), unit),
            f"{unit} in each of {series.FLOW_PERIODS} equal periods",
            (("accent", "bought"), ("sell", "sold")),
            wide=True,
        )
        time_ms, position = series.inventory_series(run, index)
        yield Panel(
            f"Inventory{several}",
            charts.inventory_chart(frame, time_ms, position, unit),
            f"{unit}, over all strategies",
        )


def _panel(panel: Panel, place: str) -> str:
    keys = "".join(
        f'<span class="key"><i style="background:var(--{role})"></i>{escape(words)}</span>'
        for role, words in panel.keys
    )
    wide = " wide" if panel.wide else ""
    return (
        f'<figure class="panel{wide}"><figcaption><h2>{escape(panel.title)}</h2>'
        f"<p>{escape(panel.note)}</p><div>{keys}</div></figcaption>"
        f'<div class="chart" id="{escape(place)}"></div></figure>'
    )


def _header(s: Summary, heading: str) -> str:
    facts = [
        f"{moment(s.start_ns)} to {moment(s.end_ns)} UTC",
        duration(s.end_ns - s.start_ns),
    ]
    for key, words in (("rows", "market rows"), ("events_per_s", "rows/s")):
        value = s.counts.get(key)
        if isinstance(value, (int, float)):
            facts.append(f"{compact(value)} {words}")
    listed = "".join(f"<li>{escape(fact)}</li>" for fact in facts)
    return (
        '<header><p class="brand">Mainspring<span>backtest report</span></p>'
        f'<h1>{escape(heading)}</h1><ul class="facts">{listed}</ul></header>'
    )


def _key_figures(s: Summary) -> str:
    late = [m for m in s.markouts if m.vw_bps is not None]
    shown = next((m for m in late if m.horizon >= 10_000_000_000), late[-1] if late else None)
    d = s.drawdown
    worst = (
        f"{money(d.max_drawdown_money)} {s.currency}" if d.max_drawdown is not None else "in money"
    )
    sharpe = s.returns.sharpe if s.returns else None
    fees = money(-s.money.fees, sign=True)
    items = [
        (
            "Profit and loss", money(s.money.pnl, sign=True), s.currency,
            f"{bps(s.money.pnl_bps)} of value", s.money.pnl,
        ),
        (
            "Max drawdown",
            percent(d.max_drawdown, 3) if d.max_drawdown is not None
            else money(d.max_drawdown_money),
            "", worst, None,
        ),
        ("Sharpe", number(sharpe), "", "annual", None)
        if sharpe is not None
        else ("Fees", fees, s.currency, f"{bps(s.fills.fee_bps, sign=False)} of value", None),
        (
            "Fills", count(s.fills.n), "",
            f"{percent(s.fills.maker_share, 1)} as maker", None,
        ),
        (
            "Spread captured", bps(s.fills.spread_captured_bps).removesuffix(" bp"), "bp",
            f"{money(s.fills.spread_captured, s.quote or '', sign=True)}", None,
        ),
        (
            f"Markout {duration(shown.horizon)}", bps(shown.vw_bps).removesuffix(" bp"), "bp",
            "weighted by value", None,
        )
        if shown
        else ("Fill ratio", percent(s.orders.fill_ratio), "", f"{count(s.orders.n)} orders", None),
    ]  # fmt: skip
    cells = "".join(
        f"<div><dt>{escape(label)}</dt>"
        f'<dd class="{_tone(signed)}">{escape(text)}<small>{escape(unit)}</small></dd>'
        f"<dd>{escape(note)}</dd></div>"
        for label, text, unit, note, signed in items
    )
    return f'<dl class="key-figures">{cells}</dl>'


def _tone(value: float | None) -> str:
    if value is None or value == 0:
        return ""
    return "gain" if value > 0 else "loss"


def _monthly(returns: series.MonthlyReturns | None) -> str:
    if returns is None:
        return ""
    names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    head = "".join(f"<th>{name}</th>" for name in (*names, "Year"))
    largest = max((abs(v) for row in returns.values.values() for v in row if v), default=1.0)
    rows = []
    for year, row in sorted(returns.values.items()):
        cells = "".join(_month_cell(value, largest) for value in row)
        total = f"<td><b>{percent(returns.totals[year], 1, sign=True)}</b></td>"
        rows.append(f"<tr><th>{year}</th>{cells}{total}</tr>")
    return (
        '<section class="monthly"><h2>Monthly returns</h2><div class="scroll"><table><thead><tr>'
        f"<th></th>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div></section>"
    )


def _month_cell(value: float | None, largest: float) -> str:
    if value is None:
        return "<td></td>"
    strength = round(34 * abs(value) / (largest or 1.0))
    role = "accent" if value >= 0 else "loss"
    tint = f"color-mix(in srgb, var(--{role}) {strength}%, transparent)"
    return f'<td style="background:{tint}">{percent(value, 1).removesuffix(" %")}</td>'


def _all_figures(s: Summary) -> str:
    blocks = "".join(_figure_table(section) for section in sections(s))
    return f'<section class="figures"><h2>All figures</h2><div>{blocks}</div></section>'


def _figure_table(section: Section) -> str:
    rows = "".join(_figure_row(row) for row in section.rows)
    return f"<table><caption>{escape(section.title)}</caption><tbody>{rows}</tbody></table>"


def _figure_row(row: Row) -> str:
    tone = _tone(row.value) if row.text[:1] in {"+", MINUS} and row.better > 0 else ""
    remark = f"<small>{escape(row.remark)}</small>" if row.remark else ""
    return (
        f'<tr><th scope="row">{escape(row.label)}{remark}</th>'
        f'<td class="{tone}">{escape(row.text)}</td></tr>'
    )


def _assumptions(run: RunData, s: Summary) -> str:
    inputs = "".join(_input_rows(source) for source in run.data)
    settings = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in flat(run.config)
    )
    conventions = "".join(f"<li>{escape(line)}</li>" for line in s.conventions)
    thinning = (
        "Charts: long series are thinned to the lowest and highest value of each of "
        f"{series.LINE_BUCKETS:,} equal spans of time, so that no extreme is lost."
    )
    return (
        '<section class="assumptions"><h2>Assumptions</h2><div>'
        f"<div><h3>Models and parameters</h3><dl>{settings}</dl></div>"
        f"<div><h3>Data</h3>{inputs}<h3>Run</h3>"
        f'<dl><dt>hash</dt><dd class="hash">{escape(s.run_hash)}</dd></dl></div>'
        f"<div><h3>Conventions</h3><ul>{conventions}<li>{escape(thinning)}</li></ul></div>"
        "</div></section>"
    )


def _input_rows(source: Mapping[str, Any]) -> str:
    rows = []
    order = [key for key in INPUT_ORDER if key in source]
    for name in (*order, *(key for key in source if key not in order)):
        value = source[name]
        css = ' class="hash"' if "hash" in name else ""
        label, text = _input_text(name, value)
        rows.append(f"<dt>{escape(label)}</dt><dd{css}>{escape(text)}</dd>")
    return f"<dl>{''.join(rows)}</dl>"


def _input_text(name: str, value: Any) -> tuple[str, str]:
    if name == "span_ns" and isinstance(value, (list, tuple)):
        return "span", f"{moment(int(value[0]))} to {moment(int(value[1]))}"
    text = count(value) if isinstance(value, int) else _scalar(value)
    return name.replace("_", " "), text


def flat(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """A nested configuration as ``(name, text)`` pairs, without what is not set.

    Times in ns are made readable; of several in a list each is numbered.
    """
    for name, value in config.items():
        label = f"{prefix}{name}"
        if isinstance(value, Mapping):
            yield from flat(value, f"{label} · ")
        elif isinstance(value, (list, tuple)) and any(isinstance(v, Mapping) for v in value):
            for index, item in enumerate(value, 1):
                place = label if len(value) == 1 else f"{label} {index}"
                yield from flat(item if isinstance(item, Mapping) else {"": item}, f"{place} · ")
        elif value is None or (isinstance(value, (str, list, tuple)) and not value):
            continue
        elif name.endswith("_ns") and isinstance(value, (int, float)) and abs(value) < 1e17:
            yield label.removesuffix("_ns").replace("_", " "), duration(value)
        else:
            yield label.replace("_", " "), _scalar(value)


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(_scalar(item) for item in value)
    return UNDEFINED if value is None else str(value)
