"""Figures of trades and fills: trade statistics, round trips, markouts, shortfall."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mainspring.analytics.figures import Figures, ratio
from mainspring.errors import InvalidValue

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TradeStatistics(Figures):
    """Statistics of finished trades in money and, with initial risk, in R multiples.

    A trade of exactly zero counts in ``n`` and in neither wins nor losses. ``sqn`` is
    sqrt(n) mean / std, ddof 1 (Van Tharp); the capped one uses at most 100 for n.
    """

    n: int
    win_rate: float | None
    avg_win: float | None
    avg_loss: float | None
    profit_factor: float | None
    expectancy: float | None
    sqn: float | None
    expectancy_r: float | None
    sqn_r: float | None
    sqn_r_capped100: float | None
    max_consecutive_wins: int
    max_consecutive_losses: int


def trade_statistics(pnl: ArrayLike, initial_risk: ArrayLike | None = None) -> TradeStatistics:
    """Statistics of trades' profits, shape ``(n,)``; ``initial_risk`` is the money at risk each."""
    p = np.asarray(pnl, dtype=np.float64)
    wins, losses = p[p > 0], p[p < 0]
    multiples = None
    if initial_risk is not None:
        risk = np.asarray(initial_risk, dtype=np.float64)
        if risk.shape != p.shape or (risk <= 0).any():
            raise InvalidValue("initial_risk needs one positive amount for each trade")
        multiples = p / risk
    return TradeStatistics(
        n=len(p),
        win_rate=len(wins) / len(p) if len(p) else None,
        avg_win=float(wins.mean()) if len(wins) else None,
        avg_loss=float(losses.mean()) if len(losses) else None,
        profit_factor=ratio(float(wins.sum()), float(-losses.sum())),
        expectancy=float(p.mean()) if len(p) else None,
        sqn=_sqn(p, len(p)),
        expectancy_r=None if multiples is None or not len(p) else float(multiples.mean()),
        sqn_r=None if multiples is None else _sqn(multiples, len(p)),
        sqn_r_capped100=None if multiples is None else _sqn(multiples, min(len(p), 100)),
        max_consecutive_wins=_longest_run(p > 0),
        max_consecutive_losses=_longest_run(p < 0),
    )


def _sqn(values: FloatArray, n: int) -> float | None:
    if len(values) < 2 or float(np.ptp(values)) == 0.0:
        return None
    return math.sqrt(n) * float(values.mean()) / float(values.std(ddof=1))


def _longest_run(flags: NDArray[np.bool_]) -> int:
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags.astype(np.int8), [0]))))
    return int((edges[1::2] - edges[::2]).max()) if len(edges) else 0


@dataclass(frozen=True, slots=True)
class RoundTrips:
    """Trades from flat to flat, one row each, by (strategy, instrument) in order of their end.

    ``pnl`` is realised profit less the fees of all fills of the trip. A fill through zero ends one
    trip and opens the next; its fee belongs to the one that it ends.
    """

    start_ns: NDArray[np.int64]
    end_ns: NDArray[np.int64]
    strategy: NDArray[np.int64]
    instrument: NDArray[np.int64]
    pnl: FloatArray

    def __len__(self) -> int:
        return len(self.pnl)


def round_trips(fills: Mapping[str, NDArray[np.generic]]) -> RoundTrips:
    """Round trips of a fills table (``docs/reference/results.md``), each group starting flat."""
    strategy = np.asarray(fills["strategy"], dtype=np.int64)
    instrument = np.asarray(fills["instrument"], dtype=np.int64)
    order = np.lexsort((instrument, strategy))
    strategy, instrument = strategy[order], instrument[order]
    time_ns = np.asarray(fills["time_ns"], dtype=np.int64)[order]
    net = np.asarray(fills["realised"], np.float64)[order] - np.asarray(fills["fee"])[order]
    signed = np.asarray(fills["side"], np.int64) * np.asarray(fills["qty_lots"], np.int64)
    opens = np.ones(len(order), dtype=bool)
    opens[1:] = (strategy[1:] != strategy[:-1]) | (instrument[1:] != instrument[:-1])
    before, after = _positions(signed[order], opens)
    # A trip ends where the position becomes flat or changes its sign.
    ended = (before != 0) & (np.sign(after) != np.sign(before))
    starts = opens.copy()
    starts[1:] |= ended[:-1]
    # A fill through zero is also when the next trip begins.
    began = time_ns.copy()
    flipped = np.flatnonzero(ended[:-1] & (after[:-1] != 0) & ~opens[1:])
    began[flipped + 1] = time_ns[flipped]
    trip = np.cumsum(starts) - 1
    ends = np.flatnonzero(ended)
    ends = ends[np.argsort(time_ns[ends], kind="stable")]
    done = trip[ends]
    return RoundTrips(
        start_ns=began[np.flatnonzero(starts)[done]],
        end_ns=time_ns[ends],
        strategy=strategy[ends],
        instrument=instrument[ends],
        pnl=np.bincount(trip, weights=net)[done] if len(ends) else np.zeros(0),
    )


