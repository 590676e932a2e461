"""A made-up run of a market maker, deterministic, with the tables and proportions of a real one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

STATES = [
    "created", "risk_rejected", "submitted", "open", "partially_filled", "pending_cancel",
    "pending_replace", "filled", "cancelled", "rejected", "expired", "unknown",
]  # fmt: skip
CREATED, SUBMITTED, OPEN, PENDING_CANCEL, FILLED, CANCELLED, REJECTED = 0, 2, 3, 5, 7, 8, 9
SECOND = 1_000_000_000
START_NS = 1_709_251_200 * SECOND  # 2024-03-01 00:00 UTC
TICK, LOT = 0.1, 0.001


@dataclass
class SyntheticRun:
    """Satisfies ``RunData``."""

    fills: dict[str, NDArray[Any]]
    orders: dict[str, NDArray[Any]]
    equity: dict[str, NDArray[Any]]
    positions: dict[str, NDArray[Any]]
    instruments: list[dict[str, Any]]
    strategies: list[str]
    config: dict[str, Any]
    hash: str
    data: list[dict[str, Any]]
    counts: dict[str, Any]
    codes: dict[str, Any]
    span_ns: tuple[int, int]
    mids: dict[int, dict[str, NDArray[Any]]] | None = field(default=None)


def make_run(
    *,
    hours: float = 6.0,
    n_fills: int = 2_000,
    sample_s: float = 1.0,
    capital: float = 10_000.0,
    seed: int = 7,
    maker_fee: float = 0.0,
    edge_ticks: float = 6.0,
) -> SyntheticRun:
    """A run of ``hours`` with about ``n_fills`` fills and equity sampled every ``sample_s``."""
    rng = np.random.default_rng(seed)
    n = int(hours * 3600 / sample_s)
    grid = START_NS + (np.arange(1, n + 1) * sample_s * SECOND).astype(np.int64)
    mid_ticks = _mid_path(rng, n, sample_s)
    fills = _fills(rng, n_fills, grid, mid_ticks, maker_fee, edge_ticks)
    equity, positions = _marked(fills, grid, mid_ticks, capital)
    orders = _orders(rng, fills, grid)
    return SyntheticRun(
        fills=fills,
        orders=orders,
        equity=equity,
        positions=positions,
        instruments=[
            {
                "symbol": "BTCUSDT", "venue": "binance_usdm", "kind": "linear_perpetual",
                "base": "BTC", "quote": "USDT", "lot": "0.001", "multiplier": "1",
                "grids": [{"version": 0, "tick": "0.1", "rule": "fixed"}],
                "maker_fee": "0", "taker_fee": "0.0004",
            }
        ],
        strategies=["glft_market_maker"],
        config={
            "report_currency": "USDT",
            "capital": capital,
            "fill_model": "mainspring",
            "queue_model": "prob_power3",
            "latency": {"entry_ns": 2_000_000, "response_ns": 1_500_000, "decision_ns": 50_000},
            "fees": {"maker": "0", "taker": "0.0004"},
            "seed": seed,
            "parameters": {"gamma": 0.05, "max_position": 0.5, "order_qty": 0.01},
        },
        hash="9f3c5e7ab8d14c02e6f1a37d5b90c84e1d2f6a7b8c9e0f1a2b3c4d5e6f708192",
        data=[
            {
                "source": "btcusdt-2024-03-01.msd", "hash": "b3:51c0e2a97d", "rows": 1_100_000,
                "span_ns": (START_NS, int(grid[-1])), "clock": "corrected by +1.27 s",
            }
        ],
        counts={"rows": 1_100_000, "messages": 480_000, "events_per_s": 3_900_000.0},
        codes={
            "state": STATES,
            "order_type": ["limit", "market", "stop"],
            "reason": {1: "post_only_would_take", 8: "overloaded"},
        },
        span_ns=(START_NS, int(grid[-1])),
    )  # fmt: skip


def _mid_path(rng: np.random.Generator, n: int, sample_s: float) -> NDArray[np.int64]:
    volatility = np.exp(np.convolve(rng.normal(0, 1, n + 599), np.ones(600) / 24.5, "valid") * 0.5)
    steps = rng.standard_t(4, n) * volatility * 8.0 * np.sqrt(sample_s)
    drift = np.sin(np.linspace(0, 9, n)) * 4_000
    path: NDArray[np.int64] = np.round(620_000 + np.cumsum(steps) + drift).astype(np.int64)
    return path


def _fills(
    rng: np.random.Generator,
    n_fills: int,
    grid: NDArray[np.int64],
    mid_ticks: NDArray[np.int64],
    maker_fee: float,
    edge_ticks: float,
) -> dict[str, NDArray[Any]]:
    """Fills that lean against the inventory, with a little adverse selection."""
    rows = np.sort(rng.choice(len(grid) - 1, n_fills, replace=n_fills > len(grid) - 1))
    trend = mid_ticks[np.minimum(rows + 5, len(grid) - 1)] - mid_ticks[rows]
    position = np.zeros(n_fills, np.int64)
    side = np.zeros(n_fills, np.int8)
    qty = rng.integers(1, 21, n_fills)
    held = 0
    for i in range(n_fills):
        lean = 0.5 - held / 400 - 0.12 * np.tanh(trend[i] / 30)
        side[i] = 1 if rng.random() < lean else -1
        held += int(side[i]) * int(qty[i])
        position[i] = held
    maker = rng.random(n_fills) < 0.97
    offset = np.where(maker, 1 + rng.poisson(edge_ticks, n_fills), -1)
    price_ticks = mid_ticks[rows] - side * offset
    exch_ns = grid[rows] + rng.integers(0, SECOND // 2, n_fills)
    exch_ns = np.sort(exch_ns)
    time_ns = exch_ns + 1_500_000 + rng.exponential(400_000, n_fills).astype(np.int64)
    time_ns = np.maximum.accumulate(time_ns)
    rate = np.where(maker, maker_fee, 0.0004)
    price = price_ticks * TICK
    return {
        "time_ns": time_ns,
        "exch_ns": exch_ns,
        "order_id": np.arange(1, n_fills + 1, dtype=np.uint64) * 3,
        "strategy": np.zeros(n_fills, np.uint16),
        "instrument": np.zeros(n_fills, np.uint16),
        "side": side,
        "price_ticks": price_ticks,
        "qty_lots": qty.astype(np.int64),
        "price": price,
        "qty": qty * LOT,
        "maker": maker,
        "fee": price * qty * LOT * rate,
        "realised": _realised(side, price, qty * LOT),
        "position_lots": position,
        "mid": (mid_ticks[rows] - side * rng.poisson(1.0, n_fills)) * TICK,
    }


def _realised(side: NDArray[Any], price: NDArray[Any], qty: NDArray[Any]) -> NDArray[np.float64]:
    """Average-cost realised profit, the slow way."""
    held, cost, out = 0.0, 0.0, np.zeros(len(side))
    for i in range(len(side)):
        signed = float(side[i]) * float(qty[i])
        if held * signed < 0:
            closed = min(abs(held), abs(signed)) * (1 if held > 0 else -1)
            average = cost / held
            out[i] = closed * (price[i] - average)
            held, cost = held - closed, cost - closed * average
            signed += closed
        if abs(held) < 1e-12:
            held, cost = 0.0, 0.0
        held, cost = held + signed, cost + signed * price[i]
    return out


def _marked(
    fills: dict[str, NDArray[Any]],
    grid: NDArray[np.int64],
    mid_ticks: NDArray[np.int64],
    capital: float,
) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
    index = np.searchsorted(fills["time_ns"], grid, side="right")

    def running(values: NDArray[Any]) -> NDArray[np.float64]:
        return np.concatenate(([0.0], np.cumsum(values)))[index]

    cash = running(-fills["side"] * fills["price"] * fills["qty"])
    held = running(fills["side"] * fills["qty"])
    realised, fees = running(fills["realised"]), running(fills["fee"])
    mid = mid_ticks * TICK
    unrealised = cash + held * mid - realised
    funding = np.cumsum(-held * mid * 2e-9)
    equity = {
        "time_ns": grid,
        "equity": capital + realised + unrealised - fees + funding,
        "realised": realised,
        "unrealised": unrealised,
        "fees": fees,
        "funding": funding,
    }
    positions = {
        "time_ns": grid,
        "strategy": np.zeros(len(grid), np.uint16),
        "instrument": np.zeros(len(grid), np.uint16),
        "position_lots": np.round(held / LOT).astype(np.int64),
        "position": held,
        "bid": mid - 0.5 * TICK,
        "ask": mid + 0.5 * TICK,
        "realised": realised,
        "unrealised": unrealised,
        "fees": fees,
        "funding": funding,
    }
    return equity, positions


def _orders(
    rng: np.random.Generator, fills: dict[str, NDArray[Any]], grid: NDArray[np.int64]
) -> dict[str, NDArray[Any]]:
    """Created, sent, opened, then filled, cancelled or refused: three orders to each fill."""
    rows: list[tuple[int, ...]] = []
    for i, time_ns in enumerate(fills["time_ns"].tolist()):
        base, side = int(fills["order_id"][i]), int(fills["side"][i])
        price, qty = int(fills["price_ticks"][i]), int(fills["qty_lots"][i])
        for k in range(3):
            sent = time_ns - (k + 1) * 4_000_000_000
            answer = sent + 3_500_000 + int(rng.exponential(600_000))
            common = (base - 2 + k, 0, 0, side, 0)
            terms = (price - side * k, qty)
            end = time_ns if k == 2 else answer + 2_000_000_000
            rows.append((sent, *common, CREATED, 0, *terms, 0))
            rows.append((sent, *common, SUBMITTED, 0, *terms, 0))
            if k == 0 and rng.random() < 0.05:
                rows.append((answer, *common, REJECTED, 1, *terms, 0))
                continue
            rows.append((answer, *common, OPEN, 0, *terms, 0))
            if k == 2:
                rows.append((end, *common, FILLED, 0, *terms, qty))
            else:
                rows.append((end, *common, PENDING_CANCEL, 0, *terms, 0))
                done = end + 3_500_000 + int(rng.exponential(600_000))
                rows.append((done, *common, CANCELLED, 0, *terms, 0))
    rows.sort(key=lambda row: row[0])
    table = np.array(rows, dtype=np.int64).reshape(-1, 11)
    types = {
        "time_ns": np.int64, "order_id": np.uint64, "strategy": np.uint16,
        "instrument": np.uint16, "side": np.int8, "order_type": np.uint8, "state": np.uint8,
        "reason": np.uint8, "price_ticks": np.int64, "qty_lots": np.int64, "filled_lots": np.int64,
    }  # fmt: skip
    return {name: table[:, i].astype(kind) for i, (name, kind) in enumerate(types.items())}
