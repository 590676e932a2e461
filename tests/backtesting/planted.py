"""Strategies with planted faults, in a file so that other processes can load them."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import mainspring as ms
import numpy as np
from mainspring.data.dataset import Dataset


class Honest(ms.Strategy, every="1s"):
    """Quotes both touches and never holds more than one unit."""

    size: ms.Qty = ms.Qty("0.01")
    fail_after: int = 0
    calls: int = 0

    def on_book(self, m: Any) -> None:
        self.calls += 1
        if self.fail_after and self.calls > self.fail_after:
            raise ValueError("planted")
        bid = ((m.bid, self.size),) if m.position <= 0 else ()
        ask = ((m.ask, self.size),) if m.position >= 0 else ()
        m.quote(bid=bid, ask=ask)


class Unseeded(ms.Strategy, every="1s"):
    def on_book(self, m: Any) -> None:
        m.target_position(0.01 if random.random() < 0.5 else -0.01)


class SetOrder(ms.Strategy, every="1s"):
    def on_start(self, m: Any) -> None:
        self.order = list({"momentum", "carry", "value", "size", "quality", "beta", "trend"})

    def on_book(self, m: Any) -> None:
        signal = self.order[(m.time_ns // 10**9) % len(self.order)]
        m.target_position(0.01 if signal < "n" else -0.01)


class WallClock(ms.Strategy, every="1s"):
    def on_book(self, m: Any) -> None:
        m.target_position(0.01 if time.time_ns() // 1_000 % 2 else -0.01)


class Peeker(ms.Strategy, every="1s"):
    """Opens the data file and trades on the price a minute ahead."""

    path: str

    def on_start(self, m: Any) -> None:
        trades = Dataset.open(Path(self.path)).read(kinds=["trade"]).to_numpy()
        self.times, self.prices = trades["recv_ns"], trades["price"]

    def on_book(self, m: Any) -> None:
        later = min(np.searchsorted(self.times, m.time_ns + 60 * 10**9), len(self.prices) - 1)
        m.target_position(0.01 if self.prices[later] > m.ask else -0.01)


class Dies(ms.Strategy, every="1s"):
    """Takes its process with it."""

    die: bool = False

    def on_book(self, m: Any) -> None:
        if self.die:
            import os

            os._exit(9)


class Slow(ms.Strategy, every="1s"):
    wait_s: float = 0.01
    number: int = 0

    def on_book(self, m: Any) -> None:
        time.sleep(self.wait_s)
