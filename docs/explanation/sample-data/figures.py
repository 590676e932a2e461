"""Draws the figures of sample-data.md: a recorded market beside a generated one.

    python docs/explanation/sample-data/figures.py RECORDING.gz OUTPUT_FOLDER

RECORDING is a raw Binance USD-M recording (`usdm_btcusdt_20240808.gz`). Needs matplotlib. Prints
the numbers that the page's table holds.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
import numpy as np
from tape import Floats, Message, Tape, binance_usdm, tape

mpl.use("Agg")
import matplotlib.pyplot as plt

LAGS_S = np.array([0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30])
COLOURS = {"recorded": "#1f4e79", "generated": "#d9822b"}


def generated(hours: float = 1.0, seed: int = 1) -> Iterator[Message]:
    """Messages of the sample `btcusdt`."""
    import mainspring as ms

    rows = ms.sample("btcusdt", hours=hours, seed=seed).read().to_numpy()
    levels: list[tuple[bool, int, int]] = []
    trades: list[tuple[int, int, int]] = []
    columns = ("exch_ns", "kind", "flags", "price_ticks", "qty_lots")
    for time, kind, flags, price, qty in zip(*(rows[c].tolist() for c in columns), strict=True):
        if kind == 1:
            levels.append((not flags & 2, price, qty))
        elif kind == 2:
            trades.append((-1 if flags & 2 else 1, price, qty))
        if flags & 1:
            if trades:
                trades = [(trades[-1][0], trades[-1][1], sum(t[2] for t in trades))]
            if levels or trades:
                yield Message(time / 1e9, levels, trades)
            levels, trades = [], []


def returns(market: Tape, lag_s: float) -> Floats:
    """Mid-price changes over `lag_s`, in ticks."""
    grid = np.arange(0, market.span_s, lag_s)
    return np.diff(market.mid[np.searchsorted(market.time_s, grid, side="right") - 1])


def signature(market: Tape) -> Floats:
    """Volatility per root second, by the lag it is measured at."""
    return np.array([returns(market, lag).std() / np.sqrt(lag) for lag in LAGS_S])


def sign_autocorrelation(market: Tape, lags: int) -> Floats:
    """Autocorrelation of the signs of trades at lags 1 to `lags`."""
    sign = market.trade_sign - market.trade_sign.mean()
    return np.array([(sign[k:] * sign[:-k]).mean() for k in range(1, lags + 1)]) / sign.var()


def spread_share(market: Tape) -> tuple[Floats, Floats]:
    """Spreads in ticks and the share of time that the spread is at least so wide."""
    width = (market.ask - market.bid)[:-1]
    hold = np.diff(market.time_s)
    order = np.argsort(width)
    above = 1 - np.concatenate([[0], np.cumsum(hold[order])[:-1]]) / hold.sum()
    return width[order].astype(float), above


def survival(values: Floats) -> tuple[Floats, Floats]:
    """Sorted values and the share of values at least so large."""
    ordered = np.sort(values)
    return ordered, 1 - np.arange(len(ordered)) / len(ordered)


def binned_profile(market: Tape) -> tuple[Floats, Floats]:
    """Mean lots a tick at distances that grow by a half."""
    edges = np.unique(np.round(np.geomspace(1, len(market.profile), 16)).astype(int))
    middle = (edges[:-1] + edges[1:]) / 2
    mean = [market.profile[a:b].mean() for a, b in pairwise(edges)]
    return np.concatenate([[0.5], middle]), np.concatenate([[market.profile[0]], mean])


def draw(markets: dict[str, Tape], folder: Path) -> None:
    """Writes `figures.png`: six panels, both markets in each."""
    plt.rcParams.update({"font.size": 8, "axes.spines.top": False, "axes.spines.right": False})
    figure, axes = plt.subplots(2, 3, figsize=(10, 5.6), layout="constrained")
    for name, market in markets.items():
        style = {"color": COLOURS[name], "label": name, "linewidth": 1.4}
        thin = slice(None, None, max(1, len(market.trade_s) // 400))
        axes[0, 0].loglog(*(a[:: max(1, len(a) // 400)] for a in spread_share(market)), **style)
        axes[0, 1].loglog(*binned_profile(market), marker="o", markersize=3, **style)
        axes[0, 2].semilogx(LAGS_S, signature(market), marker="o", markersize=3, **style)
        lags = np.arange(1, 101)
        axes[1, 0].loglog(lags, np.clip(sign_autocorrelation(market, 100), 1e-3, 1), **style)
        gaps = np.diff(market.trade_s)
        x, y = survival(gaps / gaps.mean())
        axes[1, 1].loglog(x[thin], y[thin], **style)
        moves = np.abs(returns(market, 1.0))
        x, y = survival(moves / returns(market, 1.0).std())
        axes[1, 2].loglog(x, y, **style)
    titles = [
        ("Spread", "ticks", "share of time at least so wide"),
        ("Depth behind the touch", "ticks from the best price", "mean lots a tick"),
        ("Signature plot", "lag, s", "volatility, ticks per root second"),
        ("Autocorrelation of trade signs", "lag, trades", ""),
        ("Time between trades", "multiple of the mean", "share at least so long"),
        ("Mid-price changes over 1 s", "multiple of their deviation", "share at least so large"),
    ]
    for axis, (title, x_label, y_label) in zip(axes.flat, titles, strict=True):
        axis.set_title(title, loc="left", fontweight="bold")
        axis.set_xlabel(x_label)
        axis.set_ylabel(y_label)
    axes[0, 1].set_xticks([0.5, 1, 10, 100], ["touch", "1", "10", "100"])
    axes[0, 2].set_ylim(0)
    axes[1, 0].set_ylim(3e-3, 1)
    axes[1, 1].set_xlim(1e-2)
    axes[1, 2].set_xlim(1e-2)
    axes[0, 0].legend(frameon=False)
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "figures.png", dpi=110, metadata={"Software": None})


def numbers(market: Tape) -> dict[str, float]:
    """The figures of the page's table."""
    width, hold = (market.ask - market.bid)[:-1], np.diff(market.time_s)
    one_second = returns(market, 1.0)
    moved = np.diff(market.mid)
    counts = np.histogram(market.trade_s, np.arange(0, market.span_s, 1.0))[0]
    after = np.searchsorted(market.time_s, market.trade_s + 1.0, side="right") - 1
    before = np.searchsorted(market.time_s, market.trade_s - 1e-9) - 1
    known = (before >= 0) & (market.trade_s + 1.0 < market.time_s[-1])
    signs = sign_autocorrelation(market, 20)
    response = market.trade_sign * (market.mid[after] - market.mid[before])
    return {
        "span, s": market.span_s,
        "depth messages a second": len(market.time_s) / market.span_s,
        "trades a second": len(market.trade_s) / market.span_s,
        "time at a spread of one tick, %": 100 * hold[width == 1].sum() / hold.sum(),
        "mean lots at the touch": market.profile[0],
        "occupied levels within 10 ticks, %": 100 * market.occupied[1:11].mean(),
        "occupied levels 300 to 400 ticks out, %": 100 * market.occupied[300:].mean(),
        "changes of the mid price a second": np.count_nonzero(moved) / market.span_s,
        "median change of the mid price, ticks": float(np.median(np.abs(moved[moved != 0]))),
        "volatility at 1 s, ticks per root second": one_second.std(),
        "kurtosis of 1 s changes": (one_second**4).mean() / one_second.var() ** 2,
        "autocorrelation of trade signs, lag 1": signs[0],
        "autocorrelation of trade signs, lag 10": signs[9],
        "median trade, lots": float(np.median(market.trade_lots)),
        "deviation of log trade size": np.log(market.trade_lots).std(),
        "mid-price response 1 s after a trade, ticks": response[known].mean(),
        "trades in a second, variance over mean": counts.var() / counts.mean(),
    }


def main() -> None:
    recording, folder = Path(sys.argv[1]), Path(sys.argv[2])
    markets = {"recorded": tape(binance_usdm(recording)), "generated": tape(generated())}
    draw(markets, folder)
    left, right = (numbers(market) for market in markets.values())
    for name, value in left.items():
        print(f"| {name} | {value:.3g} | {right[name]:.3g} |")


if __name__ == "__main__":
    main()
