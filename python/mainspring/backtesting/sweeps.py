"""`ms.sweep`: a strategy over a grid of parameters, on all cores, resumable."""

from __future__ import annotations

import hashlib
import inspect
import itertools
import json
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mainspring.analytics.sweeps import SweepStatistics, Trial, sweep_statistics
from mainspring.backtesting.engine import backtest, data_paths
from mainspring.backtesting.identity import code_hash
from mainspring.errors import CapacityError, ConfigError, DataError, StrategyError
from mainspring.strategy.base import Strategy
from mainspring.strategy.loading import StrategyClass, load_strategy, parameters_of

MAX_TRIALS = 100_000
TRIALS_NAME = "trials.jsonl"

Progress = Callable[[int, int], None]
"""Called with the trials done and all trials."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One trial: its parameters and what came of it. Figures that are undefined are None.

    Attributes:
        parameters: by name.
        hash: of the run; empty when it failed.
        pnl: profit and loss after fees, in the report currency.
        sharpe: per period of `returns`.
        max_drawdown: fraction of the peak, 0 or negative.
        fills: number of fills.
        orders: number of orders.
        returns: period returns of the equity.
        failure: why the strategy stopped, empty when it did not.
    """

    parameters: dict[str, Any]
    hash: str = ""
    pnl: float | None = None
    sharpe: float | None = None
    max_drawdown: float | None = None
    fills: int = 0
    orders: int = 0
    returns: tuple[float, ...] = ()
    failure: str = ""


@dataclass(frozen=True)
class Sweep:
    """All trials of a grid, in its order."""

    outcomes: list[Outcome]

    @cached_property
    def statistics(self) -> SweepStatistics:
        """The best by Sharpe ratio, deflated by the number of trials."""
        return sweep_statistics(
            [Trial(one.parameters, np.array(one.returns)) for one in self.outcomes]
        )

    @property
    def best(self) -> Outcome | None:
        """The outcome of the highest Sharpe ratio, None when no trial has one."""
        index = self.statistics.best_index
        return None if index is None else self.outcomes[index]

    def to_dict(self) -> dict[str, Any]:
        """Plain values: the trials without their returns, and the statistics."""
        trials = [asdict(one) for one in self.outcomes]
        for trial in trials:
            trial.pop("returns")
        return {"trials": trials, "statistics": self.statistics.to_dict()}


@dataclass(frozen=True, slots=True)
class _Work:
    """What a worker needs for any trial; small enough to send."""

    strategy: str | StrategyClass
    paths: tuple[Path, ...]
    settings: dict[str, Any]

    def run(self, parameters: dict[str, Any]) -> Outcome:
        cls = load_strategy(self.strategy) if isinstance(self.strategy, str) else self.strategy
        run = backtest(cls(**parameters), self.paths, on_error="stop", **self.settings)
        summary = run.summary()
        trial = Trial.of(parameters, run)
        return Outcome(
            parameters=parameters,
            hash=run.hash,
            pnl=summary.money.pnl,
            sharpe=None if summary.returns is None else summary.returns.sharpe_per_period,
            max_drawdown=summary.drawdown.max_drawdown,
            fills=int(run.counts["fills"]),
            orders=int(run.counts["orders"]),
            returns=() if trial is None else tuple(map(float, trial.returns)),
            failure=next((why for why in run.failures if why), ""),
        )


