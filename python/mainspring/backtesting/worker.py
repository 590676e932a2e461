"""Other processes that work for this one: trials of a sweep, runs of a check.

A worker is a new interpreter, never a fork, and does not import the caller's main module, so that a
script without an `if __name__ == "__main__"` guard can sweep too. Calls and answers are pickled
over its pipes; what the worker's code prints goes to stderr.
"""

from __future__ import annotations

import importlib
import os
import pickle
import signal
import struct
import subprocess
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

import mainspring
from mainspring.errors import InternalError, MainspringError, NotFoundError, StrategyError
from mainspring.strategy.base import Strategy
from mainspring.strategy.loading import StrategyClass, load_strategy

_LENGTH = struct.Struct("<Q")


class WorkerDied(MainspringError):  # noqa: N818 - says what happened
    """The process of a worker ended in the middle of a call."""


@dataclass(frozen=True, slots=True)
class ClassRef:
    """How another process finds a strategy class.

    Attributes:
        place: the file, or the module where the class is part of a package; ``native``.
        name: its qualified name.
    """

    place: str
    name: str

    @classmethod
    def of(cls, strategy: StrategyClass) -> ClassRef:
        """The reference of a class.

        Raises:
            NotFoundError: another process cannot import it; the message says why.
        """
        if not issubclass(strategy, Strategy):
            return cls("native", strategy.__name__)
        name, module = strategy.__qualname__, sys.modules.get(strategy.__module__)
        file = getattr(module, "__file__", None)
        if "." in name:
            raise NotFoundError(f"{name} is defined inside a function or another class")
        if strategy.__module__ == "__main__":
            raise NotFoundError(f"{name} is defined in the main script or a notebook")
        if file is None or not Path(file).is_file():
            raise NotFoundError(f"{name} is in no file")
        if _attribute(module, name) is not strategy:
            raise NotFoundError(f"{file} has no {name} that is this class")
        packaged = bool(getattr(module, "__package__", None))
        return cls(strategy.__module__ if packaged else str(Path(file).resolve()), name)

    def load(self) -> StrategyClass:
        """The class.

        Raises:
            NotFoundError, StrategyError: it is not there any more or cannot be imported.
        """
        return load_strategy(f"{self.place}:{self.name}")


def _attribute(holder: object, name: str) -> object:
    for part in name.split("."):
        holder = getattr(holder, part, None)
    return holder


class Worker:
    """One process; calls go one after another. Use it as a context manager.

    Args:
        env: variables on top of this process's, such as ``PYTHONHASHSEED``.
    """

    def __init__(self, env: Mapping[str, str] | None = None) -> None:
        package = str(Path(mainspring.__file__).parent.parent)
        paths = [package, *(path for path in sys.path if path)]
        self._process = subprocess.Popen(
            [sys.executable, "-c", "from mainspring.backtesting.worker import serve; serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **(env or {}), "PYTHONPATH": os.pathsep.join(paths)},
        )

    def call(self, function: str, **arguments: Any) -> Any:
        """Calls ``module:function`` in the worker and returns what it returns.

        Raises:
            MainspringError: what the function raised; any other error as a `StrategyError`.
            WorkerDied: the process ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            _send(self._process.stdin, (function, arguments))
            answer = _receive(self._process.stdout)
        except (OSError, EOFError, ValueError):
            answer = None
        if answer is None:
            code = self._process.wait()
            raise WorkerDied(f"the worker process died ({_how(code)})")
        good, value = answer
        if good:
            return value
        raise value

    def kill(self) -> None:
        """Ends the process at once, from any thread."""
        self._process.kill()

    def close(self) -> None:
        """Ends the process after the current call."""
        if self._process.stdin is not None:
            try:
                self._process.stdin.close()
            except OSError:
                self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _how(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def _send(pipe: IO[bytes], message: Any) -> None:
    content = pickle.dumps(message)
    pipe.write(_LENGTH.pack(len(content)) + content)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> Any:
    """The next message; None when the other side is gone."""
    head = pipe.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    content = pipe.read(length)
    # Both ends are this program; nothing from outside comes over the pipe.
    return pickle.loads(content) if len(content) == length else None  # noqa: S301


def serve() -> None:
    """The worker's side: answers calls until the pipe closes."""
    # Ctrl-C reaches the whole group; the process that asked for the work decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    calls = sys.stdin.buffer
    while (message := _receive(calls)) is not None:
        _send(answers, _answer(*message))


def _answer(function: str, arguments: dict[str, Any]) -> tuple[bool, Any]:
    try:
        module, _, name = function.partition(":")
        return True, getattr(importlib.import_module(module), name)(**arguments)
    except MainspringError as error:
        return False, _portable(error)
    except BaseException as error:
        trace = traceback.extract_tb(error.__traceback__)
        place = f"{trace[-1].filename}:{trace[-1].lineno}: " if trace else ""
        return False, StrategyError(f"{place}{type(error).__name__}: {error}")


def _portable(error: MainspringError) -> MainspringError:
    """The error without what hangs on it, which may not be picklable."""
    try:
        plain = type(error)(str(error))
    except TypeError:
        plain = InternalError(str(error))
    return plain
