"""Writes `cases.json`: random feeds and orders with what hftbacktest 2.4.4 did with them.

Run with `python generate.py` in an environment that has hftbacktest. The venue test replays the
cases and must end every step with the same orders, to the lot.

One step is one feed row at `1000 * k` and one request at `1000 * k + 600` at the venue; the state
of every order is noted at `1000 * k + 900`.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
from hftbacktest import (
    BUY_EVENT,
    DEPTH_EVENT,
    EXCH_EVENT,
    GTC,
    GTX,
    LIMIT,
    LOCAL_EVENT,
    MARKET,
    SELL_EVENT,
    TRADE_EVENT,
    BacktestAsset,
    HashMapMarketDepthBacktest,
    event_dtype,
)
from hftbacktest.order import FOK, IOC
from numba import njit

STEPS = 60
CASES_EACH = 8
MODELS: dict[str, Any] = {
    "risk_averse": lambda a: a.risk_adverse_queue_model(),
    "prob_power2": lambda a: a.power_prob_queue_model(2.0),
    "prob_power3": lambda a: a.power_prob_queue_model(3.0),
    "prob_power_total2": lambda a: a.power_prob_queue_model2(2.0),
    "prob_one_minus_power3": lambda a: a.power_prob_queue_model3(3.0),
    "prob_log": lambda a: a.log_prob_queue_model(),
    "prob_log2": lambda a: a.log_prob_queue_model2(),
}
TIFS = {"gtc": GTC, "post_only": GTX, "ioc": IOC, "fok": FOK}


def feed(rng: random.Random) -> list[list[Any]]:
    """Rows [kind, buy, price, qty] of a book that is never crossed."""
    mid, rows = 100, []
    pending: list[list[Any]] = [["depth", True, 100, 6], ["depth", False, 101, 6]]
    while len(rows) < STEPS:
        if pending:
            rows.append(pending.pop(0))
            continue
        draw = rng.random()
        if draw < 0.12:
            up = rng.random() < 0.5
            gone = mid + 1 if up else mid
            mid += 1 if up else -1
            pending.append(["depth", not up, gone, 0])
            pending.append(["depth", up, gone, rng.randint(1, 9)])
        elif draw < 0.5:
            buy = rng.random() < 0.5
            price = mid + 1 + rng.choice([0, 0, 0, 1]) if buy else mid - rng.choice([0, 0, 0, 1])
            pending.append(["trade", buy, price, rng.randint(1, 6)])
        else:
            buy = rng.random() < 0.5
            away = rng.randint(0, 3)
            price = mid - away if buy else mid + 1 + away
            pending.append(["depth", buy, price, rng.randint(0, 12)])
    return rows


def requests(rng: random.Random) -> list[list[Any]]:
    """Requests [what, id, buy, price, qty, tif], one a step."""
    asked: list[list[Any]] = []
    for step in range(STEPS):
        draw = rng.random()
        if draw < 0.45:
            buy = rng.random() < 0.5
            price = 100 - rng.randint(-2, 3) if buy else 101 + rng.randint(-2, 3)
            tifs = ["gtc"] * 6 + ["post_only"] * 2 + ["ioc", "fok"]
            asked.append(["limit", step + 1, buy, price, rng.randint(1, 9), rng.choice(tifs)])
        elif draw < 0.5:
            asked.append(["market", step + 1, rng.random() < 0.5, 0, rng.randint(1, 20), "gtc"])
        elif draw < 0.6 and step > 0:
            asked.append(["cancel", rng.randint(1, step), True, 0, 0, "gtc"])
        else:
            asked.append(["none", 0, True, 0, 0, "gtc"])
    return asked


def events(rows: list[list[Any]]) -> np.ndarray:
    """The rows as hftbacktest reads them, one every 1000 ns."""
    data = np.zeros(len(rows), event_dtype)
    for k, (kind, buy, price, qty) in enumerate(rows):
        side = BUY_EVENT if buy else SELL_EVENT
        what = DEPTH_EVENT if kind == "depth" else TRADE_EVENT
        now = 1_000 * (k + 1)
        flags = EXCH_EVENT | LOCAL_EVENT | side | what
        data[k] = (flags, now, now, float(price), float(qty), 0, 0, 0.0)
    return data


@njit  # type: ignore[untyped-decorator]
def run(hbt, what, ids, buys, prices, qtys, tifs, kinds, states):  # type: ignore[no-untyped-def]
    """Fills `states[step, id]` with leaves, last price, maker, status; returns the good steps."""
    # The clock starts with the first call, at the first row.
    hbt.elapse(1)
    for k in range(len(what)):
        base = 1_000 * (k + 1)
        if hbt.elapse(base + 500 - hbt.current_timestamp) != 0:
            return k
        if what[k] == 1:
            if buys[k]:
                hbt.submit_buy_order(0, ids[k], prices[k], qtys[k], tifs[k], kinds[k], False)
            else:
                hbt.submit_sell_order(0, ids[k], prices[k], qtys[k], tifs[k], kinds[k], False)
        elif what[k] == 2:
            hbt.cancel(0, ids[k], False)
        if hbt.elapse(base + 900 - hbt.current_timestamp) != 0:
            return k
        orders = hbt.orders(0)
        for one in range(1, k + 2):
            order = orders.get(one)
            if order is not None:
                states[k, one, 0] = order.leaves_qty
                states[k, one, 1] = order.exec_price_tick
                states[k, one, 2] = 1.0 if order.arr[0].maker else 0.0
                states[k, one, 3] = order.status
    return len(what)


def case(seed: int, model: str, partial: bool) -> dict[str, Any]:
    """One random case and what hftbacktest's orders were after each step."""
    rng = random.Random(f"{model} {partial} {seed}")
    rows, asked = feed(rng), requests(rng)
    # A trade far away, before anything is sent, starts the clock; one at the end keeps it going.
    ends = events([["trade", True, 500, 1]] * 2)
    for end, now in zip(ends, (10, 1_000 * (len(rows) + 5)), strict=True):
        end["exch_ts"] = end["local_ts"] = now
    data = np.concatenate([ends[:1], events(rows), ends[1:]])
    asset = MODELS[model](
        BacktestAsset().data([data]).linear_asset(1.0).constant_order_latency(100, 100)
    )
    asset = asset.partial_fill_exchange() if partial else asset.no_partial_fill_exchange()
    asset = asset.trading_value_fee_model(0.0, 0.0).tick_size(1.0).lot_size(1.0)
    hbt = HashMapMarketDepthBacktest([asset])
    states = np.full((STEPS, STEPS + 1, 4), -1.0)
    good = run(
        hbt,
        np.array([{"none": 0, "cancel": 2}.get(a[0], 1) for a in asked]),
        np.array([a[1] for a in asked]),
        np.array([a[2] for a in asked]),
        np.array([float(a[3]) for a in asked]),
        np.array([float(a[4]) for a in asked]),
        np.array([TIFS[a[5]] for a in asked]),
        np.array([MARKET if a[0] == "market" else LIMIT for a in asked]),
        states,
    )
    hbt.close()
    changes: list[list[Any]] = []
    before: dict[int, list[int]] = {}
    for step in range(good):
        # Without a best price hftbacktest fills market orders at its mark for "no price".
        if states[step, :, 1].max() > 1e9 or states[step, :, 1].min() < -1e9:
            break
        changed = []
        for one in range(1, STEPS + 1):
            state = [int(x) for x in states[step, one]]
            if state[3] >= 0 and before.get(one) != state:
                before[one] = state
                changed.append([one, *state])
        changes.append(changed)
    return {
        "model": model,
        "partial": partial,
        "rows": rows,
        "requests": asked,
        "changes": changes,
    }


def main() -> None:
    """Writes every case beside this file."""
    cases = [
        case(seed, model, partial)
        for partial in (False, True)
        for model in MODELS
        for seed in range(CASES_EACH)
    ]
    print(len(cases), "cases,", sum(len(c["changes"]) < STEPS for c in cases), "ended by an error")
    lines = ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases)
    path = Path(__file__).with_name("cases.json")
    path.write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