def sweep(
    strategy: StrategyClass,
    data: Any,
    grid: Mapping[str, Sequence[Any]],
    *,
    fixed: Mapping[str, Any] | None = None,
    jobs: int | None = None,
    out: str | Path | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> Sweep:
    """Runs a strategy class once for every combination of a grid of parameters.

    Trials run in processes that map the same data. A class that processes cannot load from a file
    (typed at a prompt, or defined inside a function) runs one trial after another in this one.

    Args:
        strategy: a strategy class; its instances are made with each combination.
        data: as for `backtest`.
        grid: values to try, by parameter name.
        fixed: parameters that stay the same.
        jobs: processes at once; the cores there are without it.
        out: folder that finished trials are noted in; a sweep that was stopped goes on there,
            trials of other code, data or settings are not taken over.
        progress: called with the trials done and all trials.
        settings: other arguments of `backtest`, such as ``latency`` or ``every``.

    Raises:
        ConfigError: an unknown parameter, an empty axis, or a value that does not fit.
        CapacityError: more than 100,000 trials.
        DataError: `out` holds something that is no list of trials.
    """
    paths = tuple(data_paths(data))
    trials = list(_trials(strategy, grid, fixed or {}))
    known = _Notes.open(out, _context(strategy, paths, settings))
    work = _Work(_loadable(strategy) or strategy, paths, settings)
    pending = [parameters for parameters in trials if known.find(parameters) is None]
    done = len(trials) - len(pending)
    for outcome in _outcomes(work, pending, jobs or _cores()):
        known.add(outcome)
        done += 1
        if progress is not None:
            progress(done, len(trials))
    found = [known.find(parameters) for parameters in trials]
    return Sweep([one for one in found if one is not None])


def _trials(
    strategy: StrategyClass, grid: Mapping[str, Sequence[Any]], fixed: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    known = parameters_of(strategy)
    for name in (*grid, *fixed):
        if name not in known:
            listed = ", ".join(known) or "none"
            raise ConfigError(f"{strategy.__name__} has no parameter {name!r}; it has {listed}")
    axes = {name: [known[name].convert(v) for v in values] for name, values in grid.items()}
    if empty := [name for name, values in axes.items() if not values]:
        raise ConfigError(f"the grid has no value for {', '.join(empty)}")
    count = int(np.prod([len(values) for values in axes.values()], dtype=np.float64))
    if count > MAX_TRIALS:
        raise CapacityError(f"the grid has {count:,} trials; at most {MAX_TRIALS:,} are run")
    for values in itertools.product(*axes.values()):
        yield {**fixed, **dict(zip(axes, values, strict=True))}


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _loadable(strategy: StrategyClass) -> str | None:
    """How another process can name the class, None when it cannot."""
    if not issubclass(strategy, Strategy):
        return f"native:{strategy.__name__}"
    try:
        file = inspect.getsourcefile(strategy)
    except (OSError, TypeError):
        return None
    if file is None or not Path(file).is_file() or "<locals>" in strategy.__qualname__:
        return None
    return f"{file}:{strategy.__qualname__}"


def _outcomes(work: _Work, pending: list[dict[str, Any]], jobs: int) -> Iterator[Outcome]:
    """Outcomes as they come; a worker that dies ends the sweep with what is known noted."""
    if jobs == 1 or len(pending) < 2 or not isinstance(work.strategy, str):
        yield from map(work.run, pending)
        return
    context = multiprocessing.get_context("spawn")
    size = min(jobs, len(pending))
    pool = ProcessPoolExecutor(size, mp_context=context, initializer=_end_silently_on_interrupt)
    try:
        waiting = {pool.submit(work.run, parameters) for parameters in pending}
        for future in as_completed(waiting):
            yield future.result()
    except BrokenProcessPool as error:
        raise StrategyError(f"a process of the sweep died: {error}") from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _end_silently_on_interrupt() -> None:
    """Ctrl-C reaches the whole group: the parent tells of it, the workers just end."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _context(strategy: StrategyClass, paths: Sequence[Path], settings: Mapping[str, Any]) -> str:
    """Hash over everything but the parameters: noted trials count only under the same."""
    from mainspring.data.dataset import Dataset

    code = code_hash(strategy) if issubclass(strategy, Strategy) else strategy.__name__
    content = [code, Dataset.open(paths).hash, repr(sorted(settings.items()))]
    return hashlib.sha256("\n".join(content).encode()).hexdigest()


class _Notes:
    """The finished trials of a sweep, in memory and in a file of one JSON line each."""

    def __init__(self, file: Path | None, context: str) -> None:
        self.file = file
        self.context = context
        self._found: dict[str, Outcome] = {}

    @classmethod
    def open(cls, folder: str | Path | None, context: str) -> _Notes:
        """The notes in `folder`; lines of another context stay there and do not count."""
        if folder is None:
            return cls(None, context)
        Path(folder).mkdir(parents=True, exist_ok=True)
        notes = cls(Path(folder) / TRIALS_NAME, context)
        notes._read()
        return notes

    def _read(self) -> None:
        if self.file is None or not self.file.exists():
            return
        lines = self.file.read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines, 1):
            try:
                noted = json.loads(line)
                if noted.pop("context") == self.context:
                    outcome = Outcome(**{**noted, "returns": tuple(noted["returns"])})
                    self._found[_key(outcome.parameters)] = outcome
            except (ValueError, TypeError, KeyError) as error:
                if number == len(lines):
                    break  # cut off in the middle of a line: that trial runs again
                raise DataError(f"{self.file}:{number}: not a noted trial: {error}") from None
        if lines and not self.file.read_text(encoding="utf-8").endswith("\n"):
            whole = "\n".join(lines[:-1])
            self.file.write_text(f"{whole}\n" if whole else "", encoding="utf-8")

    def find(self, parameters: Mapping[str, Any]) -> Outcome | None:
        """The noted outcome of these parameters."""
        return self._found.get(_key(parameters))

    def add(self, outcome: Outcome) -> None:
        """Notes an outcome, at once."""
        self._found[_key(outcome.parameters)] = outcome
        if self.file is not None:
            line = json.dumps({"context": self.context, **asdict(outcome)}, default=str)
            with self.file.open("a", encoding="utf-8") as file:
                file.write(line + "\n")


def _key(parameters: Mapping[str, Any]) -> str:
    return json.dumps(parameters, sort_keys=True, default=str)
