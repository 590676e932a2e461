"""Changes of a session that runs: taken between two events, journaled, and followed by replays."""

from __future__ import annotations

from pathlib import Path

import mainspring as ms
import pytest
from live_sessions import FAST, new_orders, notices, settles, until, wait_for
from mainspring.backtesting.reconciling import Reconcile
from mainspring.config import Effect, load
from mainspring.config.reload import Watcher
from mainspring.errors import ConfigError, StrategyError
from mainspring.live import Rollout, paper, shadow, verify
from mainspring.live.reload import SessionReload
from mainspring.risk import CallbackServer

MAKER = ms.native.TouchMaker(size="0.01", max_position="0.1", every="20ms")


class Maker(ms.Strategy, every="20ms"):
    size: ms.Qty = "0.01"
    max_position: ms.Qty = "0.1"
    calls: int = 0

    def on_book(self, m):
        self.calls += 1
        if m.bid is None or m.ask is None:
            return
        held = m.position
        bid = ((m.bid, self.size),) if held < self.max_position - 1e-9 else ()
        ask = ((m.ask, self.size),) if held > -self.max_position + 1e-9 else ()
        m.quote(bid=bid, ask=ask)


class OneSided(Maker):
    """Another version: it bids only, three times as much."""

    def on_book(self, m):
        self.calls += 1
        if m.bid is not None:
            held = m.position < self.max_position - 1e-9
            m.quote(bid=((m.bid, 3 * self.size),) if held else ())


class Forgetful(Maker):
    def load_state(self, state):
        raise ValueError("not mine")

    def save_state(self):
        return 1


@ms.compiled(every="20ms")
class Compiled:
    size: ms.Qty = "0.01"
    max_position: ms.Qty = "9"
    _calls: int = 0

    def on_book(self, m):
        self._calls += 1
        if m.bid_ticks is None or m.ask_ticks is None:
            m.quote()
        elif m.position < self.max_position - 1e-9:
            m.quote(bid=((m.bid, self.size),))
        else:
            m.quote()


@pytest.mark.parametrize(
    "strategy", [MAKER, Maker(), Compiled()], ids=["native", "python", "numba"]
)
def test_parameters_change_between_two_events(tmp_path: Path, strategy: object) -> None:
    with paper(strategy, tmp_path, venue=FAST) as session:
        settles(session, {0: {10}})
        session.set_parameters({"size": "0.004"})
        settles(session, {0: {4}})
        with pytest.raises(ConfigError, match="width"):
            session.set_parameters({"width": 1})
        with pytest.raises(ConfigError):
            session.set_parameters({"size": "wide"})
        session.stop()
    found = verify(tmp_path, type(strategy)() if isinstance(strategy, ms.Strategy) else strategy)
    assert found.same >= 4
    assert (found.different, found.difference) == (0, None)


@pytest.mark.parametrize("make", [Maker, Compiled])
def test_changed_parameters_outlive_a_restart(tmp_path: Path, make: type[ms.Strategy]) -> None:
    with paper(make(), tmp_path, venue=FAST) as session:
        new_orders(session)
        session.set_parameters({"size": "0.004"})
        settles(session, {0: {4}})
    with paper(make(), tmp_path, venue=FAST) as session:
        settles(session, {0: {4}})
    # A start that is given another value is newer than what was changed.
    with paper(make(size="0.007"), tmp_path, venue=FAST) as session:
        settles(session, {0: {7}})


def test_another_version_takes_over_with_its_state(tmp_path: Path) -> None:
    first, second = Maker(), OneSided()
    with paper(first, tmp_path, venue=FAST) as session:
        new_orders(session)
        session.replace_strategy(second)
        assert session.strategies == (second,)
        assert second.name == "Maker"
        assert second.calls >= first.calls > 0
        settles(session, {0: {30}})
    commands = ms.journal.open(tmp_path).records(types=["command"])
    replaced = [one.fields for one in commands if one.fields["command"] == "replace_strategy"]
    assert [one["code"]["class"] for one in replaced] == ["OneSided"]
    # From the journal alone, and with the versions at hand.
    assert verify(tmp_path).different == 0
    found = verify(tmp_path, Maker(), replacements={1: OneSided()})
    assert found.same >= 4
    assert found.different == 0
    assert verify(tmp_path, Maker()).different == 1
    assert shadow(tmp_path, Maker()).different > 1


