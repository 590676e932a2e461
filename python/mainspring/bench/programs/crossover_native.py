"""A moving-average crossover over a file of bars, native: `python crossover_native.py FILE`."""

import sys

import mainspring as ms

run = ms.backtest(
    ms.native.MovingAverageCross(size="1", fast=20, slow=50),
    sys.argv[1],
    fees=ms.Fees(maker=0, taker=0),
    latency="1ms",
    cash=1_000_000_000,
)
print(run.facts.engine["counts"])
