"""`ms.replay`: a stored run again, and the first record in which it differs."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mainspring import _core
from mainspring.backtesting.engine import as_strategies, data_paths, execute
from mainspring.backtesting.inputs import find_inputs
from mainspring.backtesting.records import record_text, time_text
from mainspring.backtesting.run import Run
from mainspring.errors import MismatchError, StrategyError
from mainspring.strategy import native
from mainspring.strategy.base import Strategy
from mainspring.strategy.loading import load_strategy
from mainspring.strategy.native import Native

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Difference:
    """The first output record that two runs do not share.

    Attributes:
        index: of the record, over all kinds.
        time_ns: logical time of the earlier of the two records.
        order_id: the order it is about, None for other records.
        left: the record of the first run, None where that has ended.
        right: the record of the second.
        left_text: `left` in words.
        right_text: `right` in words.
    """

    index: int
    time_ns: int
    order_id: int | None
    left: dict[str, Any] | None
    right: dict[str, Any] | None
    left_text: str
    right_text: str

    def __str__(self) -> str:
        return (
            f"first difference at record {self.index:,}, {time_text(self.time_ns)}:\n"
            f"  one    {self.left_text}\n  other  {self.right_text}"
        )


@dataclass(frozen=True, slots=True)
class Change:
    """An input that two runs do not share.

    Attributes:
        what: ``data``, ``code``, ``parameters``, ``config`` or ``engine``.
        name: which: the file, the strategy, or the setting.
        before: in the first run.
        after: in the second.
    """

    what: str
    name: str
    before: Any
    after: Any

    def __str__(self) -> str:
        return f"{self.what} of {self.name} was {_short(self.before)}, is {_short(self.after)}"


@dataclass(frozen=True, slots=True)
class Replay:
    """A stored run and the same again.

    Attributes:
        stored: the run that was stored.
        again: the run now.
        difference: the first output record that differs, None when the outputs are equal.
        changes: inputs that have changed since; without any, a difference is the strategy's own.
    """

    stored: Run
    again: Run
    difference: Difference | None
    changes: list[Change]

    @property
    def same(self) -> bool:
        """Whether inputs, parameters, code and outputs are the same to the bit."""
        return self.stored.hash == self.again.hash

    def __str__(self) -> str:
        if self.same:
            records = self.stored.facts.records
            return f"the same to the bit: {records:,} records, hash {self.stored.hash[:16]}"
        lines = [f"not the same run: {change}" for change in self.changes]
        if self.difference is None:
            lines.append("all outputs are the same")
            return "\n".join(lines)
        if not self.changes:
            lines.append(
                "data, code, parameters and configuration are the same, the outputs are not: the "
                "strategy is not deterministic (see `mainspring check determinism`)"
            )
        return "\n".join([*lines, str(self.difference)])

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "same": self.same,
            "stored": self.stored.hash,
            "again": self.again.hash,
            "changes": [dataclasses.asdict(one) for one in self.changes],
            "difference": dataclasses.asdict(self.difference) if self.difference else None,
        }


def replay(
    run: Run | str | Path,
    *,
    strategy: Strategy | Native | type[Strategy] | Sequence[Strategy | Native] | None = None,
    data: Any = None,
    verify: bool = True,
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> Replay:
    """Runs a stored run again, with what it was configured with, and compares the outputs.

    Args:
        run: the run or its folder.
        strategy: in place of the class, file and parameters that the run names.
        data: in place of the files that the run names; without it they are read where they were,
            or found in the catalog by content hash where they have moved.
        verify: whether to raise when the run is not the same to the bit.
        out: folder to store the new run in.
        progress: called now and then with (rows, time_ns).

    Raises:
        MismatchError: something differs; the message tells a changed input from a strategy that
            is not deterministic. Its attribute ``replay`` has the result.
        NotFoundError: the run, its data or a strategy's file is not there any more.
        StrategyError: a strategy cannot be loaded again.
    """
    stored = run if isinstance(run, Run) else Run.load(run)
    paths = [one.path for one in find_inputs(stored.data)] if data is None else data_paths(data)
    again = execute(
        as_strategies(strategy) if strategy is not None else _strategies(stored),
        paths,
        stored.facts.config,
        every=None if strategy is not None else _common_interval(stored),
        out=out,
        progress=progress,
        on_error="stop",
    )
    result = Replay(stored, again, first_difference(stored, again), changed_inputs(stored, again))
    if verify and not result.same:
        error = MismatchError(str(result))
        error.replay = result  # type: ignore[attr-defined]
        raise error
    return result


def first_difference(one: Run, other: Run) -> Difference | None:
    """The first output record that two runs do not share, None for equal outputs.

    Raises:
        DataError: a log is damaged.
    """
    if one.facts.log_hash == other.facts.log_hash:
        return None
    found = _core.first_difference(one.log_bytes, other.log_bytes)
    if found is None:
        return None
    index, left, right = found
    sides = [json.loads(side) if side is not None else None for side in (left, right)]
    there = [side for side in sides if side is not None]
    orders = [side["order_id"] for side in there if "order_id" in side]
    return Difference(
        index=index,
        time_ns=min(side["time_ns"] for side in there),
        order_id=orders[0] if orders else None,
        left=sides[0],
        right=sides[1],
        left_text=record_text(sides[0], one),
        right_text=record_text(sides[1], other),
    )


def changed_inputs(one: Run, other: Run) -> list[Change]:
    """The inputs that two runs do not share: data, code, parameters, configuration.

    A change of the engine's version alone is told only where nothing else has changed.
    """
    changes = [
        *_changed_data(one, other),
        *_changed_strategies(one, other),
        *(
            Change("config", name, one.facts.config.get(name), other.facts.config.get(name))
            for name in {**one.facts.config, **other.facts.config}
            if one.facts.config.get(name) != other.facts.config.get(name)
        ),
    ]
    versions = [str(run.facts.engine.get("version")) for run in (one, other)]
    if not changes and versions[0] != versions[1]:
        changes.append(Change("engine", "version", *versions))
    return changes


def _changed_data(one: Run, other: Run) -> list[Change]:
    if len(one.data) != len(other.data):
        return [Change("data", "the run", f"{len(one.data)} files", f"{len(other.data)} files")]
    return [
        Change("data", str(after["path"]), before["hash"], after["hash"])
        for before, after in zip(one.data, other.data, strict=True)
        if before["hash"] != after["hash"]
    ]


def _changed_strategies(one: Run, other: Run) -> list[Change]:
    before, after = one.facts.strategies, other.facts.strategies
    if [facts["name"] for facts in before] != [facts["name"] for facts in after]:
        return [Change("strategies", "the run", one.strategies, other.strategies)]
    return [
        Change(what, old["name"], old.get(what), new.get(what))
        for old, new in zip(before, after, strict=True)
        for what in ("code", "parameters", "trigger")
        if old.get(what) != new.get(what)
    ]


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _strategies(stored: Run) -> list[Strategy | Native]:
    return [strategy_of(facts) for facts in stored.facts.strategies]


def _common_interval(stored: Run) -> int | None:
    """The interval that all strategies were called at: `backtest(every=...)` sets one for all."""
    triggers = {str(facts["trigger"]) for facts in stored.facts.strategies}
    common = triggers.pop() if len(triggers) == 1 else ""
    return int(common.removeprefix("every:")) if common.startswith("every:") else None


def strategy_of(facts: Mapping[str, Any]) -> Strategy | Native:
    """The strategy that a run's facts describe."""
    if facts["kind"] == "native":
        return _native(facts)
    return _python_class(facts)(**facts["parameters"])


def _python_class(facts: Mapping[str, Any]) -> type[Strategy]:
    file, name = facts["file"], facts["class"]
    known = getattr(sys.modules.get(facts["module"]), name, None)
    if isinstance(known, type) and issubclass(known, Strategy):
        place = getattr(sys.modules[facts["module"]], "__file__", None)
        # A script or notebook that replays its own run must not be imported again.
        if file is None or (place is not None and Path(place).resolve() == Path(file).resolve()):
            return known
    if file is None or "." in name:
        raise StrategyError(
            f"strategy {name} was not in a file at its top level: it cannot be loaded again; give "
            "it as strategy="
        )
    found = load_strategy(f"{file}:{name}")
    if not issubclass(found, Strategy):
        raise StrategyError(f"{file}:{name} is not a Python strategy any more")
    return found


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
