"""The figures of a summary as labelled rows: one wording for text, HTML and comparison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mainspring.analytics.formatting import (
    MINUS,
    UNDEFINED,
    bps,
    count,
    duration,
    moment,
    money,
    number,
    percent,
    significant,
)

if TYPE_CHECKING:
    from mainspring.analytics.inventory import InventoryFigures
    from mainspring.analytics.run_summary import Summary


TIME_UNITS = (" d", " h", " min", " s", " ms", " µs", " ns")


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: its name, its text, its value, whether more is better (+1, -1, 0), a remark."""

    label: str
    text: str
    value: float | None = None
    better: int = 0
    remark: str = ""

    @property
    def unit(self) -> str:
        """``share`` (printed as per cent), ``ns`` (a time span), else what the text shows."""
        if self.text.endswith("%"):
            return "share"
        return "ns" if self.text.endswith(TIME_UNITS) else ""

    def delta_text(self, delta: float) -> str:
        """A difference to this figure, in the unit of its text."""
        if self.unit == "share":
            return percent(delta, 3, sign=True)
        if self.unit == "ns":
            return (MINUS if delta < 0 else "+") + duration(abs(delta))
        return significant(delta, 3, sign=True)


@dataclass(frozen=True, slots=True)
class Section:
    """Rows under a title."""

    title: str
    rows: list[Row]


def sections(s: Summary) -> list[Section]:
    """All rows of a summary, most important first."""
    parts = [
        Section("Profit", _profit_rows(s)),
        Section("Returns", _return_rows(s)),
        Section("Drawdown", _drawdown_rows(s)),
        Section("Fills", _fill_rows(s)),
        Section("Markout, all fills", _markout_rows(s)),
        Section("Orders", _order_rows(s)),
        Section("Round trips", _round_trip_rows(s)),
        *(Section(f"Inventory {i.instrument}", _inventory_rows(i)) for i in s.inventory),
        Section("Latency", _latency_rows(s)),
    ]
    return [part for part in parts if part.rows]


def _idle(s: Summary) -> bool:
    """Whether nothing happened: most figures are undefined then, and a list of dashes says less."""
    return not s.fills.n and s.money.pnl == 0


def _profit_rows(s: Summary) -> list[Row]:
    m, c = s.money, s.currency

    def amount(label: str, value: float, better: int = 1) -> Row:
        return Row(label, money(value, c, sign=True), value, better)

    traded = [
        Row("per value traded", bps(m.pnl_bps), m.pnl_bps, 1),
        amount("Realised", m.realised, 0),
        amount("Unrealised", m.unrealised, 0),
        Row("Fees", money(-m.fees, c, sign=True), -m.fees, 1),
        amount("Funding", m.funding, 0),
    ]
    return [
        amount("Profit and loss", m.pnl),
        *(() if _idle(s) else traded),
        Row("Start capital", money(m.capital, c), m.capital),
        Row("Final equity", money(m.final_equity, c), m.final_equity, 1),
    ]


def _return_rows(s: Summary) -> list[Row]:
    r = s.returns
    if r is None:
        return []
    step = s.returns_step
    if _idle(s):
        total = Row("Total return", percent(r.total_return, 3, sign=True), r.total_return, 1)
        return [total]

    def figure(label: str, name: str, text: str, better: int = 1) -> Row:
        return Row(label, text, getattr(r, name), better, r.undefined.get(name, ""))

    annual = [
        figure("Sharpe", "sharpe", number(r.sharpe)),
        figure("Sortino", "sortino", number(r.sortino)),
        figure("CAGR", "cagr", percent(r.cagr, sign=True)),
        figure("Volatility, annual", "volatility", percent(r.volatility), -1),
        figure("Calmar", "calmar", number(r.calmar)),
    ]
    return [
        figure("Total return", "total_return", percent(r.total_return, 3, sign=True)),
        *([Row("Annual figures", UNDEFINED, remark=s.short)] if s.short else annual),
        figure(f"Sharpe per {step}", "sharpe_per_period", number(r.sharpe_per_period, 4)),
        figure(f"Sortino per {step}", "sortino_per_period", number(r.sortino_per_period, 4)),
        figure(
            f"Volatility per {step}",
            "volatility_per_period",
            percent(r.volatility_per_period, 4),
            -1,
        ),
        figure(f"Profit factor per {step}", "profit_factor", number(r.profit_factor, 3)),
        figure(f"Winning {step} periods", "win_rate", percent(r.win_rate, 1)),
        figure("Skew", "skew", number(r.skew), 0),
        figure("Excess kurtosis", "kurtosis_excess", number(r.kurtosis_excess), 0),
        figure("Tail ratio", "tail_ratio", number(r.tail_ratio, 3)),
        figure("Stability R²", "stability_r2", number(r.stability_r2, 3)),
    ]


