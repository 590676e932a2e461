"""A session's strategies again over its journal, and what they decide differently."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mainspring import _core, journal
from mainspring.backtesting.engine import as_strategies, engine_form
from mainspring.backtesting.records import time_text
from mainspring.backtesting.replay import strategy_of
from mainspring.errors import MismatchError
from mainspring.strategy.base import Strategy
from mainspring.strategy.native import LossHedge, Native


@dataclass(frozen=True, slots=True)
class WishDifference:
    """A place where a strategy asks for something else than is recorded.

    Attributes:
        strategy: index of the strategy.
        input: sequence of the journal record that it saw.
        time_ns: logical time.
        recorded: what the journal has; None when it has nothing there.
        again: what the strategy asks for now; None when it asks for nothing there.
    """

    strategy: int
    input: int
    time_ns: int
    recorded: dict[str, Any] | None
    again: dict[str, Any] | None

    def __str__(self) -> str:
        return (
            f"first difference at record {self.input:,}, {time_text(self.time_ns)}, "
            f"strategy {self.strategy}:\n"
            f"  recorded  {_text(self.recorded)}\n  again     {_text(self.again)}"
        )


def _text(wishes: dict[str, Any] | None) -> str:
    return "nothing" if wishes is None else json.dumps(wishes)


@dataclass(frozen=True, slots=True)
class Rerun:
    """What a rerun found.

    Attributes:
        records: journal records followed.
        same: wishes that are the same to the bit.
        different: wishes that are not, or that only one side has.
        difference: the first of them.
    """

    records: int
    same: int
    different: int
    difference: WishDifference | None

    def __str__(self) -> str:
        head = f"{self.records:,} records, {self.same:,} decisions the same"
        if self.difference is None:
            return f"{head}, none different"
        return f"{head}, {self.different:,} different\n{self.difference}"


Strategies = Strategy | Native | type[Strategy] | Sequence[Strategy | Native]


def verify(
    folder: str | Path,
    strategy: Strategies | None = None,
    *,
    replacements: Mapping[int, Strategy] | None = None,
) -> Rerun:
    """Runs a session's strategies again over its journal, up to the first difference.

    The market, the venue's answers and time are those of the journal: the same code with the same
    parameters has to ask for the same, to the bit.

    Args:
        folder: the session's folder; the session may still be running.
        strategy: in place of the classes, files and parameters that the journal names.
        replacements: in place of the versions that the journal names, by their number: where the
            session replaced a strategy while it ran.

    Raises:
        NotFoundError: the journal's beginning was archived, or there is no session.
        StrategyError: a strategy cannot be loaded again.
        MismatchError: journal and build do not agree, or the journal does not tell the code of its
            strategies and none are given.
    """
    return _rerun(folder, strategy, replacements or {}, to_the_end=False)


def shadow(folder: str | Path, strategy: Strategies) -> Rerun:
    """Runs other strategies, or another version, over a session's journal, and counts decisions.

    They see what the session's own saw: market, orders, fills, positions. What they ask for goes
    nowhere. Each stands in for the session's strategy of the same place.

    Raises:
        NotFoundError: the journal's beginning was archived, or there is no session.
        MismatchError: there are not as many strategies as in the session.
    """
    return _rerun(folder, strategy, {}, to_the_end=True)


def _rerun(
    folder: str | Path,
    strategy: Strategies | None,
    replacements: Mapping[int, Strategy],
    *,
    to_the_end: bool,
) -> Rerun:
    code = journal.open(folder).first_sources.code
    identities = code.get("code", [])
    if strategy is None:
        if len(identities) < len(code.get("strategies", [])):
            raise MismatchError(
                f"{folder}: the journal names its strategies and not their code, so that nothing "
                "can be run again; give the strategies"
            )
        strategies = [strategy_of(identity) for identity in identities]
    else:
        strategies = [*as_strategies(strategy)]
        # Behind those of the session are the engine's own, which nobody but the engine names.
        behind = identities[len(strategies) :]
        if all(identity["name"] == LossHedge.kind for identity in behind):
            strategies += [strategy_of(identity) for identity in behind]

    def remake(index: int, version: int, code: str) -> tuple[Any, str] | None:
        if version in replacements:
            return _named(replacements[version], strategies[index].name)
        if strategy is not None:
            return None
        return _named(strategy_of(json.loads(code)), strategies[index].name)

    forms = [(engine_form(one), one.trigger) for one in strategies]
    found = json.loads(_core.rerun_session(Path(folder), forms, Strategy, to_the_end, remake))
    difference = found.pop("difference")
    return Rerun(**found, difference=WishDifference(**difference) if difference else None)


def _named(one: Strategy | Native, name: str) -> tuple[Any, str]:
    if isinstance(one, Strategy):
        one.name = name
    return engine_form(one), one.trigger
