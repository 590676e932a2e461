"""`mainspring doctor`: is this machine and this installation as it should be?"""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
import sysconfig
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

from mainspring.cli.app import verb_app
from mainspring.cli.dispatch import EXTRA_OF
from mainspring.cli.exits import Exit
from mainspring.cli.output import Output, table

app = verb_app("doctor")

LOW_DISK_BYTES = 2 * 1024**3
GOOD_CLOCKS = ("tsc", "kvm-clock", "arch_sys_counter", "hyperv_clocksource_tsc_page")


@dataclass
class Finding:
    """One thing looked at: `state` is ok, warn or fail; `fix` says what to do when it is not ok."""

    name: str
    state: str
    found: str
    fix: str = ""


@app.default
def doctor(*, output: Output | None = None) -> int:
    """Check this machine and this installation; exits 1 when something keeps it from working.

    Parameters
    ----------
    output
        Flags of every verb.
    """
    output = output or Output()
    findings = list(examine())
    worst = Exit.ERROR if any(item.state == "fail" for item in findings) else Exit.OK
    document = {"ok": worst is Exit.OK, "findings": [asdict(item) for item in findings]}
    output.result(document, lambda: _text(findings))
    return worst


def _text(findings: list[Finding]) -> object:
    rows = [(item.name, item.state, item.found, item.fix) for item in findings]
    return table("", ("what", "state", "found", "how to fix"), rows)


def examine() -> Iterator[Finding]:
    """Every check in turn; a check that cannot be made on this system yields nothing."""
    checks: tuple[Callable[[], Finding | None], ...] = (
        _python,
        _extension,
        _disk,
        _cpu,
        _clock,
        _terminal,
    )
    yield from (found for check in checks if (found := check()) is not None)
    yield from _extras()


def _python() -> Finding:
    found = (
        f"{platform.python_implementation()} {platform.python_version()} on {platform.platform()}"
    )
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        return Finding(
            "python", "warn", found, "free-threaded builds are not tested; use a usual one"
        )
    return Finding("python", "ok", found)


def _extension() -> Finding:
    from mainspring import __version__

    try:
        from mainspring import _core
    except ImportError as error:
        return Finding("extension", "fail", str(error), "make build, or reinstall mainspring")
    if _core.__version__ != __version__:
        found = f"extension {_core.__version__}, package {__version__}"
        return Finding("extension", "fail", found, "make build, or reinstall mainspring")
    return Finding("extension", "ok", f"mainspring {__version__}")


def _disk() -> Finding:
    free = shutil.disk_usage(Path.cwd()).free
    found = f"{free / 1024**3:.1f} GiB free in {Path.cwd()}"
    if free < LOW_DISK_BYTES:
        return Finding("disk", "warn", found, "imports and results need room: free 2 GiB or more")
    return Finding("disk", "ok", found)


def _cpu() -> Finding | None:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return Finding("cpu", "ok", f"{platform.machine()}, {cores} cores")
    text = info.read_text(errors="replace")
    flags = next((line for line in text.splitlines() if line.startswith(("flags", "Features"))), "")
    wanted = ("avx2", "bmi2", "avx512f", "asimd")
    have = [flag for flag in wanted if f" {flag}" in flags]
    found = f"{platform.machine()}, {cores} cores, {' '.join(have) or 'no vector extensions known'}"
    return Finding("cpu", "ok", found)


def _clock() -> Finding | None:
    """Matters for live trading and for benchmarks; a backtest reads no clock."""
    source = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")
    if not source.exists():
        return None
    name = source.read_text().strip()
    if name in GOOD_CLOCKS:
        return Finding("clock source", "ok", name)
    fix = (
        "a slow clock: times of benchmarks are coarse (boot with clocksource=tsc if the CPU allows)"
    )
    return Finding("clock source", "warn", name, fix)


def _terminal() -> Finding:
    encoding = sys.stdout.encoding or "unknown"
    if encoding.lower().replace("-", "") != "utf8":
        return Finding("terminal", "warn", encoding, "set PYTHONUTF8=1 or a UTF-8 locale")
    return Finding("terminal", "ok", encoding)


def _extras() -> Iterator[Finding]:
    for module, extra in EXTRA_OF.items():
        if importlib.util.find_spec(module) is None:
            fix = f"if you need it: pip install 'mainspring[{extra}]'"
            yield Finding(f"extra {extra}: {module}", "ok", "not installed", fix)
        else:
            yield Finding(f"extra {extra}: {module}", "ok", metadata.version(module))
