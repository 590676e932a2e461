"""`ms.sweep`: a strategy over a grid of parameters, on all cores, resumable."""

from __future__ import annotations

import itertools
import math
import os
import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mainspring import _core
from mainspring.analytics.sweeps import SweepStatistics, Trial, sweep_statistics
from mainspring.backtesting.engine import backtest, data_paths
from mainspring.backtesting.sweep_notes import SweepNotes, context_of
from mainspring.backtesting.worker import ClassRef, Worker, WorkerDied
from mainspring.errors import (
    CapacityError,
    ConfigError,
    Interrupted,
    InvalidValue,
    MainspringError,
    NotFoundError,
)
from mainspring.strategy.base import Strategy
from mainspring.strategy.loading import StrategyClass, parameters_of

if TYPE_CHECKING:
    from mainspring._core import Table
    from mainspring.backtesting.run import Run

MAX_TRIALS = 100_000

Progress = Callable[[int, int], None]
"""Called with the trials done and all trials."""

Metric = str | Callable[["Run"], float | None]
Grid = Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Any]]

FIGURES = (
    "sharpe", "sortino", "total_return", "pnl", "fees", "max_drawdown", "volatility",
    "fills", "orders", "traded",
)  # fmt: skip
"""What is kept of a trial; ``sharpe``, ``sortino``, ``volatility`` are per period, not annual."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One trial: its parameters and what came of it. Figures that are undefined are None.

    Attributes:
        parameters: by name.
        hash: of the run; empty when it failed before it began.
        metric: what the sweep ranks by.
        figures: by name, see `FIGURES`; money in the report currency.
        returns: period returns of the equity.
        failure: why the trial failed, empty when it did not.
    """

    parameters: dict[str, Any]
    hash: str = ""
    metric: float | None = None
    figures: dict[str, float | None] = field(default_factory=dict)
    returns: tuple[float, ...] = ()
    failure: str = ""

    @property
    def sharpe(self) -> float | None:
        """Sharpe ratio per period of `returns`."""
        return self.figures.get("sharpe")

    @property
    def pnl(self) -> float | None:
        """Profit and loss after fees."""
        return self.figures.get("pnl")

    @property
    def max_drawdown(self) -> float | None:
        """Fraction of the peak, 0 or negative."""
        return self.figures.get("max_drawdown")

    @property
    def fills(self) -> int:
        """Number of fills."""
        return int(self.figures.get("fills") or 0)

    @property
    def orders(self) -> int:
        """Number of orders."""
        return int(self.figures.get("orders") or 0)


@dataclass(frozen=True)
class Sweep:
    """All trials of a sweep, in the order of the grid whatever the number of workers.

    Attributes:
        outcomes: the trials.
        metric: the name of what they are ranked by.
        notes: what the sweep has to say of how it ran.
        work: what runs a trial again.
    """

    outcomes: list[Outcome]
    metric: str
    work: _Work
    notes: list[str] = field(default_factory=list)

    @property
    def best(self) -> Outcome | None:
        """The trial of the highest metric; None when it is undefined for all."""
        index = self.best_index
        return None if index is None else self.outcomes[index]

    @property
    def best_index(self) -> int | None:
        """The index of `best`; the first of equals."""
        first = next(iter(self.ranked), None)
        return None if first is None or self._rank(first) == -math.inf else first

    @property
    def ranked(self) -> list[int]:
        """Indices of all trials, the best first; failed ones and those without a metric last."""
        return sorted(range(len(self.outcomes)), key=lambda i: (-self._rank(i), i))

    def _rank(self, index: int) -> float:
        one = self.outcomes[index]
        # What a strategy did until it failed is no result to be ranked beside whole runs.
        return -math.inf if one.failure or one.metric is None else one.metric

    @cached_property
    def statistics(self) -> SweepStatistics:
        """The best by Sharpe ratio, deflated by the number of trials that were tried for it."""
        return sweep_statistics(
            [
                Trial(one.parameters, np.array(() if one.failure else one.returns))
                for one in self.outcomes
            ]
        )

    @property
    def failures(self) -> list[Outcome]:
        """The trials that failed."""
        return [one for one in self.outcomes if one.failure]

    @cached_property
    def table(self) -> Table:
        """One row a trial: parameters, metric, figures (NaN where undefined), ``failure``."""
        names = list(dict.fromkeys(name for one in self.outcomes for name in one.parameters))
        columns = {n: _column([one.parameters.get(n) for one in self.outcomes]) for n in names}
        columns["metric"] = _floats(one.metric for one in self.outcomes)
        for name in FIGURES:
            column = name if name not in columns else f"figure_{name}"
            columns[column] = _floats(one.figures.get(name) for one in self.outcomes)
        columns["failure"] = [one.failure for one in self.outcomes]
        return _core.Table(columns, "sweep")

    def runs(self, index: int) -> Run:
        """Runs trial `index` again and returns the whole run, tables and report included.

        Raises:
            IndexError: there is no such trial.
        """
        return self.work.backtest(self.outcomes[index].parameters)

    def to_dict(self) -> dict[str, Any]:
        """Plain values: the trials without their returns, and the statistics."""
        trials = []
        for one in self.outcomes:
            trial = asdict(one)
            del trial["returns"]
            trials.append({**trial, **trial.pop("figures")})
        return {
            "metric": self.metric,
            "best": self.best_index,
            "trials": trials,
            "statistics": self.statistics.to_dict(),
            "notes": self.notes,
        }

    def to_text(self, rows: int = 10) -> str:
        """The best trials as a table, and how much of the best is luck."""
        lines = [f"{len(self.outcomes)} trials by {self.metric}", *_text_table(self, rows)]
        if self.failures:
            first = self.failures[0]
            lines.append(
                f"{len(self.failures)} failed, such as {first.parameters}: {first.failure}"
            )
        return "\n".join([*lines, "", self.statistics.to_text(), *self.notes])

    def __str__(self) -> str:
        return self.to_text()

    def __repr__(self) -> str:
        return f"<Sweep of {len(self.outcomes)} trials, {len(self.failures)} failed>"