def test_a_restart_with_the_new_version_is_replayed_too(tmp_path: Path) -> None:
    for make in (Maker, OneSided):
        made = make()
        made.name = "Maker"
        with paper(made, tmp_path, venue=FAST) as session:
            new_orders(session)
    found = verify(tmp_path)
    assert found.same >= 4
    assert found.different == 0


def test_a_version_that_cannot_take_over_leaves_the_one_before(tmp_path: Path) -> None:
    with paper(Maker(), tmp_path, venue=FAST) as session:
        new_orders(session)
        with pytest.raises(ConfigError, match=r"Needs needs a restart: this session has no 1m"):
            session.replace_strategy(type("Needs", (Maker,), {"bars": ("1m",)})())
        with pytest.raises(ConfigError, match="Python one is replaced by a Python one"):
            session.replace_strategy(MAKER)  # type: ignore[arg-type]

    class Saves(Maker):
        def save_state(self):
            return 1

        def load_state(self, state):
            pass

    folder = tmp_path / "other"
    with paper(Saves(), folder, venue=FAST) as session:
        new_orders(session)
        with pytest.raises(StrategyError, match=r"the version before goes on: .*not mine"):
            session.replace_strategy(Forgetful())
        settles(session, {0: {10}})
        assert isinstance(session.strategies[0], Saves)
    assert verify(folder, Saves(), replacements={1: Forgetful()}).different == 0


def test_a_compiled_strategy_runs_inline_and_is_replaced_there(tmp_path: Path) -> None:
    @ms.compiled(every="20ms")
    class Bigger:
        size: ms.Qty = "0.01"
        max_position: ms.Qty = "9"
        _calls: int = 0

        def on_book(self, m):
            self._calls += 1
            if m.bid_ticks is not None and m.position < self.max_position - 1e-9:
                m.quote(bid=((m.bid, 2 * self.size),))
            else:
                m.quote()

    first, second = Compiled(), Bigger()
    with paper(first, tmp_path, venue=FAST) as session:
        new_orders(session)
        session.replace_strategy(second)
        settles(session, {0: {20}})
        session.stop()
    kinds = {record.name for record in ms.journal.open(tmp_path).records()}
    assert "intents" in kinds
    assert "wishes" not in kinds, "nothing came from a worker"
    found = verify(tmp_path, Compiled(), replacements={1: Bigger()})
    assert found.same >= 4
    assert found.different == 0
    again = Bigger()
    again.name = first.name
    with paper(again, tmp_path, venue=FAST) as session:
        calls = second._calls
        new_orders(session)
        state = session.strategies[0]
        session.stop()
    assert state._calls > calls > 0, "what it counted goes on"


def test_a_compiled_strategy_that_raises_is_stopped_alone(tmp_path: Path) -> None:
    @ms.compiled(every="20ms")
    class Fails:
        _calls: int = 0

        def on_book(self, m):
            self._calls += 1
            m.quote(bid=((m.bid, 0.01 if self._calls < 20 else -1.0),))

    session = paper([Fails(), MAKER], tmp_path, venue=FAST)
    until("the end of the one", lambda: any("must be positive" in t for t in notices(tmp_path)))
    before = session.status().orders
    wait_for(session, "orders of the other", lambda s: s.orders > before)
    with pytest.raises(StrategyError, match="must be positive"):
        session.stop()


def test_rules_of_execution_and_waits_change(tmp_path: Path) -> None:
    with paper(MAKER, tmp_path, venue=FAST) as session:
        new_orders(session)
        session.set_execution(Reconcile(min_life="1s", price_threshold_bps=5.0))
        session.set_waits({"patience": PATIENCE, "foreign": "cancel"})
        new_orders(session, 2)
        with pytest.raises(ConfigError, match="creation_ns"):
            session.set_waits({"patience": {**PATIENCE, "creation_ns": -1}, "foreign": "cancel"})
        session.set_execution(None)
        new_orders(session)
    assert verify(tmp_path).different == 0
    texts = [one.fields["text"] for one in ms.journal.open(tmp_path).records(types=["notice"])]
    assert texts.count("other rules of execution from now on") == 2


PATIENCE = {
    "creation_ns": 3_000_000_000,
    "cancel_ns": 2_000_000_000,
    "query_ns": 500_000_000,
    "max_queries": 4,
    "reconcile_ns": 10_000_000_000,
}


