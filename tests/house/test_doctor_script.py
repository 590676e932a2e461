"""`make` names what is missing on a machine: the preflight run with a PATH of stand-in programs."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS_OF_THE_SCRIPT = ("sh", "sed", "awk", "cut", "dirname")


class Machine:
    """A PATH with the few tools the script itself uses and whatever else is put there."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder
        for tool in TOOLS_OF_THE_SCRIPT:
            found = shutil.which(tool)
            assert found, f"these tests need {tool}"
            (folder / tool).symlink_to(found)

    def put(self, name: str, script: str) -> None:
        program = self.bin / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)

    def python(self, name: str, version: str, *, venv: bool = True) -> None:
        """A Python as the script sees one: it prints its version, and can or cannot import venv."""
        imports = "exit 0" if venv else "exit 1"
        self.put(name, f'case "$2" in *version_info*) echo {version};; *venv*) {imports};; esac')

    def rust(self, version: str) -> None:
        self.put("cargo", "exit 0")
        self.put("rustc", f'echo "rustc {version} (0123abcde 2025-01-01)"')

    def doctor(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", str(ROOT / "tools/doctor.sh")],
            env={"PATH": str(self.bin)},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """One that has everything."""
    made = Machine(tmp_path)
    made.python("python3", "3.12")
    made.rust("1.95.0")
    made.put("cc", "exit 0")
    return made


def test_a_good_machine_passes_and_names_its_python(machine: Machine) -> None:
    done = machine.doctor()
    assert (done.returncode, done.stdout, done.stderr) == (0, "python3\n", "")


def test_an_old_default_python_is_passed_over_for_a_newer_one(machine: Machine) -> None:
    machine.python("python3", "3.9")
    machine.python("python3.13", "3.13")
    assert machine.doctor().stdout == "python3.13\n"


def test_only_old_pythons(machine: Machine) -> None:
    machine.python("python3", "3.10")
    done = machine.doctor()
    assert done.returncode == 1
    assert "no Python 3.11 or newer" in done.stderr
    assert "python3 (3.10)" in done.stderr
    assert done.stdout == ""


def test_debian_python_without_venv(machine: Machine) -> None:
    machine.python("python3", "3.12", venv=False)
    done = machine.doctor()
    assert done.returncode == 1
    assert "apt install python3.12-venv" in done.stderr


def test_rust_that_is_too_old(machine: Machine) -> None:
    machine.rust("1.75.0")
    done = machine.doctor()
    assert done.returncode == 1
    assert "Rust 1.75.0 is too old" in done.stderr
    assert "rustup update" in done.stderr


def test_version_numbers_are_compared_as_numbers(machine: Machine) -> None:
    machine.rust("1.100.0")
    assert machine.doctor().returncode == 0


def test_everything_missing_is_said_at_once(tmp_path: Path) -> None:
    done = Machine(tmp_path).doctor()
    assert done.returncode == 1
    for what in ("no Python", "no Rust toolchain", "no C compiler"):
        assert what in done.stderr


def test_this_machine_passes() -> None:
    done = subprocess.run(
        ["sh", str(ROOT / "tools/doctor.sh")],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
