"""What the charts show, as small arrays: thinned, resampled, in the units of the axes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mainspring.analytics.downsample import minmax_indices
from mainspring.analytics.execution_quality import (
    ANSWERS_TO_CANCEL,
    ANSWERS_TO_NEW,
    FillDetail,
    answer_times,
    fill_detail,
    last_of_each_order,
    run_markouts,
)
from mainspring.analytics.inventory import position_path
from mainspring.analytics.run_data import RunData, columns, mid_series
from mainspring.analytics.run_summary import capital_of
from mainspring.analytics.trades import Markout

FloatArray = NDArray[np.float64]

LINE_BUCKETS = 1_200
FILL_BUCKETS = 900
HISTOGRAM_BINS = 48
ORDER_PERIODS = 48
FLOW_PERIODS = 120
MARKOUT_HORIZONS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300)


def axis_ms(time_ns: NDArray[np.int64]) -> FloatArray:
    """Times for a chart's axis: milliseconds since the epoch."""
    return np.asarray(time_ns, dtype=np.float64) / 1e6


@dataclass(frozen=True, slots=True)
class EquitySeries:
    """Profit since the start and drawdown, both in money, on the same thinned times."""

    time_ms: FloatArray
    pnl: FloatArray
    drawdown: FloatArray
    drawdown_share: FloatArray


def equity_series(run: RunData) -> EquitySeries:
    """Profit and drawdown of the equity as sampled, extremes of both kept."""
    table = columns(run.equity)
    time_ns = np.concatenate(([run.span_ns[0]], table["time_ns"])).astype(np.int64)
    capital = capital_of(run)
    equity = np.concatenate(([capital], np.asarray(table["equity"], dtype=np.float64)))
    peak = np.maximum.accumulate(equity)
    dip = equity - peak
    rows = minmax_indices(time_ns, equity, LINE_BUCKETS, also=dip)
    share = dip / peak if capital > 0 else np.full(len(dip), np.nan)
    return EquitySeries(axis_ms(time_ns[rows]), equity[rows] - capital, dip[rows], share[rows])


@dataclass(frozen=True, slots=True)
class PriceSeries:
    """Mid price and fills of one instrument; ``n_fills`` is before thinning."""

    symbol: str
    time_ms: FloatArray
    mid: FloatArray
    fill_ms: FloatArray
    fill_price: FloatArray
    fill_qty: FloatArray
    fill_side: NDArray[np.int8]
    n_fills: int


def price_series(run: RunData, instrument: int) -> PriceSeries:
    """Thinned mid, and the fills with the extremes of each side kept."""
    mids = mid_series(run, instrument)
    rows = minmax_indices(mids.time_ns, mids.mid, LINE_BUCKETS)
    fills = columns(run.fills)
    own = np.flatnonzero(fills["instrument"] == instrument)
    shown = np.concatenate(
        [
            side_rows[
                minmax_indices(fills["time_ns"][side_rows], fills["price"][side_rows], FILL_BUCKETS)
            ]
            for side_rows in (own[fills["side"][own] == s] for s in (1, -1))
        ]
    ).astype(np.int64)
    return PriceSeries(
        symbol=str(run.instruments[instrument].get("symbol", instrument)),
        time_ms=axis_ms(mids.time_ns[rows]),
        mid=mids.mid[rows],
        fill_ms=axis_ms(fills["time_ns"][shown]),
        fill_price=np.asarray(fills["price"], dtype=np.float64)[shown],
        fill_qty=np.asarray(fills["qty"], dtype=np.float64)[shown],
        fill_side=fills["side"][shown],
        n_fills=len(own),
    )


@dataclass(frozen=True, slots=True)
class TradedFlow:
    """Quantity bought and sold (both positive) of one instrument in equal periods."""

    left_ms: FloatArray
    right_ms: FloatArray
    bought: FloatArray
    sold: FloatArray