def _floats(values: Iterator[float | None] | Any) -> Any:
    return np.array([math.nan if value is None else value for value in values], dtype=np.float64)


def _column(values: list[Any]) -> Any:
    """A column of one type: numbers or flags where all are, else text."""
    if all(isinstance(value, bool) for value in values):
        return np.array(values, dtype=bool)
    if all(isinstance(value, int) and not isinstance(value, bool) for value in values):
        return np.array(values, dtype=np.int64)
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return np.array(values, dtype=np.float64)
    return ["" if value is None else str(value) for value in values]


def _text_table(sweep: Sweep, rows: int) -> list[str]:
    shown = sweep.ranked[:rows]
    varying = [
        name
        for name in (sweep.outcomes[0].parameters if sweep.outcomes else {})
        if len({str(one.parameters.get(name)) for one in sweep.outcomes}) > 1
    ]
    head = ["", *varying, *dict.fromkeys((sweep.metric, "pnl", "max_drawdown", "fills"))]
    body = [[str(i), *_cells(sweep, i, varying, head[1 + len(varying) :])] for i in shown]
    widths = [max(len(row[c]) for row in [head, *body]) for c in range(len(head))]
    lines = [
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in [head, *body]
    ]
    hidden = len(sweep.outcomes) - len(shown)
    return [*lines, f"... and {hidden:,} more"] if hidden else lines


def _cells(sweep: Sweep, index: int, varying: list[str], figures: list[str]) -> Iterator[str]:
    one = sweep.outcomes[index]
    for name in varying:
        yield str(one.parameters.get(name))
    for name in figures:
        value = one.metric if name == sweep.metric else one.figures.get(name)
        yield "-" if value is None else f"{value:,.0f}" if name == "fills" else f"{value:,.4g}"


@dataclass(frozen=True, slots=True)
class _Work:
    """What runs any trial; small enough to send to a process."""

    strategy: StrategyClass | ClassRef
    paths: tuple[Path, ...]
    options: dict[str, Any]
    metric: Metric

    def backtest(self, parameters: Mapping[str, Any], progress: Any = None) -> Run:
        cls = self.strategy.load() if isinstance(self.strategy, ClassRef) else self.strategy
        arguments: dict[str, Any] = {"on_error": "stop", **self.options, "progress": progress}
        return backtest(cls(**parameters), self.paths, **arguments)

    def trial(self, parameters: dict[str, Any], progress: Any = None) -> Outcome:
        """Runs one trial; whatever goes wrong with it alone is its failure."""
        try:
            return self._outcome(parameters, self.backtest(parameters, progress))
        except (Interrupted, KeyboardInterrupt):
            raise
        except MainspringError as error:
            return Outcome(parameters, failure=str(error))
        except Exception as error:
            return Outcome(parameters, failure=f"{type(error).__name__}: {error}")

    def _outcome(self, parameters: dict[str, Any], run: Run) -> Outcome:
        # Markouts are no figure of a trial, so its data need not be gone through once more.
        run.__dict__["mids"] = None
        summary, trial = run.summary(), Trial.of(parameters, run)
        returns = summary.returns
        figures: dict[str, float | None] = {
            "sharpe": None if returns is None else returns.sharpe_per_period,
            "sortino": None if returns is None else returns.sortino_per_period,
            "total_return": None if returns is None else returns.total_return,
            "volatility": None if returns is None else returns.volatility_per_period,
            "pnl": summary.money.pnl,
            "fees": summary.money.fees,
            "max_drawdown": summary.drawdown.max_drawdown,
            "fills": float(run.counts["fills"]),
            "orders": float(run.counts["orders"]),
            "traded": float(np.sum(run.fills["price"] * run.fills["qty"])),
        }
        metric = figures[self.metric] if isinstance(self.metric, str) else self.metric(run)
        return Outcome(
            parameters=parameters,
            hash=run.hash,
            metric=_finite(metric),
            figures={name: _finite(value) for name, value in figures.items()},
            returns=() if trial is None else tuple(map(float, trial.returns)),
            failure=next((why for why in run.failures if why), ""),
        )


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def run_trial(*, work: _Work, parameters: dict[str, Any]) -> Outcome:
    """In a worker: one trial."""
    return work.trial(parameters)


