"""Bytes of depth messages to signed orders in plain Python, timed message by message.

Takes a file of messages, one a line, and how many; prints the quantiles of those that led to
orders, until the first order of a message and until its last (`all_...`). `msgspec` parses where
it is installed, else `json`. Books are dicts whose best prices are kept up; the strategy quotes the
touch, as the one it is compared with does; the limits are the same checks without their states;
orders are signed by HMAC-SHA256. Nothing is journaled.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import sys
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

SECRET = b"secret of the key"
API_KEY = "k" * 64
SIZE = 0.01
MAX_POSITION, MAX_QTY, MAX_NOTIONAL, MAX_OPEN, COLLAR = 0.5, 1.0, 100_000.0, 100, 0.05
WARM_UP = 2_000


def _parser() -> Any:
    try:
        import msgspec
    except ImportError:
        return json.loads

    class Depth(msgspec.Struct):
        e: str
        E: int
        T: int
        s: str
        U: int
        u: int
        pu: int
        b: list[tuple[str, str]]
        a: list[tuple[str, str]]

    decode = msgspec.json.Decoder(Depth).decode

    def parse(line: bytes) -> dict[str, Any]:
        depth = decode(line)
        return {"T": depth.T, "pu": depth.pu, "u": depth.u, "b": depth.b, "a": depth.a}

    return parse


class Side:
    """One side of the book: quantities by price, and the best price."""

    def __init__(self, best: Any) -> None:
        self.levels: dict[float, float] = {}
        self.best: float | None = None
        self._best = best

    def apply(self, changes: Any) -> None:
        """Sets levels; the best price is looked for only when it went."""
        levels, best, pick = self.levels, self.best, self._best
        lost = False
        for price_text, qty_text in changes:
            price, qty = float(price_text), float(qty_text)
            if qty:
                levels[price] = qty
                if best is None or pick(price, best) == price:
                    best = price
            elif levels.pop(price, None) is not None and price == best:
                lost = True
        self.best = pick(levels) if lost and levels else best


class Maker:
    """Quotes the touch and replaces what stands elsewhere."""

    def __init__(self) -> None:
        self.bids, self.asks = Side(max), Side(min)
        self.last = 0
        self.open: dict[str, tuple[int, float]] = {}
        self.position = 0.0
        self.ids = 0
        self.volatility = self.mid = 0.0

    def message(self, parse: Any, line: bytes) -> Iterator[str]:
        """Takes a message and gives the frames to send, each as soon as it is made."""
        depth = parse(line)
        if self.last and depth["pu"] != self.last:
            raise ValueError("a message is missing")
        self.last = depth["u"]
        self.bids.apply(depth["b"])
        self.asks.apply(depth["a"])
        bid, ask = self.bids.best, self.asks.best
        if bid is None or ask is None or bid >= ask:
            return
        self._features(bid, ask)
        for side, price in (("BUY", bid), ("SELL", ask)):
            at = self.open.get(side)
            if at is not None and at[1] == price:
                continue
            if not self._allowed(side, price):
                continue
            if at is not None:
                yield self._frame("order.cancel", {"origClientOrderId": f"ms{at[0]:024x}"})
            self.ids += 1
            self.open[side] = (self.ids, price)
            terms = {
                "side": side,
                "type": "LIMIT",
                "timeInForce": "GTX",
                "price": f"{price:.1f}",
                "quantity": f"{SIZE:.3f}",
                "newClientOrderId": f"ms{self.ids:024x}",
            }
            yield self._frame("order.place", terms)

    def _features(self, bid: float, ask: float) -> None:
        mid = (bid + ask) / 2
        bid_qty, ask_qty = self.bids.levels[bid], self.asks.levels[ask]
        self.imbalance = (bid_qty - ask_qty) / (bid_qty + ask_qty)
        self.weighted = (bid * ask_qty + ask * bid_qty) / (bid_qty + ask_qty)
        step = mid - self.mid if self.mid else 0.0
        self.volatility += 0.01 * (step * step - self.volatility)
        self.mid = mid

    def _allowed(self, side: str, price: float) -> bool:
        after = self.position + (SIZE if side == "BUY" else -SIZE)
        return (
            SIZE <= MAX_QTY
            and SIZE * price <= MAX_NOTIONAL
            and abs(after) <= MAX_POSITION
            and len(self.open) <= MAX_OPEN
            and abs(price - self.mid) <= COLLAR * self.mid
        )

    def _frame(self, method: str, terms: dict[str, str]) -> str:
        params = {"apiKey": API_KEY, "symbol": "BTCUSDT", **terms, "timestamp": 1_700_000_000_000}
        text = urlencode(sorted(params.items()))
        params["signature"] = hmac.new(SECRET, text.encode(), hashlib.sha256).hexdigest()
        return json.dumps({"id": self.ids, "method": method, "params": params})


def main() -> None:
    """Times the messages and prints the quantiles."""
    path, count = sys.argv[1], int(sys.argv[2])
    with open(path, "rb") as file:
        lines = [line.strip() for _, line in zip(range(count), file, strict=False)]
    parse, maker = _parser(), Maker()
    first: list[int] = []
    all_: list[int] = []
    for number, line in enumerate(lines):
        begin = time.perf_counter_ns()
        frames = maker.message(parse, line)
        any_ = next(frames, None)
        at_first = time.perf_counter_ns()
        for _ in frames:
            pass
        at_last = time.perf_counter_ns()
        if any_ is not None and number >= min(WARM_UP, len(lines) // 10):
            first.append(at_first - begin)
            all_.append(at_last - begin)
    print(json.dumps({**_quantiles("", first), **_quantiles("all_", all_), "messages": len(first)}))


def _quantiles(name: str, times: list[int]) -> dict[str, int]:
    times.sort()
    return {
        f"{name}p{share}_ns": times[len(times) * share // 100] if times else 0 for share in (50, 99)
    }


if __name__ == "__main__":
    main()
