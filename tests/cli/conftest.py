"""The fixture `cli`: the command line in an empty folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import Cli, Done


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """`cli("verb", "--flag")` runs `mainspring verb --flag` in an empty folder."""

    def run(*words: str, cwd: Path = tmp_path, timeout: float = 120, **env: str) -> Done:
        done = subprocess.run(
            [sys.executable, "-m", "mainspring", *words],
            cwd=cwd,
            env={**os.environ, "COLUMNS": "100", "NO_COLOR": "1", **env},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    return run
