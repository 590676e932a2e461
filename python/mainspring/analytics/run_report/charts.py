"""The charts of the report, as bokeh figures.

A figure carries no colours: each model is tagged with the roles of its colours (``accent``,
``loss``, ``ink`` ...), and the page paints them from its palette, so that light, dark and print are
one file.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from bokeh.models import (
    BoxZoomTool,
    ColumnDataSource,
    CrosshairTool,
    DatetimeTickFormatter,
    FixedTicker,
    HoverTool,
    NumeralTickFormatter,
    PrintfTickFormatter,
    Range1d,
    ResetTool,
)
from bokeh.models.annotations import Span
from bokeh.plotting import figure

from mainspring.analytics.formatting import duration
from mainspring.analytics.run_report.series import (
    CostSeries,
    EquitySeries,
    OrderFlow,
    PriceSeries,
    SpreadHistogram,
    TradedFlow,
)
from mainspring.analytics.trades import Markout

FONT = "ui-sans-serif, Inter, system-ui, -apple-system, 'Segoe UI', 'Helvetica Neue', sans-serif"

AXIS_WIDTH = 54
"""Room for the labels of the vertical axis, the same everywhere so that stacked charts align."""

_CLOCK = DatetimeTickFormatter(
    milliseconds="%H:%M:%S.%3N", seconds="%H:%M:%S", minsec="%H:%M:%S", minutes="%H:%M",
    hourmin="%H:%M", hours="%H:%M", days="%d %b", months="%b %Y", years="%Y",
)  # fmt: skip


def paint(model: Any, **roles: str) -> Any:
    """Tag a model with the palette role of each of its colours."""
    model.tags = [*model.tags, {"paint": roles}]
    return model


class TimeFrame:
    """What all charts over time share: one range and one crosshair, so that they move together."""

    def __init__(self, start_ms: float, end_ms: float) -> None:
        margin = max(1.0, (end_ms - start_ms) * 0.006)
        low, high = start_ms - margin, end_ms + margin
        self.x_range = Range1d(start=low, end=high, bounds=(low, high), min_interval=1_000)
        self._hairline = paint(
            Span(dimension="height", line_width=1, line_alpha=0.5), line_color="muted"
        )

    def chart(self, height: int, y_format: str = "0,0.[00]", **options: Any) -> Any:
        """An empty chart over time."""
        chart = _bare(height, x_range=self.x_range, x_axis_type="datetime", **options)
        chart.xaxis.formatter = _CLOCK.clone()
        chart.yaxis.formatter = NumeralTickFormatter(format=y_format)
        chart.add_tools(CrosshairTool(overlay=self._hairline, dimensions="height"))
        return chart


def _bare(height: int, **options: Any) -> Any:
    """A figure without furniture: hairline grid, quiet ticks, tools that hide."""
    zoom = BoxZoomTool(dimensions="width")
    chart: Any = figure(
        height=height,
        sizing_mode="stretch_width",
        toolbar_location=None,
        tools=[zoom, ResetTool()],
        active_drag=zoom,
        output_backend="canvas",
        min_border_left=AXIS_WIDTH,
        min_border_right=16,
        **options,
    )
    chart.background_fill_color = None
    chart.border_fill_color = None
    chart.outline_line_color = None
    chart.xgrid.grid_line_color = None
    chart.lod_threshold = None
    for grid in chart.ygrid:
        paint(grid, grid_line_color="hairline")
    for axis in (*chart.xaxis, *chart.yaxis):
        axis.axis_line_color = None
        axis.minor_tick_line_color = None
        axis.major_tick_line_color = None
        axis.major_label_text_font = FONT
        axis.major_label_text_font_size = "11px"
        axis.axis_label_text_font = FONT
        axis.axis_label_text_font_size = "11px"
        axis.axis_label_text_font_style = "normal"
        paint(axis, major_label_text_color="muted", axis_label_text_color="muted")
    chart.yaxis.ticker.desired_num_ticks = 5
    return chart


def _zero(chart: Any) -> None:
    line = Span(location=0, dimension="width", line_width=1, level="underlay")
    chart.add_layout(paint(line, line_color="axis"))


def _hover(chart: Any, renderer: Any, rows: list[tuple[str, str]], **options: Any) -> None:
    """A tooltip of named values; a row without a name is its heading."""
    cells = "".join(
        f"<span>{name}</span><b {_NUMBER}>{value}</b>" if name else f"<b {_HEADING}>{value}</b>"
        for name, value in rows
    )
    chart.add_tools(
        HoverTool(
            renderers=[renderer],
            tooltips=f"<div {_GRID}>{cells}</div>",
            show_arrow=False,
            point_policy="follow_mouse",
            **options,
        )
    )


# The inside of a tooltip is out of reach of the style sheet; its frame is not.
_GRID = 'style="display:grid;grid-template-columns:auto auto;gap:1px 14px"'
_HEADING = 'style="grid-column:1/-1;font-weight:400;opacity:.65"'
_NUMBER = 'style="text-align:right;font-weight:600"'
_WHEN = ("", "@time{%d %b %H:%M:%S}")
_WHEN_FORMAT = {"@time": "datetime"}


def equity_chart(frame: TimeFrame, series: EquitySeries, currency: str) -> Any:
    """Profit since the start."""
    source = ColumnDataSource({"time": series.time_ms, "pnl": series.pnl})
    chart = frame.chart(280)
    _zero(chart)
    area = chart.varea(x="time", y1=0, y2="pnl", source=source, fill_alpha=0.10)
    paint(area.glyph, fill_color="accent")
    line = chart.line("time", "pnl", source=source, line_width=1.6, line_join="round")
    paint(line.glyph, line_color="accent")
    value = f"@pnl{{+0,0.00}} {currency}".strip()
    _hover(chart, line, [_WHEN, ("profit", value)], mode="vline", formatters=_WHEN_FORMAT)
    return chart


def drawdown_chart(frame: TimeFrame, series: EquitySeries, currency: str) -> Any:
    """Money under the running peak of the equity."""
    source = ColumnDataSource(
        {"time": series.time_ms, "dip": series.drawdown, "share": series.drawdown_share}
    )
    chart = frame.chart(130)
    chart.yaxis.ticker.desired_num_ticks = 3
    area = chart.varea(x="time", y1=0, y2="dip", source=source, fill_alpha=0.22)
    paint(area.glyph, fill_color="loss")
    line = chart.line("time", "dip", source=source, line_width=1.2)
    paint(line.glyph, line_color="loss")
    rows = [_WHEN, ("drawdown", f"@dip{{0,0.00}} {currency}".strip())]
    if np.isfinite(series.drawdown_share).all():
        rows.append(("of the peak", "@share{0.000%}"))
    _hover(chart, line, rows, mode="vline", formatters=_WHEN_FORMAT)
    return chart


def price_chart(frame: TimeFrame, series: PriceSeries) -> Any:
    """Mid price with buys below and sells above."""
    chart = frame.chart(320, "0,0.[0000]")
    source = ColumnDataSource({"time": series.time_ms, "mid": series.mid})
    line = chart.line("time", "mid", source=source, line_width=1.0, line_join="round")
    paint(line.glyph, line_color="muted")
    for side, name, marker, role in (
        (1, "bought", "triangle", "accent"),
        (-1, "sold", "inverted_triangle", "sell"),
    ):
        own = series.fill_side == side
        fills = ColumnDataSource(
            {
                "time": series.fill_ms[own],
                "price": series.fill_price[own],
                "qty": series.fill_qty[own],
            }
        )
        size = 8 if len(series.fill_ms) < 400 else 5
        dots = chart.scatter(
            "time", "price", source=fills, marker=marker, size=size, line_width=0, fill_alpha=0.8
        )
        paint(dots.glyph, fill_color=role)
        rows = [_WHEN, (name, "@qty{0,0.[00000000]}"), ("at", "@price{0,0.[00000000]}")]
        _hover(chart, dots, rows, formatters=_WHEN_FORMAT)
    return chart


def flow_chart(frame: TimeFrame, flow: TradedFlow, unit: str) -> Any:
    """Quantity bought (up) and sold (down) in each period."""
    chart = frame.chart(120, "0,0.[0000]")
    chart.yaxis.ticker.desired_num_ticks = 3
    sides = (("bought", flow.bought, "accent"), ("sold", -flow.sold, "sell"))
    for name, value, role in sides:
        source = ColumnDataSource(
            {"left": flow.left_ms, "right": flow.right_ms, "value": value, "qty": np.abs(value)}
        )
        bars = chart.quad(
            left="left", right="right", bottom=0, top="value", source=source, line_width=0.6,
            fill_alpha=0.85,
        )  # fmt: skip
        paint(bars.glyph, fill_color=role, line_color="surface")
        rows = [("from", "@left{%H:%M:%S}"), (name, f"@qty{{0,0.[00000000]}} {unit}".strip())]
        _hover(chart, bars, rows, formatters={"@left": "datetime"})
    _zero(chart)
    return chart


def inventory_chart(frame: TimeFrame, time_ms: Any, position: Any, unit: str) -> Any:
    """Net position as steps."""
    chart = frame.chart(220, "0,0.[0000]")
    _zero(chart)
    x, y = np.repeat(time_ms, 2)[1:], np.repeat(position, 2)[:-1]
    source = ColumnDataSource({"time": x, "position": y})
    area = chart.varea(x="time", y1=0, y2="position", source=source, fill_alpha=0.16)
    paint(area.glyph, fill_color="accent")
    line = chart.line("time", "position", source=source, line_width=1.1)
    paint(line.glyph, line_color="accent")
    rows = [_WHEN, ("position", f"@position{{+0,0.[00000000]}} {unit}".strip())]
    _hover(chart, line, rows, mode="vline", formatters=_WHEN_FORMAT)
    return chart


def cost_chart(frame: TimeFrame, series: CostSeries, currency: str) -> Any:
    """Cumulative fees and funding; up is income."""
    chart = frame.chart(220)
    _zero(chart)
    source = ColumnDataSource(
        {"time": series.time_ms, "fees": series.fees, "funding": series.funding}
    )
    fees = chart.line("time", "fees", source=source, line_width=1.6)
    paint(fees.glyph, line_color="sell")
    funding = chart.line("time", "funding", source=source, line_width=1.6)
    paint(funding.glyph, line_color="accent")
    rows = [
        _WHEN,
        ("fees", f"@fees{{+0,0.00}} {currency}".strip()),
        ("funding", f"@funding{{+0,0.00}} {currency}".strip()),
    ]
    _hover(chart, fees, rows, mode="vline", formatters=_WHEN_FORMAT)
    return chart


def spread_chart(histogram: SpreadHistogram) -> Any:
    """Distribution of captured spread: what was given up left of zero, what was earned right."""
    chart = _bare(220)
    source = ColumnDataSource(
        {
            "left": histogram.edges[:-1],
            "right": histogram.edges[1:],
            "share": histogram.share,
        }
    )
    earned = histogram.edges[:-1] + histogram.edges[1:] > 0
    for keep, role in ((earned, "accent"), (~earned, "loss")):
        part = ColumnDataSource({k: np.asarray(v)[keep] for k, v in source.data.items()})
        bars = chart.quad(
            left="left", right="right", bottom=0, top="share", source=part, line_width=0.8,
            fill_alpha=0.85,
        )  # fmt: skip
        paint(bars.glyph, fill_color=role, line_color="surface")
        rows = [("captured", "@left{0.000} to @right{0.000} bp"), ("of all fills", "@share{0.0%}")]
        _hover(chart, bars, rows)
    chart.y_range.start = 0
    chart.yaxis.formatter = NumeralTickFormatter(format="0%")
    chart.yaxis.ticker.desired_num_ticks = 4
    median = Span(location=histogram.median, dimension="height", line_width=1.2)
    median.line_dash = [4, 3]
    chart.add_layout(paint(median, line_color="ink"))
    return chart


def markout_chart(values: list[Markout]) -> Any:
    """Mean markout by horizon with its 95 % band, value-weighted mean as hollow points."""
    seconds = np.array([m.horizon / 1e9 for m in values])
    mean = np.array([m.mean_bps for m in values], dtype=np.float64)
    source = ColumnDataSource(
        {
            "s": seconds,
            "name": [duration(m.horizon) for m in values],
            "mean": mean,
            "weighted": np.array([m.vw_bps for m in values], dtype=np.float64),
            "low": np.array([_or(m.low_bps, m.mean_bps) for m in values]),
            "high": np.array([_or(m.high_bps, m.mean_bps) for m in values]),
            "n": np.array([m.n for m in values]),
        }
    )
    chart = _bare(220, x_axis_type="log")
    _zero(chart)
    band = chart.varea(x="s", y1="low", y2="high", source=source, fill_alpha=0.16)
    paint(band.glyph, fill_color="accent")
    line = chart.line("s", "mean", source=source, line_width=1.6)
    paint(line.glyph, line_color="accent")
    dots = chart.scatter("s", "mean", source=source, size=6, line_width=0)
    paint(dots.glyph, fill_color="accent")
    hollow = chart.scatter("s", "weighted", source=source, size=6, line_width=1.3)
    paint(hollow.glyph, fill_color="surface", line_color="sell")
    ticks = [t for t in (0.1, 1, 10, 60, 300) if seconds.min() <= t <= seconds.max()]
    chart.xaxis.ticker = FixedTicker(ticks=ticks)
    chart.xaxis.major_label_overrides = {t: duration(t * 1e9) for t in ticks}
    chart.yaxis.formatter = NumeralTickFormatter(format="0.[000]")
    rows = [
        ("after", "@name"),
        ("mean", "@mean{+0.000} bp"),
        ("95 % band", "@low{+0.000} to @high{+0.000}"),
        ("by value", "@weighted{+0.000} bp"),
        ("fills", "@n{0,0}"),
    ]
    _hover(chart, line, rows, mode="vline")
    return chart


def _or(value: float | None, other: float | None) -> float:
    return float("nan") if value is None and other is None else float(value or other or 0.0)


def fill_ratio_chart(frame: TimeFrame, flow: OrderFlow) -> Any:
    """Share of the ordered quantity that was filled, by when the orders ended."""
    chart = frame.chart(220, "0%")
    known = np.isfinite(flow.fill_ratio)
    source = ColumnDataSource(
        {
            "left": flow.left_ms[known],
            "right": flow.right_ms[known],
            "time": 0.5 * (flow.left_ms + flow.right_ms)[known],
            "ratio": flow.fill_ratio[known],
            "n": flow.n[known],
        }
    )
    bars = chart.quad(
        left="left", right="right", bottom=0, top="ratio", source=source, fill_alpha=0.75,
        line_width=0.8,
    )  # fmt: skip
    paint(bars.glyph, fill_color="accent", line_color="surface")
    chart.y_range.start = 0
    rows = [_WHEN, ("fill ratio", "@ratio{0.0%}"), ("orders", "@n{0,0}")]
    _hover(chart, bars, rows, formatters=_WHEN_FORMAT)
    return chart


LATENCY_ROLES = {"fill report": "accent", "new order": "sell", "cancel": "ink-soft"}


def latency_chart(curves: dict[str, tuple[Any, Any]]) -> Any:
    """Cumulative distribution of each leg of latency."""
    chart = _bare(220)
    for name, (ms, share) in curves.items():
        source = ColumnDataSource({"ms": ms, "share": share})
        line = chart.line("ms", "share", source=source, line_width=1.6)
        paint(line.glyph, line_color=LATENCY_ROLES[name])
        _hover(chart, line, [(name, "@ms{0,0.000} ms"), ("share", "@share{0.0%}")])
    slowest = max(float(ms[-1]) for ms, _ in curves.values())
    # The slowest 0.5 % would squeeze the rest to the left; the table has the maximum.
    most = max(float(np.interp(0.995, share, ms)) for ms, share in curves.values())
    chart.x_range = Range1d(start=0, end=min(slowest, 1.5 * most) * 1.08 or 1.0)
    chart.yaxis.formatter = NumeralTickFormatter(format="0%")
    chart.xaxis.formatter = PrintfTickFormatter(format="%g ms")
    chart.yaxis.ticker.desired_num_ticks = 4
    return chart
