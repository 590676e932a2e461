"""One market, sampled into the arrays that the figures of sample-data.md are computed from.

Both sides, the recording and the generated sample, go through the same code: level changes and
trades in time order, the book rebuilt, its state kept after every message.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

PROFILE_TICKS = 400
"""How far from the touch the depth profile is kept, in ticks."""

SNAPSHOT_EVERY_S = 0.5
"""How often the depth profile is sampled."""


@dataclass(frozen=True)
class Message:
    """One message: level changes `(is_bid, tick, lots)` and trades `(sign, tick, lots)`."""

    time_s: float
    levels: list[tuple[bool, int, int]]
    trades: list[tuple[int, int, int]]


@dataclass(frozen=True)
class Tape:
    """What the figures need of one market.

    Attributes:
        time_s: time of each book message, seconds from the start.
        bid, ask: best prices after it, in ticks.
        trade_s, trade_sign, trade_tick, trade_lots: each trade.
        profile: mean lots at each distance from the touch, both sides averaged.
        occupied: share of samples in which the level at that distance is not empty.
    """

    time_s: Floats
    bid: Ints
    ask: Ints
    trade_s: Floats
    trade_sign: Ints
    trade_tick: Ints
    trade_lots: Ints
    profile: Floats
    occupied: Floats

    @property
    def mid(self) -> Floats:
        """Mid price in ticks after each book message."""
        return (self.bid + self.ask) / 2

    @property
    def span_s(self) -> float:
        """Seconds from the first to the last book message."""
        return float(self.time_s[-1] - self.time_s[0])


class _Book:
    """Two dictionaries of levels; the best price is searched for only when it left."""

    def __init__(self) -> None:
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}
        self.best_bid = -(1 << 60)
        self.best_ask = 1 << 60

    def set(self, is_bid: bool, tick: int, lots: int) -> None:
        side = self.bids if is_bid else self.asks
        if lots:
            side[tick] = lots
        else:
            side.pop(tick, None)
        if is_bid:
            if lots and tick > self.best_bid:
                self.best_bid = tick
            elif not lots and tick == self.best_bid:
                self.best_bid = max(side, default=-(1 << 60))
        elif lots and tick < self.best_ask:
            self.best_ask = tick
        elif not lots and tick == self.best_ask:
            self.best_ask = min(side, default=1 << 60)


def tape(messages: Iterable[Message]) -> Tape:
    """The arrays of a market from its messages."""
    book = _Book()
    times, bids, asks = [], [], []
    trades: list[tuple[float, int, int, int]] = []
    profile, occupied = np.zeros(PROFILE_TICKS), np.zeros(PROFILE_TICKS)
    samples, next_sample, start = 0, 0.0, None
    for message in messages:
        start = message.time_s if start is None else start
        now = message.time_s - start
        trades.extend((now, *trade) for trade in message.trades)
        if not message.levels:
            continue
        for is_bid, tick, lots in message.levels:
            book.set(is_bid, tick, lots)
        if not book.bids or not book.asks or book.best_bid >= book.best_ask:
            continue
        times.append(now)
        bids.append(book.best_bid)
        asks.append(book.best_ask)
        if now >= next_sample:
            next_sample, samples = now + SNAPSHOT_EVERY_S, samples + 1
            row = np.array(
                [
                    (book.bids.get(book.best_bid - d, 0), book.asks.get(book.best_ask + d, 0))
                    for d in range(PROFILE_TICKS)
                ]
            )
            profile += row.mean(axis=1)
            occupied += (row > 0).mean(axis=1)
    trade = np.array(trades, dtype=float).reshape(-1, 4)
    return Tape(
        np.array(times),
        np.array(bids),
        np.array(asks),
        trade[:, 0],
        trade[:, 1].astype(np.int64),
        trade[:, 2].astype(np.int64),
        trade[:, 3].astype(np.int64),
        profile / max(samples, 1),
        occupied / max(samples, 1),
    )


def binance_usdm(path: Path, tick: float = 0.1, lot: float = 0.001) -> Iterator[Message]:
    """Messages of a raw Binance USD-M recording: depth stream and trades, at exchange time.

    Depth before the inline snapshot is skipped; changes that the snapshot already holds are too.
    Fills of one taker order at one time are merged into one trade.
    """

    def levels(
        data: dict[str, list[list[str]]], keys: tuple[str, str]
    ) -> list[tuple[bool, int, int]]:
        return [
            (side == 0, round(float(p) / tick), round(float(q) / lot))
            for side, key in enumerate(keys)
            for p, q in data[key]
        ]

    snapshot_id = None
    pending: tuple[float, int] | None = None
    fills: list[tuple[int, int, int]] = []
    with gzip.open(path, "rt") as lines:
        for line in lines:
            body = json.loads(line.split(" ", 1)[1])
            if "lastUpdateId" in body:
                snapshot_id = body["lastUpdateId"]
                yield Message(body["T"] / 1e3, levels(body, ("bids", "asks")), [])
                continue
            data = body["data"]
            if data["e"] == "trade" and data.get("X") == "MARKET" and snapshot_id is not None:
                key = (data["T"] / 1e3, -1 if data["m"] else 1)
                if pending != key and pending is not None:
                    yield Message(pending[0], [], _merged(fills))
                    fills = []
                pending = key
                fills.append(
                    (key[1], round(float(data["p"]) / tick), round(float(data["q"]) / lot))
                )
            elif data["e"] == "depthUpdate" and snapshot_id is not None and data["u"] > snapshot_id:
                yield Message(data["T"] / 1e3, levels(data, ("b", "a")), [])


def _merged(fills: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """One trade for the fills of one taker: its last price, its whole quantity."""
    return [(fills[-1][0], fills[-1][1], sum(lots for _, _, lots in fills))]
