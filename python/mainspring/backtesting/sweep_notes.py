"""Finished trials of a sweep: in memory, and in a file of one JSON line each."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from mainspring.backtesting.identity import code_hash
from mainspring.backtesting.inputs import content_hash
from mainspring.errors import DataError, StorageError
from mainspring.strategy.base import Strategy
from mainspring.strategy.loading import StrategyClass

if TYPE_CHECKING:
    from mainspring.backtesting.sweep import Outcome

FILE_NAME = "trials.jsonl"


def context_of(
    strategy: StrategyClass,
    paths: Sequence[Path],
    options: Mapping[str, Any],
    metric: str | Callable[..., Any],
) -> str:
    """Hash over everything but the parameters: noted trials count only under the same."""
    from mainspring import __version__

    code = code_hash(strategy) if issubclass(strategy, Strategy) else strategy.__name__
    ranked = metric if isinstance(metric, str) else _source(metric)
    settings = repr(sorted((k, v) for k, v in options.items() if k != "progress"))
    content = [__version__, code, *map(content_hash, paths), settings, ranked]
    return hashlib.sha256("\n".join(content).encode()).hexdigest()


def _source(function: Callable[..., Any]) -> str:
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):
        return repr(function)


class SweepNotes:
    """The finished trials of one context; lines of others stay in the file and do not count."""

    def __init__(self, file: Path | None, context: str) -> None:
        self.file = file
        self.context = context
        self._found: dict[str, Outcome] = {}

    @classmethod
    def open(cls, folder: str | Path | None, context: str, *, resume: bool) -> Self:
        """The notes in `folder`, which is made; a last line that was cut off is dropped.

        Raises:
            StorageError: the folder cannot be written to.
            DataError: a line is no noted trial.
        """
        if folder is None:
            return cls(None, context)
        notes = cls(Path(folder) / FILE_NAME, context)
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
            notes._read(resume=resume)
        except OSError as error:
            raise StorageError(f"{folder}: cannot note trials: {error.strerror}") from None
        return notes

    def _read(self, *, resume: bool) -> None:
        if self.file is None or not self.file.exists():
            return
        content = self.file.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            with self.file.open("r+b") as file:
                file.truncate(len(whole))
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                self._take(json.loads(line), resume=resume)
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise DataError(f"{self.file}:{number}: not a noted trial: {error}") from None

    def _take(self, noted: dict[str, Any], *, resume: bool) -> None:
        from mainspring.backtesting.sweep import Outcome

        same = noted.pop("context") == self.context
        key = noted.pop("key")
        outcome = Outcome(**{**noted, "returns": tuple(noted["returns"])})
        if same and resume:
            self._found[key] = outcome

    @staticmethod
    def key(parameters: Mapping[str, Any]) -> str:
        """What tells combinations of parameters apart."""
        return json.dumps(parameters, sort_keys=True, default=str)

    def find(self, parameters: Mapping[str, Any]) -> Outcome | None:
        """The noted outcome of these parameters."""
        return self._found.get(self.key(parameters))

    def add(self, outcome: Outcome) -> None:
        """Notes an outcome, at once.

        Raises:
            StorageError: it cannot be written, for one because the disk is full.
        """
        key = self.key(outcome.parameters)
        self._found[key] = outcome
        if self.file is None:
            return
        line = json.dumps({"context": self.context, "key": key, **asdict(outcome)}, default=str)
        try:
            with self.file.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:
            raise StorageError(f"{self.file}: cannot note a trial: {error.strerror}") from None
