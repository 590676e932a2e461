"""The peers' environment, and running their scripts in it."""

from __future__ import annotations

import json
import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Any, Self

from mainspring.bench.timing import BenchmarkFailed, process
from mainspring.errors import ConfigError

SCRIPTS = Path(__file__).parent
ENVIRONMENT = "MAINSPRING_PEERS"
"""Names the environment's folder; without it, `.venv-peers` in the working directory is used."""


def environment() -> Path:
    """The folder of the peers' environment, there or not."""
    return Path(os.environ.get(ENVIRONMENT, ".venv-peers"))


def python() -> Path | None:
    """The interpreter that has the peers, or None where they are not installed."""
    found = environment() / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    return found.absolute() if found.exists() else None


@cache
def version(package: str) -> str | None:
    """The version of a peer, or None where it is not installed."""
    interpreter = python()
    if interpreter is None:
        return None
    code = f"from importlib.metadata import version; print(version({package!r}))"
    done = subprocess.run(
        [str(interpreter), "-c", code], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or None


def script(name: str, *arguments: str) -> list[str]:
    """The command that runs a script of this folder in the peers' environment.

    Raises:
        ConfigError: the environment is not there.
    """
    interpreter = python()
    if interpreter is None:
        raise ConfigError("the peers are not installed: `make bench` installs them")
    return [str(interpreter), str(SCRIPTS / name), *arguments]


def run(name: str, *arguments: str) -> tuple[float, dict[str, Any]]:
    """Runs a script once; returns its wall seconds and the JSON object that it printed.

    What the peer compiles is compiled anew: its caches are off.
    """
    cold = {**os.environ, "NUMBA_DISABLE_CACHE": "1", "PYTHONPATH": str(SCRIPTS)}
    seconds, printed = process(script(name, *arguments), env=cold)
    lines = [line for line in printed.splitlines() if line.startswith("{")]
    document: dict[str, Any] = json.loads(lines[-1])
    return seconds, document


class Server:
    """A script that stays, warmed up, and runs once for each line it is sent."""

    def __init__(self, name: str, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [*script(name, *arguments), "--serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def run(self) -> dict[str, Any]:
        """One run; what the script printed of it.

        Raises:
            BenchmarkFailed: the script ended.
        """
        if self._process.stdin is None or self._process.stdout is None:
            raise BenchmarkFailed("the peer has no pipes")
        self._process.stdin.write("run\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise BenchmarkFailed("the peer ended; run it by hand to see why")
        document: dict[str, Any] = json.loads(line)
        return document