def sweep(
    strategy: StrategyClass,
    data: Any,
    grid: Grid,
    *,
    fixed: Mapping[str, Any] | None = None,
    workers: int | None = None,
    out: str | Path | None = None,
    resume: bool = True,
    metric: Metric = "sharpe",
    progress: Progress | None = None,
    **options: Any,
) -> Sweep:
    """Runs a strategy class once for every combination of a grid of parameters.

    Python strategies run in processes that map the same data, native ones in threads. A class that
    processes cannot load (from a notebook, the main script, or inside a function) runs one trial
    after another in this one, and `Sweep.notes` says so. Each trial is dropped once its figures are
    known, so memory does not grow with the grid.

    A trial that fails is an outcome with its `failure`; the others go on. Ctrl-C stops cleanly and
    keeps what is done: with `out`, the same call goes on there.

    Args:
        strategy: a strategy class; an instance is made for each combination.
        data: as for `backtest`.
        grid: values to try by parameter name, or a list of whole combinations.
        fixed: parameters that stay the same.
        workers: trials at once; the cores there are without it.
        out: folder that finished trials are noted in, one JSON line each.
        resume: whether trials noted in `out` for the same code, data and options are taken over.
        metric: what to rank by: a name of `FIGURES`, or a function of the run.
        progress: called with the trials done and all trials.
        options: other arguments of `backtest`, such as ``latency`` or ``every``.

    Raises:
        ConfigError: an unknown parameter, an empty axis, or a value that does not fit.
        InvalidValue: no metric of that name, or no worker.
        CapacityError: more than 100,000 trials.
        DataError: `out` holds something that is no list of trials.
        Interrupted: Ctrl-C; its attribute ``sweep`` has the trials that are done.
    """
    _check(metric, workers, options)
    paths = tuple(data_paths(data))
    trials = _trials(strategy, grid, fixed or {})
    name = metric if isinstance(metric, str) else getattr(metric, "__name__", "metric")
    context = context_of(strategy, paths, options, metric)
    noted = SweepNotes.open(out, context, resume=resume)
    pending = [i for i, one in enumerate(trials) if noted.find(one) is None]
    work = _Work(strategy, paths, options, metric)
    crew, notes = _crew(work, min(workers or _cores(), max(len(pending), 1)))
    done = len(trials) - len(pending)
    try:
        for outcome in crew.outcomes([trials[i] for i in pending]):
            noted.add(outcome)
            done += 1
            if progress is not None:
                progress(done, len(trials))
    except (KeyboardInterrupt, Interrupted) as error:
        stopped = Interrupted(f"the sweep was interrupted after {done} of {len(trials)} trials")
        stopped.sweep = _collected(trials, noted, name, work, notes)  # type: ignore[attr-defined]
        raise stopped from error
    return _collected(trials, noted, name, work, notes)


def _collected(
    trials: list[dict[str, Any]], noted: SweepNotes, name: str, work: _Work, notes: list[str]
) -> Sweep:
    found = ((parameters, noted.find(parameters)) for parameters in trials)
    # Noted parameters are JSON; those of the grid have their types.
    outcomes = [replace(one, parameters=parameters) for parameters, one in found if one]
    return Sweep(outcomes, name, work, notes)


def _check(metric: Metric, workers: int | None, options: Mapping[str, Any]) -> None:
    if isinstance(metric, str) and metric not in FIGURES:
        raise InvalidValue(f"there is no metric {metric!r}; there are {', '.join(FIGURES)}")
    if workers is not None and workers < 1:
        raise InvalidValue(f"{workers} workers; one at least is needed")
    if "out" in options or "on_error" in options:
        raise InvalidValue("on_error is no option of a sweep: trials never stop each other")