def traded_flow(run: RunData, instrument: int) -> TradedFlow:
    """Traded quantity over time."""
    fills = columns(run.fills)
    own = np.flatnonzero(fills["instrument"] == instrument)
    edges = period_edges(run, FLOW_PERIODS)
    place = period_of(edges, fills["time_ns"][own])
    qty, side = np.asarray(fills["qty"], dtype=np.float64)[own], fills["side"][own]
    bought, sold = (
        np.bincount(place, np.where(side == s, qty, 0.0), FLOW_PERIODS).astype(np.float64)
        for s in (1, -1)
    )
    return TradedFlow(edges[:-1] / 1e6, edges[1:] / 1e6, bought, sold)


def period_edges(run: RunData, periods: int) -> FloatArray:
    """Edges (ns) of equal periods of the run."""
    start, end = run.span_ns
    return np.linspace(start, max(end, start + 1), periods + 1)


def period_of(edges: FloatArray, time_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    """The period of each time; those outside fall in the first or last."""
    place = np.searchsorted(edges, np.asarray(time_ns, dtype=np.float64), side="right") - 1
    inside: NDArray[np.int64] = np.clip(place, 0, len(edges) - 2)
    return inside


def inventory_series(run: RunData, instrument: int) -> tuple[FloatArray, FloatArray]:
    """``(time_ms, position)`` as a thinned step function up to the end of the run."""
    path = position_path(run, instrument)
    end = max(run.span_ns[1], int(path.time_ns[-1]))
    time_ns = np.append(path.time_ns, end)
    position = np.append(path.position, path.position[-1])
    rows = minmax_indices(time_ns, position, LINE_BUCKETS)
    return axis_ms(time_ns[rows]), position[rows]


@dataclass(frozen=True, slots=True)
class CostSeries:
    """Cumulative fees (a cost is negative) and funding on thinned times."""

    time_ms: FloatArray
    fees: FloatArray
    funding: FloatArray


def cost_series(run: RunData) -> CostSeries:
    """Fees and funding of the account, as sampled."""
    table = columns(run.equity)
    fees = -np.asarray(table["fees"], dtype=np.float64)
    funding = np.asarray(table["funding"], dtype=np.float64)
    rows = minmax_indices(table["time_ns"], fees, LINE_BUCKETS // 2, also=funding)
    return CostSeries(axis_ms(table["time_ns"][rows]), fees[rows], funding[rows])


@dataclass(frozen=True, slots=True)
class SpreadHistogram:
    """Fills by captured spread, in bps; the outermost 1 % each side is gathered in the end bins."""

    edges: FloatArray
    share: FloatArray
    median: float


def spread_histogram(run: RunData, detail: FillDetail) -> SpreadHistogram | None:
    """Distribution of the spread captured by each fill, ``None`` without any mid price."""
    bps = detail.spread_bps[np.isfinite(detail.spread_bps)]
    if not len(bps):
        return None
    low, high = np.quantile(bps, [0.01, 0.99])
    tick = _tick_bps(run)
    # Bins of whole ticks: any other width would show the price grid as a comb. They start a quarter
    # of a tick under a multiple, because the mid stands on half ticks as often as on whole ones.
    width = tick * max(1, np.ceil((high - low) / (tick * HISTOGRAM_BINS)))
    first = np.floor(low / width + 0.25) - 0.25
    edges = width * (first + np.arange(np.ceil(high / width - first + 1e-9) + 1))
    inside = np.clip(bps, edges[0], np.nextafter(edges[-1], -np.inf))
    counts, _ = np.histogram(inside, bins=edges)
    return SpreadHistogram(edges, counts / len(bps), float(np.median(bps)))


def _tick_bps(run: RunData) -> float:
    """The finest tick among the traded instruments in bps of its typical price."""
    fills = columns(run.fills)
    ticks = []
    for index, instrument in enumerate(run.instruments):
        price = fills["price"][fills["instrument"] == index]
        if len(price):
            tick = float(instrument["grids"][0]["tick"])
            ticks.append(tick / float(np.median(price)) * 1e4)
    return min(ticks)


def markout_curve(run: RunData, detail: FillDetail | None = None) -> list[Markout]:
    """Markouts at horizons from 100 ms to 5 min, those that are defined."""
    horizons = [int(h * 1e9) for h in MARKOUT_HORIZONS_S]
    values = run_markouts(run, detail or fill_detail(run), horizons)
    return [m for m in values if m.mean_bps is not None]


@dataclass(frozen=True, slots=True)
class OrderFlow:
    """Orders by when they ended: how many, and the mean filled share, in each period."""

    left_ms: FloatArray
    right_ms: FloatArray
    n: NDArray[np.int64]
    fill_ratio: FloatArray


def order_flow(run: RunData) -> OrderFlow | None:
    """Fill ratio over time in equal periods, ``None`` without orders."""
    orders = columns(run.orders)
    rows = last_of_each_order(orders)
    asked = np.asarray(orders["qty_lots"], dtype=np.float64)[rows]
    rows, asked = rows[asked > 0], asked[asked > 0]
    if not len(rows):
        return None
    share = np.asarray(orders["filled_lots"], dtype=np.float64)[rows] / asked
    edges = period_edges(run, ORDER_PERIODS)
    place = period_of(edges, orders["time_ns"][rows])
    n = np.bincount(place, minlength=ORDER_PERIODS)
    total = np.bincount(place, weights=share, minlength=ORDER_PERIODS)
    ratio = np.divide(total, n, out=np.full(ORDER_PERIODS, np.nan), where=n > 0)
    return OrderFlow(edges[:-1] / 1e6, edges[1:] / 1e6, n, ratio)


def latency_curves(run: RunData) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Cumulative distribution of each leg: ``name -> (milliseconds, share)``, from a share of 0."""
    fills, orders = columns(run.fills), columns(run.orders)
    legs = {
        "fill report": np.asarray(fills["time_ns"] - fills["exch_ns"]),
        "new order": answer_times(run, orders, "submitted", ANSWERS_TO_NEW),
        "cancel": answer_times(run, orders, "pending_cancel", ANSWERS_TO_CANCEL),
    }
    share = np.concatenate((np.linspace(0, 0.98, 99), [0.985, 0.99, 0.995, 0.999, 1.0]))
    return {
        name: (np.quantile(ns, share, method="inverted_cdf") / 1e6, share)
        for name, ns in legs.items()
        if len(ns)
    }


@dataclass(frozen=True, slots=True)
class MonthlyReturns:
    """Return of each calendar month (UTC): ``values[year][month - 1]``, ``None`` outside."""

    values: dict[int, list[float | None]]
    totals: dict[int, float]


def monthly_returns(run: RunData) -> MonthlyReturns | None:
    """Monthly returns where the run touches at least two months, with a start capital."""
    table = columns(run.equity)
    capital = capital_of(run)
    time_ns = np.asarray(table["time_ns"], dtype=np.int64)
    month = time_ns.astype("datetime64[ns]").astype("datetime64[M]").astype(np.int64)
    if capital <= 0 or not len(month) or month[0] == month[-1]:
        return None
    last = np.flatnonzero(np.append(month[1:] != month[:-1], True))
    equity = np.asarray(table["equity"], dtype=np.float64)[last]
    returns = equity / np.concatenate(([capital], equity[:-1])) - 1.0
    values: dict[int, list[float | None]] = {}
    for value, key in zip(returns.tolist(), month[last].tolist(), strict=True):
        values.setdefault(1970 + key // 12, [None] * 12)[key % 12] = value
    totals = {
        year: float(np.prod([1.0 + v for v in row if v is not None]) - 1.0)
        for year, row in values.items()
    }
    return MonthlyReturns(values, totals)
