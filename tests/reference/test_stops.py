"""Hand-worked cases of the reference engine's stops, and that random runs set them off."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
import scenarios
from mainspring.reference import Instrument, RunConfig, run
from mainspring.reference.stops import Rule, Stop, TrueRange, rule_of
from mainspring.risk import Stop as Asked

S = 1_000_000_000
PATH = [1_000, 1_010, 1_025, 1_012, 1_004, 996, 990, 985]
CASES = [
    (Rule("fixed", distance=10), 6),
    (Rule("trailing", distance=20), 4),
    (Rule("step", distance=10, step=10), 4),
    (Rule("break_even", distance=15, trigger=20, offset=2), 5),
    (Rule("break_even", distance=15, trigger=30), 7),
    (Rule("time", after_ns=3 * S), 3),
    (Rule("fixed", distance=100), None),
]


@pytest.mark.parametrize(("rule", "expected"), CASES)
@pytest.mark.parametrize("side", [1, -1])
def test_each_rule_fires_where_it_stands(rule: Rule, expected: int | None, side: int) -> None:
    stop = Stop(0, 0, rule)
    path = PATH if side > 0 else [2_000 - mid2 for mid2 in PATH]
    fires = [at for at, mid2 in enumerate(path) if stop.see(at * S, 5 * side, mid2, 0)]
    assert fires == ([] if expected is None else [expected]), "once, and there"


def test_a_loss_closes_and_a_turned_position_begins_anew() -> None:
    stop = Stop(0, 0, Rule("equity", loss=100))
    seen = [(5, 99), (5, 100), (5, 200), (0, 0), (-5, 100)]
    fired = [stop.see(at, position, 1_000, loss) for at, (position, loss) in enumerate(seen)]
    assert fired == [False, True, False, False, True]


def test_without_a_price_there_is_no_entry_yet() -> None:
    stop = Stop(0, 0, Rule("time", after_ns=2))
    fired = [stop.see(at, 5, mid2, 0) for at, mid2 in enumerate([None, None, 1_000, None, None])]
    assert fired == [False, False, False, False, True]


def test_the_average_true_range_is_wilders() -> None:
    # Bars of ranges 10, 20 and 30: the average of the first two, then half of the third.
    ranges, rule = TrueRange(), Rule("atr", multiple_milli=1_000, period=2, bar_ns=2 * S)
    for at, mid2 in enumerate([1_000, 1_010, 1_000, 1_020, 1_000, 1_030, 1_000]):
        ranges.see(at * S, mid2, rule)
    assert (ranges.bars, ranges.average / 2**32) == (3, 22.5)


def test_figures_are_read_in_the_units_of_the_instrument() -> None:
    instrument = Instrument(tick="0.1")
    assert rule_of(Asked.fixed("0.25"), instrument) == Rule("fixed", distance=5)
    assert rule_of(Asked.equity("0.5"), instrument) == Rule("equity", loss=5 * 10**17)
    assert rule_of(Asked.atr(1.5, 3, "1s"), instrument).multiple_milli == 1_500
    for stop in (Asked.trailing("0"), Asked.break_even("1", "0.2", "0.2"), Asked.time(0)):
        with pytest.raises(ValueError, match="must be positive"):
            rule_of(stop, instrument)


def test_stops_of_every_kind_close_positions_in_busy_markets() -> None:
    fired: Counter[str] = Counter()
    for seed in range(40):
        rows = scenarios.write_feed(scenarios.dense_messages(Random(seed), 80))
        strategy = scenarios.Scripted().follow(scenarios.dense_script(Random(~seed), 80))
        config = RunConfig(deposits={"USDT": "1000000", "BTC": "1000000"})
        notices = run(rows, [Instrument()], strategy, config).notices
        told = [text for text in notices if text.startswith("stopped out")]
        fired.update(text.split("kind='")[1].split("'")[0] for text in told)
    assert set(fired) == set(scenarios.STOP_KINDS), fired
