"""The common market maker, native: `python maker_native.py FILE`."""

import sys

import mainspring as ms

run = ms.backtest(
    ms.native.TouchMaker(size="0.01", max_position="0.1", every="100ms"),
    sys.argv[1],
    venue=ms.Venue(fill_model="hft_no_partial", queue_model="prob_log"),
    latency="1ms",
    cash=1_000_000_000,
)
print(run.facts.engine["counts"])
