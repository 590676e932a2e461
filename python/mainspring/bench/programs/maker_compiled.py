"""The common market maker, compiled: `python maker_compiled.py FILE`."""

import sys

import mainspring as ms


@ms.compiled(every="100ms")
class TouchMaker(ms.Strategy):
    """Joins both touches while the position is within the limit."""

    size: float = 0.01
    max_position: float = 0.1

    def on_book(self, m: ms.Market) -> None:
        bid = ((m.bid, self.size),) if m.position < self.max_position - 1e-9 else ()
        ask = ((m.ask, self.size),) if m.position > -self.max_position + 1e-9 else ()
        m.quote(bid=bid, ask=ask)


run = ms.backtest(
    TouchMaker(),
    sys.argv[1],
    venue=ms.Venue(fill_model="hft_no_partial", queue_model="prob_log"),
    latency="1ms",
    cash=1_000_000_000,
)
print(run.facts.engine["counts"])
