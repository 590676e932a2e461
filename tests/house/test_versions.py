"""The versions, locks and stated minimums of the project agree with each other."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import mainspring
import pytest
from mainspring.cli.dispatch import EXTRA_OF

ROOT = Path(__file__).resolve().parents[2]
NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*")


def _toml(name: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / name).read_text(encoding="utf-8"))


PROJECT = _toml("pyproject.toml")
CARGO = _toml("Cargo.toml")


def test_one_version_everywhere() -> None:
    from mainspring import _core

    versions = {
        "pyproject.toml": PROJECT["project"]["version"],
        "Cargo.toml": CARGO["workspace"]["package"]["version"],
        "mainspring": mainspring.__version__,
        "mainspring._core": _core.__version__,
    }
    assert len(set(versions.values())) == 1, versions


def test_no_dependency_needs_a_newer_rust_than_we_state() -> None:
    done = subprocess.run(
        ["cargo", "metadata", "--format-version", "1", "--locked"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    stated = _numbers(CARGO["workspace"]["package"]["rust-version"])
    too_new = {
        package["name"]: package["rust_version"]
        for package in json.loads(done.stdout)["packages"]
        if package["rust_version"] and _numbers(package["rust_version"]) > stated
    }
    assert not too_new


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2])


def _locked(name: str) -> dict[str, int]:
    """Package -> how many hashes its entry has."""
    found: dict[str, int] = {}
    current = ""
    for line in (ROOT / "requirements" / name).read_text(encoding="utf-8").splitlines():
        if match := NAME.match(line):
            current = _normal(match[0])
            found.setdefault(current, 0)
        elif "--hash=sha256:" in line:
            found[current] += 1
    return found


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("lock", ["demo.txt", "dev.txt", "oracles.txt", "peers.txt"])
def test_every_locked_package_has_hashes(lock: str) -> None:
    locked = _locked(lock)
    assert locked
    assert [name for name, hashes in locked.items() if hashes == 0] == []


@pytest.mark.parametrize(
    ("lock", "extras", "groups"),
    [
        ("demo.txt", ["report"], ["build"]),
        ("dev.txt", ["report", "data", "compiled"], ["build", "test", "lint", "docs"]),
    ],
)
def test_locks_hold_what_pyproject_asks_for(
    lock: str, extras: list[str], groups: list[str]
) -> None:
    wanted = [
        *PROJECT["project"]["dependencies"],
        *(one for extra in extras for one in PROJECT["project"]["optional-dependencies"][extra]),
        *(one for group in groups for one in PROJECT["dependency-groups"][group]),
    ]
    names = {_normal(match[0]) for one in wanted if (match := NAME.match(one))}
    assert names - set(_locked(lock)) == set(), "run `make lock`"


def test_extras_that_messages_name_exist() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    for module, extra in EXTRA_OF.items():
        assert module in {match[0] for one in extras[extra] if (match := NAME.match(one))}


def test_importing_mainspring_imports_nothing_heavy() -> None:
    code = "import sys, mainspring; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    heavy = {"numpy", "pydantic", "cyclopts", "rich", "bokeh", "polars", "pandas", "numba"}
    assert heavy & loaded == set()


def test_every_lazy_name_resolves() -> None:
    for name in mainspring.__all__:
        assert getattr(mainspring, name) is not None, name
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = mainspring.nonsense