def _trials(strategy: StrategyClass, grid: Grid, fixed: Mapping[str, Any]) -> list[dict[str, Any]]:
    known = parameters_of(strategy)

    def checked(values: Mapping[str, Any]) -> dict[str, Any]:
        for name in values:
            if name not in known:
                listed = ", ".join(known) or "none"
                raise ConfigError(f"{strategy.__name__} has no parameter {name!r}; it has {listed}")
        return {name: known[name].convert(value) for name, value in values.items()}

    always = checked(fixed)
    if not isinstance(grid, Mapping):
        found = [{**always, **checked(one)} for one in grid]
        if not found:
            raise ConfigError("the grid has no trial")
        return _unique(found)
    if empty := [name for name, values in grid.items() if not len(values)]:
        raise ConfigError(f"the grid has no value for {', '.join(empty)}")
    count = math.prod(len(values) for values in grid.values())
    if count > MAX_TRIALS:
        raise CapacityError(f"the grid has {count:,} trials; at most {MAX_TRIALS:,} are run")
    combinations = itertools.product(*grid.values())
    return _unique(
        [{**always, **checked(dict(zip(grid, values, strict=True)))} for values in combinations]
    )


def _unique(trials: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Equal combinations once: they would count as several trials in the statistics."""
    if len(trials) > MAX_TRIALS:
        raise CapacityError(f"{len(trials):,} trials; at most {MAX_TRIALS:,} are run")
    return list({SweepNotes.key(one): one for one in trials}.values())


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _crew(work: _Work, size: int) -> tuple[_Crew, list[str]]:
    if not issubclass(work.strategy, Strategy):  # type: ignore[arg-type]
        return _Crew(work, size, processes=False), []
    if size == 1:
        return _Crew(work, 1, processes=False), []
    try:
        if callable(work.metric):
            _picklable(work.metric)
        ref = ClassRef.of(work.strategy)  # type: ignore[arg-type]
    except NotFoundError as reason:
        note = f"one trial after another, as other processes cannot load the strategy: {reason}"
        return _Crew(work, 1, processes=False), [note]
    return _Crew(_Work(ref, work.paths, work.options, work.metric), size, processes=True), []


def _picklable(metric: Callable[..., Any]) -> None:
    name = getattr(metric, "__qualname__", repr(metric))
    if "<" in name or getattr(metric, "__module__", "__main__") == "__main__":
        raise NotFoundError(f"the metric {name} is in no module")


class _Crew:
    """Threads that each take the next trial; with `processes`, each has a process to run it in."""

    def __init__(self, work: _Work, size: int, *, processes: bool) -> None:
        self.work, self.size, self.processes = work, size, processes
        self._stop = threading.Event()
        self._workers: set[Worker] = set()
        self._lock = threading.Lock()

    def outcomes(self, trials: list[dict[str, Any]]) -> Iterator[Outcome]:
        """The outcomes as they come."""
        if self.size == 1 and not self.processes:
            yield from map(self.work.trial, trials)
            return
        waiting: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        for parameters in trials:
            waiting.put(parameters)
        ready: queue.Queue[Outcome | BaseException] = queue.Queue()
        threads = [
            threading.Thread(target=self._member, args=(waiting, ready), daemon=True)
            for _ in range(self.size)
        ]
        for thread in threads:
            thread.start()
        try:
            for _ in trials:
                got = ready.get()
                if isinstance(got, BaseException):
                    raise got
                yield got
        finally:
            self._end(threads)

    def _end(self, threads: list[threading.Thread]) -> None:
        """Stops what still runs; after the last trial nothing does."""
        self._stop.set()
        with self._lock:
            for worker in self._workers:
                worker.kill()
        for thread in threads:
            thread.join()

    def _member(
        self,
        waiting: queue.SimpleQueue[dict[str, Any]],
        ready: queue.Queue[Outcome | BaseException],
    ) -> None:
        worker: Worker | None = None
        try:
            while not self._stop.is_set() and not waiting.empty():
                try:
                    parameters = waiting.get_nowait()
                except queue.Empty:
                    break
                if not self.processes:
                    ready.put(self.work.trial(parameters, self._watch))
                    continue
                worker = worker or self._hire()
                try:
                    ready.put(
                        worker.call(
                            "mainspring.backtesting.sweep:run_trial",
                            work=self.work,
                            parameters=parameters,
                        )
                    )
                except WorkerDied as error:
                    if not self._stop.is_set():
                        ready.put(Outcome(parameters, failure=str(error)))
                    self._dismiss(worker)
                    worker = None
        except BaseException as error:
            ready.put(error)
        finally:
            if worker is not None:
                self._dismiss(worker)

    def _watch(self, _rows: int, _time_ns: int) -> None:
        if self._stop.is_set():
            raise Interrupted("the sweep was interrupted")

    def _hire(self) -> Worker:
        worker = Worker()
        with self._lock:
            self._workers.add(worker)
            if self._stop.is_set():
                worker.kill()
        return worker

    def _dismiss(self, worker: Worker) -> None:
        worker.close()
        with self._lock:
            self._workers.discard(worker)
