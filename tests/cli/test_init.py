"""`mainspring init` makes a project that runs and passes its own test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from command_line import Cli
from mainspring.cli.exits import Exit
from mainspring.config import load_config


@pytest.fixture
def project(cli: Cli, tmp_path: Path) -> Path:
    done = cli("init", "leaning", "--json")
    assert done.code == 0, done.err
    assert done.json["project"] == "leaning"
    return tmp_path / "leaning"


def test_its_files(project: Path) -> None:
    names = {str(path.relative_to(project)) for path in project.rglob("*") if path.is_file()}
    assert names == {
        ".gitignore",
        "README.md",
        "mainspring.schema.json",
        "mainspring.toml",
        "pyproject.toml",
        "strategy.py",
        "tests/test_strategy.py",
    }


def test_its_configuration_is_valid_and_has_its_schema(project: Path) -> None:
    config = load_config(project / "mainspring.toml")
    assert config.run.strategy == f"{project / 'strategy.py'}:Imbalance"
    schema = json.loads((project / "mainspring.schema.json").read_text())
    content = tomllib.loads((project / "mainspring.toml").read_text())
    assert set(content) <= set(schema["properties"])


def test_its_own_test_passes(project: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=project,
        env={**os.environ, "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout


def test_it_runs_as_it_is(cli: Cli, project: Path) -> None:
    done = cli("backtest", "--json", cwd=project)
    assert done.code == 0, done.err
    assert done.json["counts"]["fills"] > 0
    assert (project / "runs").is_dir()


def test_a_folder_with_something_in_it_is_left_alone(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes").write_text("keep")
    done = cli("init", "mine")
    assert done.code == Exit.USAGE
    assert "not empty" in done.err
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes"]


def test_a_name_that_cannot_be_one(cli: Cli) -> None:
    assert cli("init", "1 bad/na me").code == Exit.USAGE
