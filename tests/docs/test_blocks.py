"""Every code block of the README and of the documentation runs.

The blocks of a page run in order in one empty folder: Python blocks share a namespace, console
blocks run as commands, blocks with a title become files.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from blocks import Block, blocks_of, commands_of

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
RUN = {"python", "bash", "console", "sh", "shell"}
MAX_NOT_RUN = 15
COMMAND_LIMIT_S = 300


def _pages_with_blocks() -> list[Path]:
    return [page for page in PAGES if any(_is_checked(block) for block in blocks_of(page))]


def _is_checked(block: Block) -> bool:
    return block.language in RUN | {"toml", "json"} or block.title is not None


@pytest.mark.parametrize("page", _pages_with_blocks(), ids=lambda page: str(page.relative_to(ROOT)))
def test_blocks_of_page(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    # The empty entry is the current folder, wherever `cd` leads; no module of another page is seen.
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    for block in blocks_of(page):
        if block.title is not None:
            monkeypatch.delitem(sys.modules, Path(block.title).stem, raising=False)
    namespace: dict[str, Any] = {"__name__": "__page__"}
    printed = ""
    for block in blocks_of(page):
        where = f"{page.relative_to(ROOT)}:{block.line}"
        if block.prints:
            _compare(block.code, printed, where)
        elif _is_checked(block) and block.not_run is None:
            printed = _run(block, namespace, where)


def _run(block: Block, namespace: dict[str, Any], where: str) -> str:
    if block.title is not None:
        target = Path(block.title)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(block.code, encoding="utf-8")
    if block.language == "toml":
        tomllib.loads(block.code)
    elif block.language == "json":
        json.loads(block.code)
    elif block.language == "python" and block.title is not None:
        compile(block.code, where, "exec")
    elif block.language == "python":
        return _run_python(block, namespace)
    elif block.language in RUN:
        return "".join(_run_command(command, where) for command in commands_of(block.code))
    return ""


def _run_python(block: Block, namespace: dict[str, Any]) -> str:
    # Blank lines in front keep the line numbers of the page in tracebacks.
    code = compile("\n" * (block.line - 1) + block.code, str(block.page), "exec", dont_inherit=True)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code, namespace)
    return printed.getvalue()


def _run_command(command: str, where: str) -> str:
    """Runs what a reader would; what installs or builds is checked without doing it again."""
    if match := re.fullmatch(r"make ([a-z-]+).*", command):
        subprocess.run(["make", "-n", match[1]], cwd=ROOT, check=True, capture_output=True)
        return ""
    if match := re.fullmatch(
        r"(?:python -m )?pip install '?mainspring(?:\[([\w,]+)\])?'?", command
    ):
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        known = extras["optional-dependencies"]
        assert not set((match[1] or "").split(",")) - {*known, ""}, f"{where}: unknown extra"
        return ""
    if match := re.fullmatch(r"cd (\S+)", command):
        os.chdir(match[1])
        return ""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command,
        shell=True,
        check=False,
        env={**os.environ, "PATH": path, "COLUMNS": "100"},
        capture_output=True,
        text=True,
        timeout=COMMAND_LIMIT_S,
    )
    assert done.returncode == 0, f"{where}: $ {command}\n{done.stdout}{done.stderr}"
    return done.stdout


def _compare(want: str, got: str, where: str) -> None:
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    if not doctest.OutputChecker().check_output(want, got, flags):
        pytest.fail(f"{where}: the page says it prints\n{want}\nbut it prints\n{got}")


def test_blocks_that_are_not_run_are_few_and_say_why() -> None:
    skipped = [block for page in PAGES for block in blocks_of(page) if block.not_run is not None]
    for block in skipped:
        assert len(block.not_run or "") >= 10, f"{block.page}:{block.line}: give the reason"
    assert len(skipped) <= MAX_NOT_RUN, [f"{block.page}:{block.line}" for block in skipped]
