"""What the gate's check of one order is made of: instructions, jumps, mispredictions.

Builds `crates/trading/examples/gate_branches.rs` as a release, disassembles the function that
checks one order, and says from which source line each of its conditional jumps comes. Where
valgrind is installed, it also counts with cachegrind how many of the branches a simple predictor
takes wrongly, over orders of changing strategies, instruments, sides, prices and sizes. Needs
objdump (binutils).

    .venv/bin/python tools/gate_branches.py
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FUNCTION = "gate_check"
JUMP = re.compile(r"^j(?!mp)[a-z]+$")
ROUNDS = 20


def main() -> int:
    """Prints what was found."""
    program = build()
    instructions, jumps = disassemble(program)
    print(f"instructions {instructions}")
    print(f"conditional jumps {len(jumps)}")
    for mnemonic, place in jumps:
        print(f"  {mnemonic:5} {place}")
    if shutil.which("valgrind"):
        count_mispredictions(program)
    else:
        print("mispredictions: not counted, valgrind is not installed")
    return 0


def build() -> Path:
    """The program that checks orders, as a release."""
    command = ["cargo", "build", "--release", "--locked", "--quiet"]
    command += ["-p", "mainspring-trading", "--example", "gate_branches"]
    subprocess.run(command, cwd=ROOT, check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return target / "release" / "examples" / "gate_branches"


def disassemble(program: Path) -> tuple[int, list[tuple[str, str]]]:
    """How many instructions the check has, and its conditional jumps with their source lines."""
    listing = subprocess.run(
        ["objdump", "-d", "-l", "-C", "--no-show-raw-insn", str(program)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    inside, place = False, ""
    instructions = 0
    jumps: list[tuple[str, str]] = []
    for line in listing.splitlines():
        if line.endswith(">:"):
            inside = f"::{FUNCTION}" in line
        elif not inside:
            continue
        elif found := re.match(r"^(/\S+\.rs:\d+)", line):
            place = found[1].replace(f"{ROOT}/", "")
        elif found := re.match(r"^\s+[0-9a-f]+:\s+(\S+)", line):
            instructions += 1
            if JUMP.match(found[1]):
                jumps.append((found[1], shown(place)))
    return instructions, jumps


def shown(place: str) -> str:
    """A source line with what stands there."""
    path, _, number = place.rpartition(":")
    try:
        text = (ROOT / path).read_text().splitlines()[int(number) - 1].strip()
    except (OSError, ValueError, IndexError):
        return place
    return f"{place}  {text}"


def count_mispredictions(program: Path) -> None:
    """Counts the conditional branches of the check that cachegrind's predictor takes wrongly."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        valgrind = ["valgrind", "--tool=cachegrind", "--branch-sim=yes", "--cache-sim=no"]
        valgrind += [f"--cachegrind-out-file={out}", str(program), str(ROUNDS)]
        told = subprocess.run(valgrind, check=True, capture_output=True, text=True).stdout
        checks = int(told.split()[1])
        branches, wrong = totals(out.read_text())
    print(f"checks {checks}")
    print(f"conditional branches a check {branches / checks:.2f}")
    print(f"mispredicted a check {wrong / checks:.5f}")


def totals(profile: str) -> tuple[int, int]:
    """Conditional branches that ran in the check, and those predicted wrongly."""
    events: list[str] = []
    inside = False
    branches = wrong = 0
    for line in profile.splitlines():
        if line.startswith("events:"):
            events = line.split()[1:]
        elif line.startswith("fn="):
            inside = FUNCTION in line or "::gate::Gate::check" in line
        elif inside and line[:1].isdigit():
            counts = dict(zip(events, map(int, line.split()[1:]), strict=False))
            branches += counts.get("Bc", 0)
            wrong += counts.get("Bcm", 0)
    return branches, wrong


if __name__ == "__main__":
    sys.exit(main())
