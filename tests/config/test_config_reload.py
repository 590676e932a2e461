"""What a changed configuration does to an engine that runs."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mainspring.config import Change, Config, Effect, Watcher, load, plan, running
from mainspring.config.reload import rules
from mainspring.config.section import Reload
from mainspring.errors import MainspringError

FILE = """\
[run]
every = "1s"
[parameters]
threshold = 0.3
[limits]
max_position = 5
"""


def config(**sections: dict[str, Any]) -> Config:
    return Config.model_validate(sections)


def effects(old: Config, new: Config, reason: str | None = None) -> dict[str, Effect]:
    return {change.key: change.effect for change in plan(old, new, reason=reason)}


def test_equal_configurations_change_nothing() -> None:
    assert plan(Config(), Config()) == []


def test_parameters_hold_at_once_and_the_data_at_the_next_start() -> None:
    old = config(parameters={"x": 1, "gone": 2}, run={"data": ["a"]})
    new = config(parameters={"x": 2, "more": 3}, run={"data": ["b"]})
    assert effects(old, new) == {
        "run.data": Effect.NEXT_START,
        "parameters.x": Effect.NOW,
        "parameters.gone": Effect.NOW,
        "parameters.more": Effect.NOW,
    }


@pytest.mark.parametrize(
    ("before", "after", "effect"),
    [
        (5, 4, Effect.NOW),
        (None, 4, Effect.NOW),
        (4, 5, Effect.REFUSED),
        (4, None, Effect.REFUSED),
    ],
)
def test_a_limit_is_tightened_at_once_and_loosened_with_a_reason(
    before: int | None, after: int | None, effect: Effect
) -> None:
    old = config(limits={"max_position": before})
    new = config(limits={"max_position": after})
    assert effects(old, new) == {"limits.max_position": effect}
    assert effects(old, new, reason="more capital") == {"limits.max_position": Effect.NOW}


def test_every_key_has_an_answer() -> None:
    every = rules()
    assert {key.partition(".")[0] for key in every} == set(Config.model_fields)
    assert all(every[key] is Reload.TIGHTEN for key in every if key.startswith("limits."))
    assert every["parameters.*"] is Reload.NOW
    assert every["credentials.*"] is Reload.NEXT_START


amounts = st.none() | st.integers(1, 9)
configs = st.builds(
    lambda position, qty, timeout, batch, parameters, out: config(
        limits={"max_position": position, "max_order_qty": qty},
        orders={"cancel_timeout": timeout},
        store={"batch": batch},
        parameters=parameters,
        run={"out": out},
    ),
    amounts,
    amounts,
    st.sampled_from(["1s", "2s"]),
    st.integers(1, 3),
    st.dictionaries(st.sampled_from("abc"), st.integers(0, 2) | st.booleans()),
    st.sampled_from(["x", "y"]),
)


@given(configs, configs, st.none() | st.just("because"))
def test_what_runs_is_the_old_with_what_holds_now(
    old: Config, new: Config, reason: str | None
) -> None:
    changes = plan(old, new, reason=reason)
    now = running(old, new, changes)
    left = plan(now, new)
    assert {change.key for change in left} == {
        change.key for change in changes if change.effect is not Effect.NOW
    }
    for before, after in ((old.limits, now.limits), (new.limits, now.limits)):
        del after
        assert isinstance(before.max_position, Decimal | None)
    if reason is None:
        for name in ("max_position", "max_order_qty"):
            limit, was = getattr(now.limits, name), getattr(old.limits, name)
            assert was is None or (limit is not None and limit <= was), "nothing is loosened"
    assert running(old, old, plan(old, old)) == old


class Engine:
    def __init__(self) -> None:
        self.given: list[tuple[Sequence[Change], Config]] = []
        self.worse = False

    def apply(self, changes: Sequence[Change], config: Config) -> Sequence[Change]:
        self.given.append((changes, config))
        if self.worse:
            return [
                Change(c.key, c.before, c.after, Effect.NEXT_START, "not here") for c in changes
            ]
        return changes


class Told(list[Any]):
    def __call__(self, what: Any) -> None:
        self.append(what)


def watched(tmp_path: Path) -> tuple[Path, Engine, Told, Watcher]:
    file = tmp_path / "mainspring.toml"
    file.write_text(FILE)
    engine, told = Engine(), Told()
    return file, engine, told, Watcher(load(file), engine, tell=told, poll_s=0.01)


def test_a_watcher_gives_changes_to_the_engine_once(tmp_path: Path) -> None:
    file, engine, told, watcher = watched(tmp_path)
    assert watcher.look() == ()
    file.write_text(FILE.replace("0.3", "0.4").replace("= 5", "= 9"))
    assert {c.key: c.effect for c in watcher.look()} == {
        "parameters.threshold": Effect.NOW,
        "limits.max_position": Effect.REFUSED,
    }
    assert watcher.look() == ()
    assert len(engine.given) == len(told) == 1
    assert watcher.config.parameters == {"threshold": 0.4}
    assert watcher.config.limits.max_position == 5
    watcher.look(reason="more capital")
    assert watcher.config.limits.max_position == 9


def test_a_change_between_reading_and_watching_is_seen(tmp_path: Path) -> None:
    file = tmp_path / "mainspring.toml"
    file.write_text(FILE)
    loaded = load(file)
    file.write_text(FILE.replace("0.3", "0.4"))
    watcher = Watcher(loaded, Engine())
    assert [change.key for change in watcher.look()] == ["parameters.threshold"]


def test_words_of_the_command_line_stay_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "mainspring.toml"
    file.write_text(FILE)
    engine = Engine()
    watcher = Watcher(load(file, words=["parameters.threshold=0.9"]), engine)
    file.write_text(FILE.replace("0.3", "0.4").replace("= 5", "= 4"))
    assert [change.key for change in watcher.look()] == ["limits.max_position"]
    assert watcher.config.parameters == {"threshold": 0.9}


def test_a_file_that_is_wrong_changes_nothing_and_is_told_once(tmp_path: Path) -> None:
    file, engine, told, watcher = watched(tmp_path)
    file.write_text("[run\n")
    watcher.look()
    watcher.look()
    assert len(told) == 1
    assert isinstance(told[0], MainspringError)
    file.unlink()
    watcher.look()
    assert engine.given == []
    file.write_text(FILE.replace("0.3", "0.4"))
    watcher.look()
    assert watcher.config.parameters == {"threshold": 0.4}


def test_the_engine_has_the_last_word(tmp_path: Path) -> None:
    file, engine, _, watcher = watched(tmp_path)
    engine.worse = True
    file.write_text(FILE.replace("0.3", "0.4"))
    (answer,) = watcher.look()
    assert answer.effect is Effect.NEXT_START
    assert watcher.config.parameters == {"threshold": 0.3}


def test_a_watcher_looks_by_itself_and_stops(tmp_path: Path) -> None:
    file, engine, _, watcher = watched(tmp_path)
    came = threading.Event()
    apply = engine.apply

    def told(changes: Sequence[Change], config: Config) -> Sequence[Change]:
        came.set()
        return apply(changes, config)

    engine.apply = told  # type: ignore[method-assign]
    watcher.start()
    file.write_text(FILE.replace("0.3", "0.4"))
    assert came.wait(10)
    watcher.stop()
    assert threading.active_count() == 1 or not any(
        one.name == "config-watcher" for one in threading.enumerate()
    )