def _drawdown_rows(s: Summary) -> list[Row]:
    d, r = s.drawdown, s.returns
    longest = float(d.longest_underwater_ns)
    deepest = Row("Deepest", percent(d.max_drawdown, 3), d.max_drawdown, 1)
    if not d.longest_underwater_ns:
        return [deepest]
    rows = [
        deepest,
        Row("in money", money(d.max_drawdown_money, s.currency), d.max_drawdown_money, 1),
        Row("from", moment(d.peak_ns)),
        Row("to", moment(d.trough_ns)),
        Row("recovered", moment(d.recovery_ns) if d.recovery_ns else "not yet"),
        Row("Longest under water", duration(d.longest_underwater_ns), longest, -1),
    ]
    if r is not None:
        rows.append(Row("Ulcer index", percent(r.ulcer_index, 4), r.ulcer_index, -1))
    return rows


def _fill_rows(s: Summary) -> list[Row]:
    f, q = s.fills, s.quote or ""
    if not f.n:
        return [Row("Fills", count(0), 0)]
    return [
        Row("Fills", count(f.n), f.n, 0, f"{count(f.n_buys)} buys, {count(f.n_sells)} sells"),
        Row("Value traded", money(f.notional, q), f.notional),
        Row("Maker share", percent(f.maker_share, 1), f.maker_share),
        Row("Spread captured", bps(f.spread_captured_bps), f.spread_captured_bps, 1),
        Row("in money", money(f.spread_captured, q, sign=True), f.spread_captured, 1),
        Row("Fees per value", bps(f.fee_bps, sign=False), f.fee_bps, -1),
        Row("Fees per fill", money(f.cost_per_fill, s.currency), f.cost_per_fill, -1),
    ]


def _markout_rows(s: Summary) -> list[Row]:
    if not s.fills.n:
        return []
    return [
        Row(
            f"after {duration(m.horizon)}",
            bps(m.vw_bps),
            m.vw_bps,
            1,
            m.reason or f"{count(m.n)} fills",
        )
        for m in s.markouts
    ]


def _order_rows(s: Summary) -> list[Row]:
    o = s.orders
    if not o.n:
        return [Row("Orders", count(0), 0, 0, "the strategy asked for nothing")]
    rows = [
        Row("Orders", count(o.n), o.n),
        Row("Fill ratio", percent(o.fill_ratio, 2), o.fill_ratio),
        Row("Orders per fill", number(o.orders_per_fill, 1), o.orders_per_fill, -1),
    ]
    rows += [Row(f"ended {plain(k)}", count(v), v) for k, v in o.by_state.items()]
    rows += [Row(f"reason {plain(k)}", count(v), v) for k, v in o.by_reason.items()]
    return rows


def plain(code: str) -> str:
    """A code's name as words."""
    return code.replace("_", " ")


def _round_trip_rows(s: Summary) -> list[Row]:
    t, c = s.round_trips, s.currency
    if not t.n:
        return []
    return [
        Row("Round trips", count(t.n), t.n),
        Row("Winners", percent(t.win_rate, 1), t.win_rate, 1),
        Row("Profit factor", number(t.profit_factor, 3), t.profit_factor, 1),
        Row("Mean profit", money(t.expectancy, c, sign=True), t.expectancy, 1),
        Row("Mean win", money(t.avg_win, c, sign=True), t.avg_win, 1),
        Row("Mean loss", money(t.avg_loss, c, sign=True), t.avg_loss, 1),
        Row("SQN", number(t.sqn), t.sqn, 1),
    ]


def _inventory_rows(i: InventoryFigures) -> list[Row]:
    if not i.time_in_market:
        return []
    return [
        Row("Mean", significant(i.mean, 3, sign=True), i.mean),
        Row("Mean size", significant(i.mean_abs, 3), i.mean_abs),
        Row("Longest", significant(i.max_long, 3, sign=True), i.max_long),
        Row("Shortest", significant(i.max_short, 3, sign=True), i.max_short),
        Row("Final", significant(i.final, 3, sign=True), i.final),
        Row("Time in market", percent(i.time_in_market, 1), i.time_in_market),
    ]


def _latency_rows(s: Summary) -> list[Row]:
    return [
        Row(
            latency.leg,
            duration(latency.median_ns),
            float(latency.median_ns),
            0,
            f"99 %: {duration(latency.p99_ns)}, n = {count(latency.n)}",
        )
        for latency in s.latency
    ]
