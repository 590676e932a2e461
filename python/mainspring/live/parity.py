"""A paper session run again as a backtest, and whether it is the same."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mainspring import _core
from mainspring.backtesting.engine import as_strategies, engine_form
from mainspring.backtesting.records import time_text
from mainspring.backtesting.replay import strategy_of
from mainspring.live.rerun import Strategies
from mainspring.strategy.base import Strategy
from mainspring.strategy.native import Native


@dataclass(frozen=True, slots=True)
class ParityDifference:
    """The first place where a session and the backtest of it do not agree.

    Attributes:
        life: Which life of the session, from 1; each restart begins another.
        sequence: The journal record; None where only the backtest has something.
        session: What the session recorded, as kind, time and fields; None where it has nothing.
        backtest: What the backtest comes to there; None where it has nothing.
    """

    life: int
    sequence: int | None
    session: dict[str, Any] | None
    backtest: dict[str, Any] | None

    def __str__(self) -> str:
        where = "" if self.sequence is None else f" at record {self.sequence:,}"
        return (
            f"first difference{where}, life {self.life}:\n"
            f"  session   {_text(self.session)}\n  backtest  {_text(self.backtest)}"
        )


def _text(side: dict[str, Any] | None) -> str:
    if side is None:
        return "nothing"
    return f"{time_text(side['time_ns'])} {side['kind']} {json.dumps(side['fields'])}"


@dataclass(frozen=True, slots=True)
class Parity:
    """What running a paper session again as a backtest found.

    Attributes:
        lives: Lives of the session: one more than it was restarted.
        rows: Market rows.
        decisions: Decisions of strategies that are the same.
        orders: Orders made, cancelled and amended that are the same.
        fills: Fills that are the same.
        feeds: The session's market data as event files, one for each life; empty where they were
            not kept.
        difference: The first difference.
    """

    lives: int
    rows: int
    decisions: int
    orders: int
    fills: int
    feeds: tuple[Path, ...]
    difference: ParityDifference | None

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return self.difference is None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        from dataclasses import asdict

        return {**asdict(self), "feeds": [str(path) for path in self.feeds], "same": self.same}

    def __str__(self) -> str:
        head = (
            f"{self.lives:,} {'life' if self.lives == 1 else 'lives'}, {self.rows:,} market rows; "
            f"the same: {self.decisions:,} decisions, {self.orders:,} order requests, "
            f"{self.fills:,} fills"
        )
        return (
            f"{head}; none different" if self.difference is None else f"{head}\n{self.difference}"
        )


def parity(
    folder: str | Path, strategy: Strategies | None = None, *, out: str | Path | None = None
) -> Parity:
    """Runs a paper session again as a backtest over its market data, up to the first difference.

    The journal's market data becomes event files, and the strategies run over them in the loop of a
    backtest with the session's configuration. What else is taken from the journal is what came from
    outside: starts and the state that a restart found, commands, and when wishes of strategies on
    the worker were taken. Decisions, orders and fills have to be the session's, to the bit and the
    nanosecond.

    Args:
        folder: The session's folder; the session may still be running.
        strategy: In place of the classes, files and parameters that the journal names.
        out: Where the event files are kept; they are not kept without it.

    Raises:
        NotFoundError: The journal's beginning was archived, or there is no session.
        StrategyError: A strategy cannot be loaded again.
        MismatchError: The session's venues were outside, or journal and build do not agree.
    """
    make = _maker(strategy)
    if out is not None:
        return _run(Path(folder), Path(out), make, kept=True)
    with TemporaryDirectory(prefix="mainspring-parity-") as feeds:
        return _run(Path(folder), Path(feeds), make, kept=False)


def _maker(strategy: Strategies | None) -> Any:
    """New strategies for each life, as the engine is given them."""
    given = None if strategy is None else as_strategies(strategy)

    def make(code: str) -> list[tuple[Any, str]]:
        made: list[Strategy | Native]
        if given is None:
            made = [strategy_of(identity) for identity in json.loads(code)["code"]]
        else:
            made = [copy.deepcopy(one) for one in given]
        return [(engine_form(one), one.trigger) for one in made]

    return make


def _run(folder: Path, feeds: Path, make: Any, *, kept: bool) -> Parity:
    found = json.loads(_core.parity_session(folder, feeds, make, Strategy))
    difference = found.pop("difference")
    paths = tuple(Path(path) for path in found.pop("feeds"))
    return Parity(
        **found,
        feeds=paths if kept else (),
        difference=ParityDifference(**difference) if difference else None,
    )