def test_a_changed_file_says_what_took_effect_and_what_needs_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "mainspring.toml"
    file.write_text("[parameters]\nsize = 0.01\n[limits]\nmax_position = 5\n")
    loaded = load(file, environ={})
    with paper(Maker(size="0.01"), tmp_path / "session", venue=FAST) as session:
        new_orders(session)
        watcher = Watcher(loaded, SessionReload(session))
        file.write_text(
            "[parameters]\nsize = 0.004\n[limits]\nmax_position = 3\n[orders]\n"
            "cancel_timeout = '3s'\n[execution]\nmin_life = '50ms'\n[fees]\nmaker = '0.0001'\n"
            "[events]\nhistory = 500\n"
        )
        answers = {one.key: one.effect for one in watcher.look()}
        assert answers == {
            "parameters.size": Effect.NOW,
            "limits.max_position": Effect.NOW,
            "orders.cancel_timeout": Effect.NOW,
            "execution.min_life": Effect.NOW,
            "fees.maker": Effect.NEXT_START,
            "events.history": Effect.NEXT_START,
        }
        settles(session, {0: {4}})
        file.write_text("[parameters]\nsize = 0.004\nwidth = 3\n[limits]\nmax_position = 3\n")
        answer = {one.key: one for one in watcher.look()}["parameters.width"]
        assert answer.effect is Effect.REFUSED
        assert "no parameter 'width'" in answer.why
    names = {one.fields["command"] for one in commands_of(tmp_path / "session")}
    assert {"set_parameters", "set_limits", "set_execution", "set_waits"} <= names


def commands_of(folder: Path) -> list[ms.journal.Record]:
    return list(ms.journal.open(folder).records(types=["command"]))


class MakerAgain(Maker):
    """The same, as a version to be tried."""


def test_a_new_version_is_rolled_out_by_share_and_taken_back(tmp_path: Path) -> None:
    rollout = Rollout(old="Maker", new="MakerAgain")
    both = [Maker(max_position=9), MakerAgain(max_position=9)]
    with paper(both, tmp_path, venue=FAST, rollouts=[rollout]) as session:
        settles(session, {0: {10}})
        session.roll_out(10, reason="it looks well")
        settles(session, {0: {9}, 1: {1}}, more=8)
        session.roll_out(0, reason="it does not")
        settles(session, {0: {10}})
        with pytest.raises(ConfigError, match="0 to 100 %"):
            session.roll_out(101, reason="too much")
        with pytest.raises(ConfigError, match="say why"):
            session.roll_out(50, reason=" ")
    with pytest.raises(ConfigError, match="is not one strategy"):
        paper([Maker()], tmp_path / "other", venue=FAST, rollouts=[rollout])
    assert verify(tmp_path, [Maker(max_position=9), MakerAgain(max_position=9)]).different == 0


def test_counts_are_of_this_life_and_totals_of_the_journal(tmp_path: Path) -> None:
    with paper(MAKER, tmp_path, venue=FAST) as session:
        new_orders(session)
        first = session.stop().status
    assert first.totals["orders"] == first.orders > 0
    with paper(MAKER, tmp_path, venue=FAST) as session:
        new_orders(session)
        again = session.stop().status
    assert again.totals["orders"] == first.orders + again.orders
    assert again.totals["fills"] == first.fills + again.fills
    records = ms.journal.open(tmp_path).records(types=["fill"])
    assert sum(1 for _ in records) == again.totals["fills"]


def test_a_callback_has_the_last_word_and_silence_is_a_no(tmp_path: Path) -> None:
    with (
        CallbackServer(lambda order: order["side"] == 1, timeout="2s") as server,
        paper(MAKER, tmp_path, venue=FAST, validator=server.validator) as session,
    ):
        wait_for(session, "bids", lambda s: s.orders > 2 and s.risk_rejects > 2)
    sides = {one.fields["side"] for one in ms.journal.open(tmp_path).records(types=["fill"])}
    assert sides <= {"buy"}
    # The server is gone: nobody answers, and nothing passes.
    with paper(MAKER, tmp_path / "other", venue=FAST, validator=server.validator) as session:
        status = wait_for(session, "refusals", lambda s: s.risk_rejects > 2)
        assert status.orders == 0
