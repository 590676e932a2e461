"""The common workload: the rows and bars that every side of a benchmark reads.

Run by the interpreter of the peers' environment, because the draws are those of numba's generator:
`python workload.py DIRECTORY [--smoke]`. With seed 42 it writes

* `l2.npz`: 1,000,000 level changes and 100,000 trades of one instrument shaped like a BTCUSDT
  perpetual (tick 0.1, lot 0.001), in time order. Arrays: `kind` (0 depth, 1 trade), `side` (+1 bid
  or buyer, -1 ask or seller), `tick`, `lot` (0 removes the level), `ts` (exchange time, ns), `last`
  (1 on the last row of a message), `action` (1 add, 2 update, 3 delete, 0 for trades).
* `bars.npz`: 500,000 one-minute bars (`ts`, `open`, `high`, `low`, `close`, `volume`).
* `depthUpdate.jsonl`, `bookTicker.jsonl`, `aggTrade.jsonl`: the first 100,000 messages of each kind
  as Binance USD-M sends them.

`--smoke` writes a hundredth of everything.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from numba import njit

SEED = 42
LEVELS = 20
FIRST_MID = 1_000_000
WINDOW = 1 << 18
MEAN_GAP_NS = 50e6
FIRST_TS = 1_700_000_000_000_000_000


@njit
def resting_size(log_mean):
    return 1 + np.int64(np.random.lognormal(log_mean, 1.5))


@njit
def put(out, i, kind, side, tick, lot, ts, action):
    out[0][i] = kind
    out[1][i] = side
    out[2][i] = tick
    out[3][i] = lot
    out[4][i] = ts
    out[6][i] = action


@njit
def set_level(out, i, book, side_index, tick, base, lot, ts):
    """Writes one level change and applies it; the row says whether it adds, updates or deletes."""
    before = book[side_index, tick - base]
    action = 3 if lot == 0 else (2 if before > 0 else 1)
    put(out, i, 0, 1 - 2 * side_index, tick, lot, ts, action)
    book[side_index, tick - base] = lot
    return i + 1


@njit
def market_rows(n_depth, n_trade):
    """Rows as `(kind, side, tick, lot, ts, last, action)`. The spread is always one tick."""
    np.random.seed(SEED)
    n = n_depth + n_trade
    out = (
        np.zeros(n, np.uint8),
        np.zeros(n, np.int8),
        np.zeros(n, np.int64),
        np.zeros(n, np.int64),
        np.zeros(n, np.int64),
        np.zeros(n, np.uint8),
        np.zeros(n, np.uint8),
    )
    last = out[5]
    base = FIRST_MID - WINDOW // 2
    book = np.zeros((2, WINDOW), np.int64)  # bids, asks
    touched_by = np.zeros((2, WINDOW), np.int64)  # the message that last named a level
    bid, ts, message, drift = FIRST_MID - 1, FIRST_TS, 0, 0
    row, depth_rows, trade_rows = 0, 0, 0
    while row < n:
        ts += 1 + np.int64(np.random.exponential(MEAN_GAP_NS))
        while trade_rows < n_trade and trade_rows * n_depth < depth_rows * n_trade:
            buyer = np.random.random() < 0.5 + 0.1 * drift
            put(
                out, row, 1, 1 if buyer else -1, bid + 1 if buyer else bid, resting_size(2.5), ts, 0
            )
            last[row] = 1
            ts += 1 + np.int64(np.random.exponential(MEAN_GAP_NS / 10))
            row += 1
            trade_rows += 1
        if depth_rows >= n_depth:
            continue
        start = row
        message += 1
        if message == 1:
            for distance in range(LEVELS):
                row = set_level(out, row, book, 0, bid - distance, base, resting_size(5.0), ts)
                row = set_level(out, row, book, 1, bid + 1 + distance, base, resting_size(5.0), ts)
            depth_rows += row - start
            last[row - 1] = 1
            continue
        if np.random.random() < 0.25:
            moved = min(5, 1 + np.int64(np.random.exponential(1.0)))
            up = np.random.random() < 0.5
            drift = 1 if up else -1
            if bid - FIRST_MID > WINDOW // 4:
                up = False
            if FIRST_MID - bid > WINDOW // 4:
                up = True
            for _ in range(moved):
                # The side that is passed goes, the other follows; both keep their number of levels.
                if up:
                    steps = (
                        (1, bid + 1, 0),
                        (0, bid + 1, 1),
                        (0, bid - LEVELS + 1, 0),
                        (1, bid + 1 + LEVELS, 1),
                    )
                    bid += 1
                else:
                    steps = ((0, bid, 0), (1, bid, 1), (1, bid + LEVELS, 0), (0, bid - LEVELS, 1))
                    bid -= 1
                for side_index, tick, adds in steps:
                    if depth_rows + row - start >= n_depth:
                        break
                    if adds == 0 and book[side_index, tick - base] == 0:
                        continue
                    lot = resting_size(5.0) if adds else 0
                    row = set_level(out, row, book, side_index, tick, base, lot, ts)
                    touched_by[side_index, tick - base] = message
        for _ in range(1 + np.random.poisson(9.0)):
            if depth_rows + row - start >= n_depth:
                break
            side_index = 0 if np.random.random() < 0.5 else 1
            distance = min(LEVELS - 1, np.int64(np.random.exponential(5.0)))
            tick = bid - distance if side_index == 0 else bid + 1 + distance
            if touched_by[side_index, tick - base] == message:
                continue
            touched_by[side_index, tick - base] = message
            lot = resting_size(5.0)
            if distance > 0 and book[side_index, tick - base] > 0 and np.random.random() < 0.15:
                lot = 0
            row = set_level(out, row, book, side_index, tick, base, lot, ts)
        depth_rows += row - start
        if row > start:
            last[row - 1] = 1
    return out


def bars(count: int) -> dict[str, np.ndarray]:
    """One-minute bars of a random walk with 3 basis points a minute."""
    rng = np.random.default_rng(SEED)
    close = 100_000 * np.exp(np.cumsum(rng.normal(0, 3e-4, count)))
    opening = np.concatenate([[100_000.0], close[:-1]])
    reach = np.abs(rng.normal(0, 2e-4, (2, count)))
    high = np.round(np.maximum(opening, close) * (1 + reach[0]), 1)
    low = np.round(np.minimum(opening, close) * (1 - reach[1]), 1)
    opening, close = np.round(opening, 1), np.round(close, 1)
    return {
        "ts": 1_600_000_000_000_000_000 + np.arange(count) * 60_000_000_000,
        "open": opening,
        "high": np.maximum(high, np.maximum(opening, close)),
        "low": np.minimum(low, np.minimum(opening, close)),
        "close": close,
        "volume": np.round(rng.lognormal(3, 1, count), 3),
    }


def price_text(tick: int) -> str:
    return f"{tick // 10}.{tick % 10}0"


def quantity_text(lot: int) -> str:
    return f"{lot // 1000}.{lot % 1000:03d}"


def write_messages(directory: Path, rows: dict[str, np.ndarray], limit: int) -> None:
    """The rows as Binance's JSON: depth messages, the best quotes after each, and the trades."""
    depth = {name: array[rows["kind"] == 0] for name, array in rows.items()}
    ends = np.flatnonzero(depth["last"]) + 1
    starts = np.concatenate([[0], ends[:-1]])
    tick, side, lot, ts = (depth[name].tolist() for name in ("tick", "side", "lot", "ts"))
    books: dict[int, dict[int, int]] = {1: {}, -1: {}}
    update = 1000
    with (
        (directory / "depthUpdate.jsonl").open("w") as depth_file,
        (directory / "bookTicker.jsonl").open("w") as ticker_file,
    ):
        for start, end in list(zip(starts.tolist(), ends.tolist(), strict=True))[:limit]:
            sides: dict[int, list[list[str]]] = {1: [], -1: []}
            for j in range(start, end):
                sides[side[j]].append([price_text(tick[j]), quantity_text(lot[j])])
                if lot[j]:
                    books[side[j]][tick[j]] = lot[j]
                else:
                    books[side[j]].pop(tick[j], None)
            time, last_update = ts[start] // 1_000_000, update + end - start - 1
            bid, ask = max(books[1]), min(books[-1])
            write_line(
                depth_file,
                {
                    "e": "depthUpdate",
                    "E": time + 1,
                    "T": time,
                    "s": "BTCUSDT",
                    "U": update,
                    "u": last_update,
                    "pu": update - 1,
                    "b": sides[1],
                    "a": sides[-1],
                },
            )
            write_line(
                ticker_file,
                {
                    "e": "bookTicker",
                    "u": last_update,
                    "s": "BTCUSDT",
                    "b": price_text(bid),
                    "B": quantity_text(books[1][bid]),
                    "a": price_text(ask),
                    "A": quantity_text(books[-1][ask]),
                    "T": time,
                    "E": time + 1,
                },
            )
            update = last_update + 1
    with (directory / "aggTrade.jsonl").open("w") as trade_file:
        for i, j in enumerate(np.flatnonzero(rows["kind"] == 1)[:limit].tolist()):
            time = int(rows["ts"][j]) // 1_000_000
            write_line(
                trade_file,
                {
                    "e": "aggTrade",
                    "E": time + 1,
                    "a": 10_000 + i,
                    "s": "BTCUSDT",
                    "p": price_text(int(rows["tick"][j])),
                    "q": quantity_text(int(rows["lot"][j])),
                    "f": 20_000 + 2 * i,
                    "l": 20_001 + 2 * i,
                    "T": time,
                    "m": bool(rows["side"][j] < 0),
                },
            )


def write_line(file, message: dict) -> None:
    file.write(json.dumps(message, separators=(",", ":")) + "\n")


def main() -> None:
    directory, smoke = Path(sys.argv[1]), "--smoke" in sys.argv
    directory.mkdir(parents=True, exist_ok=True)
    share = 100 if smoke else 1
    n_depth, n_trade = 1_000_000 // share, 100_000 // share
    names = ("kind", "side", "tick", "lot", "ts", "last", "action")
    rows = dict(zip(names, market_rows(n_depth, n_trade), strict=True))
    np.savez(directory / "l2.npz", **rows)
    np.savez(directory / "bars.npz", **bars(500_000 // share))
    write_messages(directory, rows, 100_000 // share)
    print(
        json.dumps(
            {
                "depth_rows": int((rows["kind"] == 0).sum()),
                "trade_rows": int((rows["kind"] == 1).sum()),
                "messages": int(rows["last"][rows["kind"] == 0].sum()),
                "span_s": float(rows["ts"][-1] - rows["ts"][0]) / 1e9,
            }
        )
    )


if __name__ == "__main__":
    main()