def _positions(
    signed: NDArray[np.int64], opens: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Position before and after each fill; every group (its first row in ``opens``) starts flat."""
    total = np.cumsum(signed)
    earlier = total - signed
    base = earlier[np.flatnonzero(opens)][np.cumsum(opens) - 1]
    return earlier - base, total - base


@dataclass(frozen=True, slots=True)
class Markout(Figures):
    """Markout of all fills at one horizon; undefined fills (past the data) are left out.

    ``vw_bps`` is total profit over total notional, ``mean_bps`` the plain mean over fills with its
    95 % band ``low_bps``..``high_bps`` (normal, standard error of the mean, fills taken as
    independent, which understates the width when they cluster).
    """

    horizon: float
    n: int
    n_undefined: int
    total_pnl: float | None
    vw_bps: float | None
    mean_bps: float | None
    low_bps: float | None
    high_bps: float | None
    reason: str | None = None


def step_lookup(
    times: NDArray[np.generic], values: FloatArray, at: NDArray[np.generic]
) -> FloatArray:
    """The last value at or before each time of ``at``; NaN before the first and past the last.

    ``times`` ascending; of several values at one time the last counts.
    """
    if not len(times):
        return np.full(len(at), np.nan)
    index = np.searchsorted(times, at, side="right") - 1
    found = np.where(index >= 0, values[np.maximum(index, 0)], np.nan)
    return np.where(at > times[-1], np.nan, found)


def markout_bps(
    times: NDArray[np.generic],
    side: NDArray[np.generic],
    price: FloatArray,
    mid_times: NDArray[np.generic],
    mids: FloatArray,
    horizon: float,
) -> FloatArray:
    """Side (mid(t + horizon) - price) in basis points of the price, one a fill; NaN undefined."""
    sign = np.asarray(side, dtype=np.float64)
    later = step_lookup(mid_times, mids, times + np.asarray(horizon, dtype=times.dtype))
    return np.asarray(sign * (later - price) / price * 1e4, dtype=np.float64)


def markouts(
    times: ArrayLike,
    side: ArrayLike,
    price: ArrayLike,
    qty: ArrayLike,
    mid_times: ArrayLike,
    mids: ArrayLike,
    horizons: Sequence[float],
) -> list[Markout]:
    """Markouts of fills at several horizons, in the unit of the times.

    A markout is what a fill was worth later: side (mid(t + h) - price), where the mid is the last
    at or before t + h. A fill whose t + h lies past the last mid is undefined at that horizon.
    """
    t, sign, p, q = (np.asarray(x) for x in (times, side, price, qty))
    p, q = p.astype(np.float64), q.astype(np.float64)
    clock, level = np.asarray(mid_times), np.asarray(mids, dtype=np.float64)
    return [summarise_markout(h, markout_bps(t, sign, p, clock, level, h), p * q) for h in horizons]


def summarise_markout(horizon: float, bps: FloatArray, notional: FloatArray) -> Markout:
    """The markout at one horizon of fills with these basis points and notionals."""
    defined = np.isfinite(bps)
    value, weight = bps[defined], notional[defined]
    n = len(value)
    if not n:
        reason = "no fill has a mid price that much later"
        return Markout(horizon, 0, len(bps), None, None, None, None, None, reason)
    pnl = float((value * weight).sum() / 1e4)
    mean = float(value.mean())
    half = 1.959963984540054 * float(value.std(ddof=1)) / math.sqrt(n) if n > 1 else None
    return Markout(
        horizon=horizon,
        n=n,
        n_undefined=len(bps) - n,
        total_pnl=pnl,
        vw_bps=ratio(pnl * 1e4, float(weight.sum())),
        mean_bps=mean,
        low_bps=None if half is None else mean - half,
        high_bps=None if half is None else mean + half,
    )


@dataclass(frozen=True, slots=True)
class ImplementationShortfall(Figures):
    """Cost against the decision price, in money; positive is a cost."""

    executed: float
    avg_price: float | None
    delay_cost: float
    trading_cost: float
    opportunity_cost: float
    fees: float
    total: float
    total_bps: float | None


def implementation_shortfall(
    side: int,
    decision: float,
    arrival: float,
    price: ArrayLike,
    qty: ArrayLike,
    target_qty: float,
    final: float,
    fees: float = 0.0,
) -> ImplementationShortfall:
    """Perold (1988) shortfall split into delay, trading, opportunity and fees.

    Args:
        side: +1 to buy, -1 to sell.
        decision: price when the decision was made.
        arrival: price when the order reached the market.
        price, qty: the fills, shape ``(n,)`` each.
        target_qty: what was to be traded; the rest is charged at ``final``.
    """
    p, q = np.asarray(price, dtype=np.float64), np.asarray(qty, dtype=np.float64)
    if side not in (1, -1) or p.shape != q.shape:
        raise InvalidValue("side must be +1 or -1, and each fill needs a price and a quantity")
    executed, paid = float(q.sum()), float(p @ q)
    delay = side * (arrival - decision) * executed
    trading = side * (paid - arrival * executed)
    opportunity = side * (final - decision) * (target_qty - executed)
    total = delay + trading + opportunity + fees
    bps = ratio(total, decision * target_qty)
    return ImplementationShortfall(
        executed=executed,
        avg_price=ratio(paid, executed),
        delay_cost=delay,
        trading_cost=trading,
        opportunity_cost=opportunity,
        fees=fees,
        total=total,
        total_bps=None if bps is None else bps * 1e4,
    )
