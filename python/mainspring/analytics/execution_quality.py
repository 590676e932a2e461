"""How a run's orders were filled: fees, spread captured, markouts, fill ratio, latency."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mainspring.analytics.figures import Figures, ratio
from mainspring.analytics.formatting import duration
from mainspring.analytics.run_data import (
    MidSeries,
    RunData,
    Table,
    code_name,
    columns,
    mid_series,
    notional,
    quote_currency,
)
from mainspring.analytics.trades import Markout, markout_bps, summarise_markout

DEFAULT_HORIZONS_NS = (100_000_000, 1_000_000_000, 10_000_000_000, 60_000_000_000)


@dataclass(frozen=True, slots=True)
class FillFigures(Figures):
    """Fills of a run. Money is in the quote currency; ``None`` when instruments do not share one.

    ``maker_share`` is by value. ``spread_captured`` is side x (mid - price) x quantity with the mid
    when we learnt of the fill, so an adverse move during the response latency is in it.
    """

    n: int
    n_buys: int
    n_sells: int
    notional: float | None
    maker_share: float | None
    fee_bps: float | None
    cost_per_fill: float | None
    spread_captured: float | None
    spread_captured_bps: float | None
    n_without_mid: int


@dataclass(frozen=True, slots=True)
class OrderFigures(Figures):
    """Orders of a run.

    ``fill_ratio`` is filled over ordered quantity, averaged over all orders (each counts the same);
    ``touched_ratio`` the share of them with any fill.
    """

    n: int
    by_state: dict[str, int]
    by_type: dict[str, int]
    by_reason: dict[str, int]
    fill_ratio: float | None
    touched_ratio: float | None
    orders_per_fill: float | None


@dataclass(frozen=True, slots=True)
class LatencyFigures(Figures):
    """Quantiles of one leg of latency, ns, as it was in the run."""

    leg: str
    n: int
    min_ns: int
    median_ns: int
    p95_ns: int
    p99_ns: int
    max_ns: int


@dataclass(frozen=True, slots=True)
class FillDetail:
    """One value a fill: value in quote, spread captured in bps of the price, NaN without a mid."""

    notional: NDArray[np.float64]
    spread_bps: NDArray[np.float64]


def fill_detail(run: RunData) -> FillDetail:
    """Value and captured spread of each fill, shape ``(n,)`` each."""
    fills = columns(run.fills)
    price = np.asarray(fills["price"], dtype=np.float64)
    edge = fills["side"] * (np.asarray(fills["mid"], dtype=np.float64) - price)
    return FillDetail(notional=notional(run, fills), spread_bps=edge / price * 1e4)


def fill_figures(run: RunData, detail: FillDetail, total_fees: float) -> FillFigures:
    """The figures of all fills; ``total_fees`` in the report currency."""
    fills = columns(run.fills)
    n, side = len(fills["side"]), fills["side"]
    one_currency = quote_currency(run) is not None
    value = float(detail.notional.sum())
    known = np.isfinite(detail.spread_bps)
    captured = float((detail.spread_bps[known] * detail.notional[known]).sum() / 1e4)
    known_value = float(detail.notional[known].sum())
    maker_value = float(detail.notional[np.asarray(fills["maker"], dtype=bool)].sum())
    fee_share = ratio(total_fees, value) if one_currency else None
    captured_share = ratio(captured, known_value)
    return FillFigures(
        n=n,
        n_buys=int((side > 0).sum()),
        n_sells=int((side < 0).sum()),
        notional=value if one_currency else None,
        maker_share=ratio(maker_value, value),
        fee_bps=None if fee_share is None else fee_share * 1e4,
        cost_per_fill=total_fees / n if n else None,
        spread_captured=captured if one_currency and known.any() else None,
        spread_captured_bps=None if captured_share is None else captured_share * 1e4,
        n_without_mid=int(n - known.sum()),
    )


def last_of_each_order(orders: Table) -> NDArray[np.int64]:
    """Row of the last change of each order, by order id."""
    ids = np.asarray(orders["order_id"])
    by_id = np.argsort(ids, kind="stable")
    last = np.append(ids[by_id][1:] != ids[by_id][:-1], True) if len(ids) else np.zeros(0, bool)
    rows: NDArray[np.int64] = by_id[last]
    return rows


def order_figures(run: RunData, n_fills: int) -> OrderFigures:
    """Counts of orders by where they ended, by type and by reason, and the fill ratio."""
    orders = columns(run.orders)
    rows = last_of_each_order(orders)

    def count(column: str, codes: NDArray[np.int64]) -> dict[str, int]:
        tally = np.bincount(codes)
        most = sorted(np.flatnonzero(tally).tolist(), key=lambda code: (-tally[code], code))
        return {code_name(run.codes, column, code): int(tally[code]) for code in most}

    reasons = np.asarray(orders["reason"], dtype=np.int64)
    filled = np.asarray(orders["filled_lots"], np.float64)[rows]
    asked = np.asarray(orders["qty_lots"], np.float64)[rows]
    share = filled[asked > 0] / asked[asked > 0]
    return OrderFigures(
        n=len(rows),
        by_state=count("state", np.asarray(orders["state"], dtype=np.int64)[rows]),
        by_type=count("order_type", np.asarray(orders["order_type"], dtype=np.int64)[rows]),
        by_reason=count("reason", reasons[reasons > 0]),
        fill_ratio=float(share.mean()) if len(share) else None,
        touched_ratio=float((share > 0).mean()) if len(share) else None,
        orders_per_fill=ratio(float(len(rows)), float(n_fills)),
    )


def run_markouts(
    run: RunData, detail: FillDetail, horizons_ns: Sequence[int] = DEFAULT_HORIZONS_NS
) -> list[Markout]:
    """Markouts of all fills at each horizon (ns), from when we learnt of the fill.

    A horizon shorter than the sampling interval of the mid prices is undefined, with the reason.
    """
    fills = columns(run.fills)
    series = [mid_series(run, i) for i in range(len(run.instruments))]
    finest = max((s.interval_ns for i, s in enumerate(series) if _trades(fills, i)), default=0)
    result = []
    for horizon in horizons_ns:
        if horizon < finest:
            reason = _too_coarse(finest)
            n = len(detail.notional)
            result.append(Markout(horizon, 0, n, None, None, None, None, None, reason))
        else:
            bps = _all_markouts(fills, series, horizon)
            result.append(summarise_markout(horizon, bps, detail.notional))
    return result


def _trades(fills: Table, instrument: int) -> bool:
    return bool((fills["instrument"] == instrument).any())


def _too_coarse(interval_ns: int) -> str:
    if interval_ns >= 2**62:
        return "the run kept fewer than two samples of the prices"
    return f"prices were sampled every {duration(interval_ns)}; sample finer to have this horizon"


def _all_markouts(fills: Table, series: list[MidSeries], horizon_ns: int) -> NDArray[np.float64]:
    bps = np.full(len(fills["side"]), np.nan)
    for instrument, mids in enumerate(series):
        rows = np.flatnonzero(fills["instrument"] == instrument)
        if len(rows):
            bps[rows] = markout_bps(
                np.asarray(fills["time_ns"], dtype=np.int64)[rows],
                fills["side"][rows],
                np.asarray(fills["price"], dtype=np.float64)[rows],
                mid_times=mids.time_ns,
                mids=mids.mid,
                horizon=horizon_ns,
            )
    return bps


def latency_figures(run: RunData) -> list[LatencyFigures]:
    """Latency as it was: of fill reports, of order acknowledgements and of cancels."""
    fills, orders = columns(run.fills), columns(run.orders)
    legs = {
        "fill report (venue to us)": fills["time_ns"] - fills["exch_ns"],
        "new order, sent to answered": answer_times(run, orders, "submitted", ANSWERS_TO_NEW),
        "cancel, sent to answered": answer_times(run, orders, "pending_cancel", ANSWERS_TO_CANCEL),
    }
    return [_quantiles(leg, np.asarray(ns)) for leg, ns in legs.items() if len(ns)]


ANSWERS_TO_NEW = {"open", "filled", "partially_filled", "rejected", "cancelled"}
ANSWERS_TO_CANCEL = {"cancelled"}


def answer_times(run: RunData, orders: Table, sent: str, answers: set[str]) -> NDArray[np.int64]:
    """Time from each change into state ``sent`` to the order's next change, if into ``answers``."""
    states = np.asarray(orders["state"], dtype=np.int64)
    present = np.flatnonzero(np.bincount(states)).tolist()
    names = {s: code_name(run.codes, "state", s).lower() for s in present}
    by_id = np.argsort(np.asarray(orders["order_id"]), kind="stable")
    ids, time_ns = orders["order_id"][by_id], np.asarray(orders["time_ns"], np.int64)[by_id]
    state = states[by_id]
    sends, closes = np.zeros((2, len(present) and present[-1] + 1), dtype=bool)
    for code, name in names.items():
        sends[code], closes[code] = name == sent, name in answers
    is_sent, is_answer = sends[state[:-1]], closes[state[1:]]
    pairs = np.flatnonzero(is_sent & is_answer & (ids[:-1] == ids[1:]))
    waits: NDArray[np.int64] = time_ns[pairs + 1] - time_ns[pairs]
    return waits


def _quantiles(leg: str, ns: NDArray[np.int64]) -> LatencyFigures:
    low, median, p95, p99, high = (
        int(q) for q in np.quantile(ns, [0, 0.5, 0.95, 0.99, 1], method="higher")
    )
    return LatencyFigures(leg, len(ns), low, median, p95, p99, high)
