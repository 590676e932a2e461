"""Without the extension the reference engine runs, and everything else says what is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from kernel_run import write_rows
from mainspring.reference import Instrument, Row, RowKind, Side

SCRIPT = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name == "mainspring._core":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocked())

import mainspring as ms
from mainspring.reference import Instrument, Row, RowKind, Side, read, run

class Buyer:
    def on_book(self, m):
        if not m.orders() and m.position == 0:
            m.buy(0.001)

rows = []
for n in range(1, 5):
    rows.append(Row(n * 10**6, n * 10**6, RowKind.DEPTH, Side.BUY, 100, 5))
    rows.append(Row(n * 10**6, n * 10**6, RowKind.DEPTH, Side.SELL, 101, 5))
result = run(rows, [Instrument()], Buyer())
print("fills", len(result.fills))
print("of a file", run(*read(sys.argv[1]), Buyer()).fills == result.fills)
for name in ("sample", "backtest", "Market"):
    try:
        getattr(ms, name)
    except ModuleNotFoundError as error:
        print(error)
"""


def test_the_reference_runs_and_the_rest_says_what_is_missing(tmp_path: Path) -> None:
    times = [n * 10**6 for n in range(1, 5)]
    sides = ((Side.BUY, 100), (Side.SELL, 101))
    rows = [Row(t, t, RowKind.DEPTH, side, price, 5) for t in times for side, price in sides]
    path = tmp_path / "rows.mse"
    write_rows(path, rows, [Instrument()])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, path],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    fills, read, *missing = done.stdout.splitlines()
    assert fills.startswith("fills ")
    assert fills != "fills 0"
    assert read == "of a file True"
    assert len(missing) == 3
    assert all("make build" in line and "mainspring.reference" in line for line in missing)


def test_the_command_line_says_it_in_one_line(tmp_path: Path) -> None:
    script = SCRIPT.partition("import mainspring as ms")[0] + (
        "from mainspring.cli import main\nraise SystemExit(main(['data', 'check', 'a.mse']))\n"
    )
    (tmp_path / "a.mse").write_bytes(b"x")
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60,
        cwd=tmp_path, env={**os.environ, "NO_COLOR": "1"},
    )  # fmt: skip
    assert done.returncode == 1
    assert "make build" in done.stderr
    assert len(done.stderr.splitlines()) == 1
