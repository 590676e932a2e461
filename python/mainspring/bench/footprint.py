"""Start, size and memory."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from mainspring.bench import peers
from mainspring.bench.cold import PROGRAMS
from mainspring.bench.registry import Session
from mainspring.bench.result import Measurement
from mainspring.bench.timing import in_turn, process

PEAK = """
import json, runpy, sys
program, sys.argv = sys.argv[1], sys.argv[1:]
runpy.run_path(program)
lines = [line.split() for line in open("/proc/self/status")]
print(json.dumps({"peak": int(next(line[1] for line in lines if line[0] == "VmHWM:")) * 1024}))
"""
"""Not `ru_maxrss`: a process inherits that from the one that started it."""


def footprint(session: Session) -> Iterator[Measurement]:
    """Import and help in seconds, sizes in bytes, peak memory of the market maker's process."""
    starts = {
        "bare": [sys.executable, "-c", "pass"],
        "import": [sys.executable, "-c", "import mainspring"],
        "help": [sys.executable, "-m", "mainspring", "--help"],
    }
    figures = in_turn(
        {
            name: lambda command=command: process(command)[0]  # type: ignore[misc]
            for name, command in starts.items()
        },
        3 * session.repeats,
    )
    yield Measurement("footprint", "import_seconds", "s", figures["import"] - figures["bare"])
    yield Measurement("footprint", "help_seconds", "s", figures["help"])
    made = None if session.smoke else wheel(session)
    if made is not None:
        yield Measurement("footprint", "wheel_bytes", "bytes", made.stat().st_size)
        yield Measurement("footprint", "venv_bytes", "bytes", installed_bytes(session, made))
    yield from _peak(session)


def wheel(session: Session) -> Path | None:
    """A wheel built from the checkout that this package runs from; None where it is installed."""
    checkout = Path(__file__).resolve().parents[3]
    maturin = Path(sys.executable).with_name("maturin")
    if not (checkout / "Cargo.toml").exists() or not maturin.exists():
        return None
    out = session.scratch / "wheels"
    shutil.rmtree(out, ignore_errors=True)
    manifest = str(checkout / "crates" / "python" / "Cargo.toml")
    process([str(maturin), "build", "--release", "-q", "-m", manifest, "--out", str(out)])
    return next(out.glob("mainspring-*.whl"))


def installed_bytes(session: Session, wheel: Path) -> int:
    """Size of a fresh environment with the wheel and what it needs, pip left out."""
    folder = session.scratch / "venv"
    process([sys.executable, "-m", "venv", "--clear", str(folder)])
    pip = [str(folder / "bin" / "python"), "-m", "pip"]
    process([*pip, "install", "--quiet", str(wheel.absolute())])
    process([*pip, "uninstall", "--quiet", "--yes", "pip", "setuptools"])
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def _peak(session: Session) -> Iterator[Measurement]:
    program = str(PROGRAMS / "maker_native.py")
    command = [sys.executable, "-c", PEAK, program, str(session.workload.event_file())]
    ours = float(json.loads(process(command)[1].splitlines()[-1])["peak"])
    version = session.peer("hftbacktest")
    peer_value, versions = None, {}
    if version:
        line = peers.run("hftbacktest_replay.py", str(session.workload.folder), "cold")[1]
        peer_value, versions = float(line["peak_bytes"]), {"hftbacktest": version}
    yield Measurement("footprint", "peak_bytes", "bytes", ours, "hftbacktest", peer_value, versions)
