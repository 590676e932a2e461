"""A strategy that fails is stopped, named with its line, and loses nothing."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import mainspring as ms
import numpy as np
import pytest
import subjects
from mainspring.data.dataset import Dataset
from mainspring.errors import StrategyError

pytest.importorskip("numba")


class Plain(subjects.Fails, ms.Strategy):
    """Plain."""


@ms.compiled
class Compiled(subjects.Fails):
    """Compiled."""


# What Python says, by `how`, and the line that it says it of.
SAYS = {
    0: ("ZeroDivisionError", "1 // (self._calls - self.at)"),
    1: ("is not a usable price", "m.quote(bid=((math.nan, 0.01),))"),
    2: ("it must be positive", "m.quote(bid=((m.bid, -0.01),))"),
    3: ("crosses itself", "ask=((m.bid, 0.01),))"),
    4: ("at most 64 actions", "m.buy(0.01, m.bid)"),
    5: ("at most 16 bid levels", "for i in range(17)"),
    6: ("is off the grid", "0.3 * m.tick, exact=True"),
    7: ("gave up at", "raise RuntimeError"),
    8: ("bid above ask", "assert m.bid > m.ask"),
    9: ("ValueError", "math.sqrt"),
    10: ("must be positive", "m.buy(0.0)"),
    11: ("must be positive", "m.stop(Stop.trailing(self.at - 50.0))"),
    12: ("must be finite", "m.stop(Stop.fixed(math.nan))"),
}


def line_of(code: str) -> int:
    """The line of `subjects.py` that has the code."""
    lines = inspect.getsource(subjects).splitlines()
    return next(i for i, line in enumerate(lines, 1) if code in line)


@pytest.mark.parametrize("tier", [Plain, Compiled])
@pytest.mark.parametrize("how", SAYS)
def test_nonsense_is_one_clear_error(market: Dataset, tier: Any, how: int) -> None:
    with pytest.raises(StrategyError) as caught:
        ms.backtest(tier(how=how), market)
    says, code = SAYS[how]
    message = str(caught.value)
    assert says in message
    assert f"subjects.py:{line_of(code)} in fail" in message
    assert "BTCUSDT" in message
    assert "bid " in message
    assert caught.value.__cause__ is not None
    run = caught.value.run
    assert len(run.orders) > 10, "the results so far are kept"
    assert run.failures == [message.split("stopped: ", 1)[1]]


def test_both_tiers_fail_at_the_same_event_with_the_same_results(market: Dataset) -> None:
    runs = [ms.backtest(tier(how=1), market, on_error="stop") for tier in (Plain, Compiled)]
    assert runs[0].facts.engine["counts"] == runs[1].facts.engine["counts"]
    assert runs[0].failures == runs[1].failures
    tables = [run.orders.to_numpy() for run in runs]
    assert all((tables[0][name] == tables[1][name]).all() for name in tables[0])


def test_a_failed_strategy_does_not_stop_the_others(market: Dataset) -> None:
    maker = ms.native.TouchMaker(size="0.01", max_position="0.05")
    run = ms.backtest([Compiled(how=7), maker], market, on_error="stop")
    assert "gave up" in (run.failures[0] or "")
    assert run.failures[1] is None
    table = run.orders.to_numpy()
    late = table["time_ns"] > np.median(table["time_ns"])
    assert set(table["strategy"][late]) == {1}


@ms.compiled
class HalfCalls(ms.Strategy):
    """Keeps half a call where it declared whole ones."""

    _calls: int = 0

    def on_book(self, m: Any) -> None:
        self._calls += 1
        if self._calls > 3:
            self._calls = self._calls + 0.5


def test_a_value_that_does_not_fit_its_declaration_is_an_error(market: Dataset) -> None:
    with pytest.raises(StrategyError, match="_calls of a compiled strategy is declared int"):
        ms.backtest(HalfCalls(), market)


@ms.compiled
class Depth(ms.Strategy):
    """Returns None from a method."""

    _seen: int = 0
    _without: int = 0

    def on_trade(self, m: Any, trade: Any) -> None:
        self._seen += 1
        if self.at(m) is None:
            self._without += 1

    def at(self, m: Any) -> Any:
        return m.bid_ticks


def test_what_cannot_be_compiled_names_the_line(market: Dataset) -> None:
    with pytest.raises(
        StrategyError, match=r"test_failures\.py:\d+ in on_trade: cannot be compiled"
    ):
        ms.backtest(Depth(), market)


def _refused(body: str, tmp: Any) -> str:
    """Why a callback with this body is not compiled."""
    path = tmp / "refused.py"
    path.write_text(
        "import mainspring as ms\nimport random\nNAMES = ['a']\n@ms.compiled\n"
        "class Refused(ms.Strategy):\n    _x: float = 0.0\n"
        f"    def on_book(self, m):\n        {body}\n"
    )
    from mainspring.strategy.compilation.program import translate
    from mainspring.strategy.loading import load_strategy

    cls: Any = load_strategy(str(path))
    with pytest.raises(StrategyError) as caught:
        translate(cls)
    assert "refused.py:8 in on_book" in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("print(m.bid)", "print"),
        ("self.y = 1.0", "self.y is not declared"),
        ("self._x = random.random()", "cannot be called"),
        ("self._x = NAMES[0]", "must be numbers"),
        ("self._x = m['ETHUSDT'].bid", "one instrument"),
        ("self._x = [1.0, 2.0][0]", "no lists"),
        ("x = m.quote()", "line of its own"),
        ("m.buy(1.0, banana=2)", "no option banana"),
        ("m.buy(1.0, tif='soon')", "tif is one of"),
        ("m.quote(bids=())", "quote takes"),
        ("import os", "no import"),
        ("self._x = unknown_name", "unknown_name is not known"),
        ("self._x = m.colour", "m.colour is not available"),
        ("for p, q in m.bids(99): self._x = p", "number up to 16"),
        ("self.on_book(m)", "cannot call itself"),
    ],
)
def test_what_compiled_code_cannot_say(tmp_path: Any, body: str, why: str) -> None:
    assert why in _refused(body, tmp_path)


@pytest.mark.parametrize("ask", ["m.quote(bid=((m.bid, 0.0004),))", "m.buy(0.0004, m.bid)"])
def test_less_than_a_lot_is_told_as_such(market: Dataset, ask: str, tmp_path: Path) -> None:
    code = tmp_path / "small.py"
    code.write_text(
        f"import mainspring as ms\nclass Small(ms.Strategy):\n    def on_book(self, m): {ask}\n"
    )
    module: dict[str, Any] = {}
    exec(compile(code.read_text(), code, "exec"), module)
    with pytest.raises(StrategyError, match=r"0\.0004 is less than one lot; give at least 0\.001"):
        ms.backtest(module["Small"], market)
