"""What strategies ask for beside orders, and what they are told: stops, refusals, models."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import mainspring as ms
import pytest
from live_sessions import FAST, until, wait_for
from mainspring.backtesting.config import Limits
from mainspring.errors import ConfigError
from mainspring.features import Microprice
from mainspring.live import paper, verify
from mainspring.risk import Stop


class Guarded(ms.Strategy, every="20ms"):
    """Buys once and asks for a stop a few ticks away."""

    size: ms.Qty = "0.010"
    distance: float = 0.3

    _bought = False

    def save_state(self) -> Any:
        return self._bought

    def load_state(self, state: Any) -> None:
        self._bought = state

    def on_book(self, m: Any) -> None:
        if m.ask is not None and not self._bought:
            self._bought = True
            m.buy(self.size)
            m.stop(Stop.trailing(self.distance))


def test_a_stop_of_a_worker_closes_its_position(tmp_path: Path) -> None:
    with paper(Guarded(), tmp_path, venue=FAST) as session:
        wait_for(session, "the stop", lambda s: s.fills >= 2)
        assert session.status().markets[0]["position_lots"] == 0
        session.stop()
    texts = [one.fields["text"] for one in ms.journal.open(tmp_path).records(types=["notice"])]
    assert any("stopped out of 10 lots" in text for text in texts), texts
    wishes = list(ms.journal.open(tmp_path).records(types=["wishes"]))
    asked = [one for record in wishes for one in record.fields["intents"]]
    (stop,) = [one for one in asked if one["intent"] == "stop"]
    assert stop["rule"]["kind"] == "trailing"
    assert verify(tmp_path, Guarded()).different == 0


def test_a_stop_of_a_callback_outlives_a_restart(tmp_path: Path) -> None:
    far = Guarded(distance=500.0)
    with paper(far, tmp_path, venue=FAST) as session:
        wait_for(session, "the position", lambda s: s.fills >= 1)
        until("the stop", lambda: [one["asked"] for one in guards(tmp_path)] == [True])
        session.stop()
    with paper(Guarded(distance=500.0), tmp_path, venue=FAST) as session:
        wait_for(session, "rows", lambda s: s.rows > 20)
        session.stop()
    (guard,) = guards(tmp_path)
    assert guard["rule"]["kind"] == "trailing"


def guards(folder: Path) -> list[dict[str, Any]]:
    return list(ms.journal.open(folder).state()["stops"])


class Timed(ms.Strategy, on="message"):
    """Buys once, with a stop after twenty seconds, and lets go of it where it is told to."""

    let_go: bool = False

    _bought = False

    def on_book(self, m: Any) -> None:
        if not self._bought and m.ask is not None:
            self._bought = True
            m.buy(0.010)
            m.stop(Stop.time("20s"))
            if self.let_go:
                m.remove_stops()


def test_a_stop_of_a_backtest_closes_the_position() -> None:
    market = ms.sample("btcusdt", hours=0.02)
    fills = [len(ms.backtest(Timed(let_go=one), market).fills) for one in (False, True)]
    assert fills[0] > fills[1] == 1


def test_a_stop_names_nothing_but_its_rule(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="leave strategy= and symbol= out"):
        Stop.fixed(1, strategy="a")._as_asked()


class Refused(ms.Strategy, every="20ms"):
    """Asks for too much, and for less once it is told that it was refused."""

    _asked = False

    def save_state(self) -> Any:
        return self._asked

    def load_state(self, state: Any) -> None:
        self._asked = state

    def on_book(self, m: Any) -> None:
        if m.bid is not None and not self._asked:
            self._asked = True
            m.buy(5.0, m.bid)

    def on_order(self, m: Any, order: Any) -> None:
        if order.state == "risk_rejected":
            m.buy(0.01, m.bid)


def test_a_worker_is_told_of_refusals(tmp_path: Path) -> None:
    limits = Limits(max_position="0.1")
    with paper(Refused(), tmp_path, venue=FAST, limits=limits) as session:
        status = wait_for(session, "the smaller order", lambda s: s.orders >= 1)
        assert status.risk_rejects == 1
        session.stop()
    assert verify(tmp_path, Refused()).different == 0


def test_status_is_whole_from_the_start(tmp_path: Path) -> None:
    with paper(ms.native.Noop(), tmp_path, venue=FAST) as session:
        status = session.status()
        assert status.sequence >= 1
        assert status.time_ns > time.time_ns() - 60_000_000_000
        assert [one["symbol"] for one in status.markets]


def model(ticks: float) -> Microprice:
    return Microprice(1, 1, ((ticks,),), 100)


def test_a_model_is_swapped_between_events(tmp_path: Path) -> None:
    features = [model(0.25).feature]
    with paper(ms.native.Noop(), tmp_path, venue=FAST, features=features) as session:
        wait_for(session, "rows", lambda s: s.rows > 10)
        swap = session.swap_model(model(0.75))
        assert (swap.feature, len(swap.hash)) == ("microprice", 64)
        with pytest.raises(ConfigError, match="no feature "):
            session.swap_model(model(0.5), feature="ofi")
        session.stop()
    commands = [one.fields for one in ms.journal.open(tmp_path).records(types=["command"])]
    assert [one["hash"] for one in commands if one["feature"] == "microprice"] == [swap.hash]
    assert commands[0]["started_with"] == [model(0.25).feature["microprice"]["table"]]
