"""Runs a stored run again, and finds the first difference between two runs."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mainspring.backtesting.engine import data_paths, execute
from mainspring.backtesting.run import Run
from mainspring.errors import NotFoundError, StrategyError
from mainspring.strategy import native
from mainspring.strategy.base import Strategy
from mainspring.strategy.loading import load_strategy
from mainspring.strategy.native import Native

TABLES = ("fills", "orders", "equity", "positions")

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Difference:
    """Where two runs part.

    Attributes:
        what: ``data``, ``code``, ``config``, or the table (``fills``, ...) that differs first in
            time; ``outputs`` when all tables agree and the logs do not.
        row: the row of the table.
        time_ns: logical time of the row (ns since 1970).
        column: the column, empty where one side has no such row.
        stored: the value in the first run.
        again: the value in the second.
    """

    what: str
    row: int | None = None
    time_ns: int | None = None
    column: str = ""
    stored: Any = None
    again: Any = None

    def __str__(self) -> str:
        if self.row is None or self.time_ns is None:
            return f"different {self.what}: {self.stored} before, {self.again} now"
        at = dt.datetime.fromtimestamp(self.time_ns // 10**9, dt.UTC)
        where = (
            f"{self.what}, row {self.row}, {at:%Y-%m-%d %H:%M:%S}.{self.time_ns % 10**9:09d} UTC"
        )
        if not self.column:
            have = "no such row" if self.again is None else "a row that was not there"
            return f"{where}: {have} now"
        return f"{where}: {self.column} was {self.stored}, is {self.again} now"


def replay(
    stored: Run,
    *,
    data: Any = None,
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> Run:
    """Runs a stored run again with what it was configured with.

    Strategies are loaded from the file and class that the run names, with its parameters; market
    data is read where it was, or from `data`.

    Raises:
        NotFoundError: the data or a strategy's file is not there any more.
        StrategyError: a strategy cannot be loaded again, or failed where it did not before.
    """
    paths = [Path(one["path"]) for one in stored.data] if data is None else data_paths(data)
    for path in paths:
        if not path.exists():
            raise NotFoundError(
                f"{path}, which the run was over, is not there any more; give it anew"
            )
    strategies = [_strategy(facts) for facts in stored.facts.strategies]
    return execute(
        strategies,
        paths,
        stored.facts.config,
        every=_common_interval(stored),
        out=out,
        progress=progress,
        on_error="stop",
    )


def _common_interval(stored: Run) -> int | None:
    """The interval that all strategies were called at: `backtest(every=...)` sets one for all."""
    triggers = {str(facts["trigger"]) for facts in stored.facts.strategies}
    common = triggers.pop() if len(triggers) == 1 else ""
    return int(common.removeprefix("every:")) if common.startswith("every:") else None


def _strategy(facts: Mapping[str, Any]) -> Strategy | Native:
    """The strategy that a run's facts describe."""
    if facts["kind"] == "native":
        return _native(facts)
    file, name = facts["file"], facts["class"]
    if file is None or "<locals>" in name:
        raise StrategyError(
            f"strategy {name} was not in a file at its top level: it cannot be loaded again"
        )
    cls = load_strategy(f"{file}:{name}")
    return cls(**facts["parameters"])


def _native(facts: Mapping[str, Any]) -> Native:
    classes = (one for one in vars(native).values() if isinstance(one, type))
    kinds = {one.kind: one for one in classes if issubclass(one, Native) and one is not Native}
    if facts["name"] not in kinds:
        raise StrategyError(f"there is no native strategy {facts['name']!r} in this version")
    made = kinds[facts["name"]](**facts["parameters"])
    interval = facts["trigger"].removeprefix("every:")
    if interval != facts["trigger"]:
        return dataclasses.replace(made, every=int(interval))
    return dataclasses.replace(made, on=facts["trigger"])


def first_difference(stored: Run, again: Run) -> Difference | None:
    """Where two runs part first, or None when they are the same to the bit."""
    if stored.hash == again.hash:
        return None
    inputs = changed_input(stored, again)
    if stored.facts.log_hash == again.facts.log_hash:
        return inputs
    found = [one for name in TABLES if (one := _table_differs(name, stored, again)) is not None]
    if found:
        return min(found, key=lambda one: one.time_ns or 0)
    return inputs or Difference("outputs", stored=stored.facts.log_hash, again=again.facts.log_hash)


def changed_input(stored: Run, again: Run) -> Difference | None:
    """The first of data, code, parameters and configuration that two runs do not share."""
    sides: Sequence[tuple[str, Callable[[Run], Any]]] = (
        ("data", lambda run: [one["hash"][:12] for one in run.data]),
        ("code", lambda run: [one.get("code", "native")[:12] for one in run.facts.strategies]),
        ("parameters", lambda run: [one["parameters"] for one in run.facts.strategies]),
        ("config", lambda run: run.facts.config),
    )
    for what, of in sides:
        if of(stored) != of(again):
            return Difference(what, stored=of(stored), again=of(again))
    return None


def _table_differs(name: str, stored: Run, again: Run) -> Difference | None:
    """The first row of a table that differs."""
    old, new = getattr(stored, name).to_numpy(), getattr(again, name).to_numpy()
    times, other_times = old["time_ns"], new["time_ns"]
    common = min(len(times), len(other_times))
    rows = {column: _first(old[column][:common], new[column][:common]) for column in old}
    row, column = min((row, column) for column, row in rows.items())
    if row < common:
        time_ns = int(min(times[row], other_times[row]))
        return Difference(name, row, time_ns, column, old[column][row], new[column][row])
    if len(times) == len(other_times):
        return None
    if len(times) > common:
        return Difference(name, common, int(times[common]), stored=common)
    return Difference(name, common, int(other_times[common]), again=common)


def _first(old: NDArray[Any], new: NDArray[Any]) -> int:
    """The first index at which two arrays differ (NaN equals NaN); their length when none does."""
    differs = old != new
    if old.dtype.kind == "f":
        differs &= ~(np.isnan(old) & np.isnan(new))
    return int(np.argmax(differs)) if differs.any() else len(old)
