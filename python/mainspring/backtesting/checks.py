"""Tests of a strategy: does it always do the same, and does it keep from looking ahead?"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mainspring import _core
from mainspring.backtesting.engine import as_strategies, backtest, data_paths
from mainspring.backtesting.replay import Difference, first_difference
from mainspring.backtesting.run import Run
from mainspring.backtesting.suspects import suspects_of
from mainspring.backtesting.worker import ClassRef, Worker
from mainspring.data.convert import cut
from mainspring.data.dataset import Dataset
from mainspring.errors import InvalidValue, NotFoundError
from mainspring.strategy.base import Strategy
from mainspring.strategy.loading import StrategyClass
from mainspring.strategy.native import Native

HASH_SEEDS = ("0", "1", "4242", "777")
THREADS = ("1", "4", "2", "3")
_THREAD_VARIABLES = (
    "RAYON_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "POLARS_MAX_THREADS",
)

Progress = Callable[[int, int], None]
"""Called with the runs done and all runs."""

Parameters = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DeterminismCheck:
    """What came of `check_determinism`.

    Attributes:
        hashes: of the runs.
        difference: the first record in which a run differs from the first run, None when none does.
        causes: lines of the strategy's source that usually cause this, with their file.
        notes: what could not be varied, and why.
    """

    hashes: list[str]
    difference: Difference | None
    causes: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether all runs are the same to the bit."""
        return len(set(self.hashes)) == 1

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        if self.passed:
            lines = [f"deterministic: {len(self.hashes)} runs, hash {self.hashes[0][:16]}"]
        else:
            causes = _listed("usual causes in its source:", self.causes)
            lines = ["not deterministic", str(self.difference), *causes]
        return "\n".join([*lines, *self.notes])

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"passed": self.passed, **asdict(self)}


@dataclass(frozen=True, slots=True)
class Peek:
    """A decision that changed with the future.

    Attributes:
        variant: ``cut`` (the data ends there) or ``changed`` (it goes on differently).
        cut_ns: the time after which the data was another.
        time_ns: logical time of the decision.
        table: ``orders`` or ``fills``.
        row: its row.
        order_id: the order.
        text: all that in words.
    """

    variant: str
    cut_ns: int
    time_ns: int
    table: str
    row: int
    order_id: int
    text: str


