"""hftbacktest's side of `replay` and `replay_mm`, and the step-by-step record of its market maker.

    python hftbacktest_replay.py DIRECTORY {replay,mm,cold,dump} [--depth roi|hash] [--repeats N]
    [--serve]

Reads DIRECTORY/l2.npz (see workload.py) and prints one JSON object a run; with `--serve` it runs
once for each line that it is sent.

The work, the same for every side: 100 ms steps, best bid and ask read at each. The market maker
joins both touches with 10 lots post-only, cancels an order whose price is no longer the touch (or
whose side would take the position beyond 100 lots), and submits where it has none. Feed latency 2
ms, order latency 1 ms each way, queue model `LogProbQueueModel`, no partial fills, maker 0.0002,
taker 0.00018.

`dump` writes DIRECTORY/hftbacktest_mm.npz for comparing another engine step by step:

* `steps`, int64 (n, 6): local time ns, best bid tick, best ask tick, position in lots as the
  strategy sees it, number of live orders before it acts, trades counted so far.
* `actions`, int64 (n, 6): local time ns, kind (1 submit, 2 cancel), order id, side (+1, -1), tick,
  step.
* `fills`, int64 (n, 6): step at which the strategy could first see it, order id, side, executed
  tick, time at the exchange ns, time of the order's request ns.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from pathlib import Path

import hftbacktest as hft
import numpy as np
from hftbacktest import BUY, FILLED, GTX, LIMIT
from numba import njit

FEED_LATENCY_NS = 2_000_000
ORDER_LATENCY_NS = 1_000_000
STEP_NS = 100_000_000
STAGGER_NS = 137_000


def events(directory: Path, share: int = 1) -> np.ndarray:
    """The workload, or the first `share`-th of it, as hftbacktest's event rows."""
    rows = np.load(directory / "l2.npz")
    rows = {
        name: rows[name][: len(rows["ts"]) // share]
        for name in ("kind", "side", "tick", "lot", "ts")
    }
    out = np.zeros(len(rows["ts"]), hft.types.event_dtype)
    out["ev"] = (
        np.where(rows["kind"] == 0, hft.DEPTH_EVENT, hft.TRADE_EVENT).astype(np.uint64)
        | np.where(rows["side"] > 0, hft.BUY_EVENT, hft.SELL_EVENT).astype(np.uint64)
        | np.uint64(hft.EXCH_EVENT)
        | np.uint64(hft.LOCAL_EVENT)
    )
    out["exch_ts"] = rows["ts"]
    out["local_ts"] = rows["ts"] + FEED_LATENCY_NS
    out["px"] = rows["tick"] / 10.0
    out["qty"] = rows["lot"] / 1000.0
    return out


def instruments(data: np.ndarray, count: int) -> list[np.ndarray]:
    """The rows of `count` instruments, the same but some microseconds apart."""
    out = [data]
    for number in range(1, count):
        rows = data.copy()
        rows["exch_ts"] += number * STAGGER_NS
        rows["local_ts"] += number * STAGGER_NS
        out.append(rows)
    return out


def engine(arrays: list[np.ndarray], depth: str):
    """A backtest of one instrument per array. It reads the arrays in place: keep them alive."""

    def asset(rows: np.ndarray):
        built = (
            hft.BacktestAsset()
            .data(rows)
            .linear_asset(1.0)
            .constant_order_latency(ORDER_LATENCY_NS, ORDER_LATENCY_NS)
            .log_prob_queue_model()
            .no_partial_fill_exchange()
            .trading_value_fee_model(0.0002, 0.00018)
            .tick_size(0.1)
            .lot_size(0.001)
            .last_trades_capacity(0)
        )
        return built.roi_lb(98_000.0).roi_ub(102_000.0) if depth == "roi" else built

    kind = hft.ROIVectorMarketDepthBacktest if depth == "roi" else hft.HashMapMarketDepthBacktest
    return kind([asset(rows) for rows in arrays])


@njit
def replay(hbt, assets):
    """Steps through the data reading the best prices; returns steps and a checksum of them."""
    steps, checksum = 0, 0
    while hbt.elapse(STEP_NS) == 0:
        for asset in range(assets):
            depth = hbt.depth(asset)
            checksum += depth.best_bid_tick + depth.best_ask_tick
        steps += 1
    return steps, checksum


@njit
def note_action(actions, row, now, kind, order_id, side, tick, step):
    actions[row, 0] = now
    actions[row, 1] = kind
    actions[row, 2] = order_id
    actions[row, 3] = side
    actions[row, 4] = tick
    actions[row, 5] = step


@njit
def market_maker(hbt, actions, step_log, fill_log):
    """The common market maker; logs go to the arrays where these have room (empty ones: no log)."""
    steps, order_id, submits, cancels, fills, logged = 0, 1, 0, 0, 0, 0
    while hbt.elapse(STEP_NS) == 0:
        if steps < len(step_log):
            live = 0
            seen = hbt.orders(0).values()
            while seen.has_next():
                order = seen.get()
                if order.status == FILLED:
                    fill_log[fills, 0] = steps
                    fill_log[fills, 1] = order.order_id
                    fill_log[fills, 2] = order.side
                    fill_log[fills, 3] = order.exec_price_tick
                    fill_log[fills, 4] = order.exch_timestamp
                    fill_log[fills, 5] = order.local_timestamp
                    fills += 1
                elif order.cancellable:
                    live += 1
        hbt.clear_inactive_orders(0)
        depth = hbt.depth(0)
        bid, ask, position = depth.best_bid_tick, depth.best_ask_tick, hbt.position(0)
        if steps < len(step_log):
            step_log[steps, 0] = hbt.current_timestamp
            step_log[steps, 1] = bid
            step_log[steps, 2] = ask
            step_log[steps, 3] = round(position * 1000)
            step_log[steps, 4] = live
            step_log[steps, 5] = hbt.state_values(0).num_trades
        want_bid, want_ask = position < 0.1 - 1e-9, position > -0.1 + 1e-9
        have_bid, have_ask = False, False
        orders = hbt.orders(0).values()
        while orders.has_next():
            order = orders.get()
            wanted = want_bid and order.price_tick == bid
            if order.side != BUY:
                wanted = want_ask and order.price_tick == ask
            if wanted:
                have_bid = have_bid or order.side == BUY
                have_ask = have_ask or order.side != BUY
            elif order.cancellable:
                hbt.cancel(0, order.order_id, False)
                cancels += 1
                if logged < len(actions):
                    note_action(
                        actions,
                        logged,
                        hbt.current_timestamp,
                        2,
                        order.order_id,
                        order.side,
                        order.price_tick,
                        steps,
                    )
                    logged += 1
        if want_bid and not have_bid:
            hbt.submit_buy_order(0, order_id, bid * 0.1, 0.01, GTX, LIMIT, False)
            if logged < len(actions):
                note_action(actions, logged, hbt.current_timestamp, 1, order_id, 1, bid, steps)
                logged += 1
            order_id += 1
            submits += 1
        if want_ask and not have_ask:
            hbt.submit_sell_order(0, order_id, ask * 0.1, 0.01, GTX, LIMIT, False)
            if logged < len(actions):
                note_action(actions, logged, hbt.current_timestamp, 1, order_id, -1, ask, steps)
                logged += 1
            order_id += 1
            submits += 1
        steps += 1
    return steps, submits, cancels, fills, logged


def no_log() -> np.ndarray:
    return np.zeros((0, 6), np.int64)


def timed(mode: str, arrays: list[np.ndarray], depth: str) -> dict:
    """One run; compilation is outside the measured seconds (the first call warms it up)."""
    hbt = engine(arrays, depth)
    begin = time.perf_counter()
    if mode == "mm":
        steps, submits, cancels, _, _ = market_maker(hbt, no_log(), no_log(), no_log())
        outcome = {"steps": steps, "submits": submits, "cancels": cancels}
    else:
        steps, checksum = replay(hbt, len(arrays))
        outcome = {"steps": steps, "checksum": checksum}
    seconds = time.perf_counter() - begin
    state = hbt.state_values(0)
    outcome |= {"fills": int(state.num_trades), "position": round(float(state.position), 6)}
    hbt.close()
    return {"seconds": seconds, "rows": sum(map(len, arrays)), **outcome}


def dump(directory: Path, data: np.ndarray) -> dict:
    """Writes the step-by-step record of the market maker."""
    actions, steps, fills = (np.zeros((200_000, 6), np.int64) for _ in range(3))
    hbt = engine([data], "roi")
    n_steps, submits, cancels, n_fills, logged = market_maker(hbt, actions, steps, fills)
    state = hbt.state_values(0)
    np.savez_compressed(
        directory / "hftbacktest_mm.npz",
        steps=steps[:n_steps],
        actions=actions[:logged],
        fills=fills[:n_fills],
    )
    return {
        "steps": n_steps,
        "submits": submits,
        "cancels": cancels,
        "fills_logged": n_fills,
        "num_trades": int(state.num_trades),
        "position": float(state.position),
        "balance": float(state.balance),
        "fee": float(state.fee),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("mode", choices=["replay", "mm", "cold", "dump"])
    parser.add_argument("--depth", choices=["roi", "hash"], default="roi")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--assets", type=int, default=1)
    parser.add_argument("--share", type=int, default=1, help="take the first SHARE-th of the rows")
    parser.add_argument("--serve", action="store_true", help="run once for each line of stdin")
    args = parser.parse_args()
    data = events(args.directory, args.share)
    if args.mode == "dump":
        print(json.dumps(dump(args.directory, data)))
        return
    mode = "mm" if args.mode == "cold" else args.mode
    if args.mode != "cold":
        timed(mode, [data[:2000]], args.depth)
    arrays = instruments(data, args.assets)
    for _ in sys.stdin if args.serve else range(args.repeats):
        line = timed(mode, arrays, args.depth)
        line["peak_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