@dataclass(frozen=True, slots=True)
class LookaheadCheck:
    """What came of `check_lookahead`.

    Attributes:
        cuts_ns: where the future was taken away or changed.
        decisions: order changes that were compared.
        peeks: decisions that changed with the future, the first of each cut.
        opened: event files of the run that the strategy opened itself.
        notes: what could not be tested, and why.
    """

    cuts_ns: list[int]
    decisions: int
    peeks: list[Peek]
    opened: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether no decision changed with the future."""
        return not self.peeks

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        if self.passed:
            compared = f"{self.decisions:,} order changes before {len(self.cuts_ns)} cuts"
            lines = [f"no lookahead found: {compared} are the same with another future"]
        else:
            lines = ["looks ahead", *(peek.text for peek in self.peeks)]
        opened = [f"the strategy opened the run's data itself: {path}" for path in self.opened]
        return "\n".join([*lines, *opened, *self.notes])

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"passed": self.passed, **asdict(self)}


def _listed(title: str, items: Sequence[str]) -> list[str]:
    return [title, *(f"  {item}" for item in items)] if items else []


# --- determinism


def check_determinism(
    strategy: Strategy | Native | StrategyClass,
    data: Any,
    *,
    runs: int = 3,
    parameters: Parameters | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> DeterminismCheck:
    """Runs a strategy in fresh processes with other hash seeds and thread counts, and compares.

    Args:
        strategy: a strategy or its class.
        data: as for `backtest`.
        runs: how many runs, 2 or more.
        parameters: of the strategy where a class is given.
        progress: called with the runs done and all runs.
        options: other arguments of `backtest`.

    Raises:
        InvalidValue: fewer than two runs.
        StrategyError: the strategy cannot be run.
    """
    if runs < 2:
        raise InvalidValue(f"{runs} runs; two at least are needed to compare")
    cls, values = _class_and_values(strategy, parameters)
    task = _Task(cls, values, data_paths(data), options)
    with tempfile.TemporaryDirectory(prefix="mainspring-check-") as folder:
        made = []
        for index in range(runs):
            env = {"PYTHONHASHSEED": HASH_SEEDS[index % len(HASH_SEEDS)]}
            env |= dict.fromkeys(_THREAD_VARIABLES, THREADS[index % len(THREADS)])
            made.append(task.run(Path(folder) / str(index), env=env))
            if progress is not None:
                progress(index + 1, runs)
        found = (first_difference(made[0], run) for run in made[1:])
        difference = next((one for one in found if one is not None), None)
    return DeterminismCheck(
        hashes=[run.hash for run in made],
        difference=difference,
        causes=suspects_of(cls) if difference else [],
        notes=task.notes,
    )


# --- lookahead


def check_lookahead(
    strategy: Strategy | Native | StrategyClass,
    data: Any,
    *,
    cuts: int | Sequence[int] = 3,
    perturb: bool = True,
    parameters: Parameters | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> LookaheadCheck:
    """Takes the future away, or changes it, and sees whether the strategy's past changes with it.

    The strategy runs over all of the data, then in processes where the data ends at a cut, and
    where it goes on with other quantities and prices. Whatever opens the run's files through
    Mainspring there, the strategy included, gets those copies. Every order change and every fill
    before the cut must be the same. A strategy that reads the future from elsewhere, such as a
    Parquet copy, is not found by this.

    Args:
        strategy: a strategy or its class.
        data: as for `backtest`.
        cuts: at how many places, evenly spread, or the times (ns since 1970).
        perturb: whether to run with a changed future too.
        parameters: of the strategy where a class is given.
        progress: called with the runs done and all runs.
        options: other arguments of `backtest`.

    Raises:
        InvalidValue: no cut, or one outside the data.
        StrategyError: the strategy cannot be run.
    """
    cls, values = _class_and_values(strategy, parameters)
    paths = data_paths(data)
    task = _Task(cls, values, paths, options)
    variants = ("cut", "changed") if perturb else ("cut",)
    peeks: list[Peek] = []
    decisions = 0
    with tempfile.TemporaryDirectory(prefix="mainspring-check-") as name:
        folder = Path(name)
        whole = task.run(folder / "whole")
        times = _cut_times(cuts, whole.span_ns)
        total, done = 1 + len(times) * len(variants), 1
        for cut_ns in times:
            for variant in variants:
                copies, known_until_ns = _copies(paths, cut_ns, variant, folder)
                part = task.run(folder / f"{variant}-{cut_ns}", replaced=copies)
                until_ns = min(known_until_ns, cut_ns, part.span_ns[1])
                decisions += int((whole.orders["time_ns"] < until_ns).sum())
                peeks += _peeks(whole, part, variant, cut_ns, until_ns)
                done += 1
                if progress is not None:
                    progress(done, total)
    return LookaheadCheck(
        cuts_ns=times,
        decisions=decisions // len(variants),
        peeks=peeks,
        opened=sorted(task.opened),
        notes=task.notes,
    )


def _cut_times(cuts: int | Sequence[int], span_ns: tuple[int, int]) -> list[int]:
    first, last = span_ns
    if isinstance(cuts, int):
        times = [first + (last - first) * (i + 1) // (cuts + 1) for i in range(cuts)]
    else:
        times = sorted(cuts)
    if not times or times[0] <= first or times[-1] >= last:
        raise InvalidValue(f"cuts {cuts}: give one or more, inside the run's {first} to {last}")
    return times


def _copies(
    paths: Sequence[Path], cut_ns: int, variant: str, folder: Path
) -> tuple[dict[str, str], int]:
    """Copies of the files with another future, and the time before which nothing may differ.

    A row that is received after the cut may have happened at the venue before it: the venue's
    answers may differ from there on.
    """
    copies = {}
    known_until_ns = cut_ns
    for index, path in enumerate(paths):
        copy = folder / f"{variant}-{cut_ns}-{index}.mse"
        part = Dataset.open(path)
        if variant == "cut":
            cut(part, cut_ns, copy)
        else:
            _change_future(part, cut_ns, copy)
        copies[str(path.resolve())] = str(copy)
        after = part.read(start=cut_ns).to_numpy()
        if "exch_ns" in after and len(after["exch_ns"]):
            known_until_ns = min(known_until_ns, int(after["exch_ns"].min()))
    return copies, known_until_ns


CHANGED_QTY_FACTOR = 3
CHANGED_PRICE_TICKS = 50
_SCALED = {"qty_lots", "volume_lots"}
_SHIFTED = {"price_ticks", "open_ticks", "high_ticks", "low_ticks", "close_ticks"}


def _change_future(data: Dataset, cut_ns: int, out: Path) -> None:
    """A copy whose quantities are others from the cut on, and whose prices are lower."""
    columns = {
        name: values.copy()
        for name, values in data.read().to_numpy().items()
        if f"{name}_ticks" not in _SHIFTED and f"{name}_lots" not in _SCALED
    }
    after = columns["recv_ns"] >= cut_ns
    changed = after & _holds_quantity(columns)
    for name in _SCALED & columns.keys():
        columns[name][changed] *= CHANGED_QTY_FACTOR
    for name in _SHIFTED & columns.keys():
        columns[name][changed] -= CHANGED_PRICE_TICKS
    table = _core.Table(columns, "table")
    file = data.files[0]
    _core.write_event_file(
        out, data.schema, file.instruments, file.provenance, table, off_grid="round"
    )


def _holds_quantity(columns: Mapping[str, NDArray[Any]]) -> NDArray[np.bool_]:
    """Rows whose quantity is one: levels, trades, best prices, bars."""
    kinds = columns.get("kind")
    return np.ones(len(columns["recv_ns"]), bool) if kinds is None else np.isin(kinds, (1, 2, 3))


def _peeks(whole: Run, part: Run, variant: str, cut_ns: int, until_ns: int) -> list[Peek]:
    """The first row before `until_ns` of orders and of fills that the future has changed."""
    found = []
    for name in ("orders", "fills"):
        sides = []
        for run in (whole, part):
            columns = getattr(run, name).to_numpy()
            kept = columns["time_ns"] < until_ns
            sides.append({column: values[kept] for column, values in columns.items()})
        row = _first_unequal(*sides)
        if row is None:
            continue
        there = [side for side in sides if row < len(side["time_ns"])]
        time_ns = min(int(side["time_ns"][row]) for side in there)
        order_id = int(there[0]["order_id"][row])
        future = "the data ended" if variant == "cut" else "the future was another"
        text = (
            f"order {order_id} ({name} row {row}) at {time_ns} ns is another when {future} from "
            f"{cut_ns} ns on, {(cut_ns - time_ns) / 1e9:.3f} s later"
        )
        found.append(Peek(variant, cut_ns, time_ns, name, row, order_id, text))
    return found[:1]


def _first_unequal(one: Mapping[str, Any], other: Mapping[str, Any]) -> int | None:
    lengths = len(one["time_ns"]), len(other["time_ns"])
    common = min(lengths)
    differs = np.zeros(common, dtype=bool)
    for column, values in one.items():
        left, right = values[:common], other[column][:common]
        both_nan = (left != left) & (right != right)  # noqa: PLR0124 - NaN alone differs from itself
        differs |= (left != right) & ~both_nan
    if differs.any():
        return int(np.argmax(differs))
    return common if lengths[0] != lengths[1] else None


# --- runs in other processes


def _class_and_values(
    strategy: Strategy | Native | StrategyClass, parameters: Parameters | None
) -> tuple[StrategyClass, dict[str, Any]]:
    if isinstance(strategy, type):
        return strategy, dict(parameters or {})
    if parameters:
        raise InvalidValue("parameters belong to a class; this strategy has its own already")
    (one,) = as_strategies(strategy)
    values = dict(one.parameter_values)
    if isinstance(one, Native):
        values |= {"every": one.every, "on": one.on}
    return type(one), values


class _Task:
    """A backtest to run several times, in processes where the class can be found there."""

    def __init__(
        self, cls: StrategyClass, values: Parameters, paths: Sequence[Path], options: Parameters
    ) -> None:
        self.cls, self.values, self.paths = cls, dict(values), list(paths)
        self.options = {**options, "on_error": "stop"}
        self.notes: list[str] = []
        self.opened: set[str] = set()
        self._ref: ClassRef | None = None
        try:
            self._ref = ClassRef.of(cls)
        except NotFoundError as reason:
            self.notes.append(
                f"{reason}: it ran in this process, so hash seeds were not varied and files that "
                "it opens were not replaced; put it into a file for the whole check"
            )

    def run(
        self,
        out: Path,
        *,
        env: Mapping[str, str] | None = None,
        replaced: Mapping[str, str] | None = None,
    ) -> Run:
        replaced = replaced or {}
        paths = [Path(replaced.get(str(path.resolve()), path)) for path in self.paths]
        if self._ref is None:
            return backtest(self.cls(**self.values), paths, out=out, **self.options)
        with Worker(env) as worker:
            self.opened |= worker.call(
                "mainspring.backtesting.checks:run_watched",
                ref=self._ref, values=self.values, paths=paths, out=out, replaced=dict(replaced),
                watched=[str(path.resolve()) for path in self.paths], options=self.options,
            )  # fmt: skip
        return Run.load(out)


def run_watched(
    *,
    ref: ClassRef,
    values: dict[str, Any],
    paths: list[Path],
    out: Path,
    replaced: dict[str, str],
    watched: list[str],
    options: dict[str, Any],
) -> set[str]:
    """In a worker: a stored run; returns which of `watched` were opened through Mainspring.

    The run itself opens its files in the kernel and does not count.
    """
    opened: set[str] = set()
    original = _core.EventFile

    def open_other(path: Any) -> Any:
        asked = str(Path(path).resolve())
        if asked in watched:
            opened.add(asked)
        return original(Path(replaced.get(asked, path)))

    setattr(_core, "EventFile", open_other)  # noqa: B010 - the stub rightly forbids it
    backtest(ref.load()(**values), paths, out=out, **options)
    return opened
