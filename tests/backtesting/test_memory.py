"""Results go to disk as they come: memory does not grow with the run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import json, sys
from pathlib import Path
import mainspring as ms

def anonymous_kb():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))

peak = 0

def watch(rows, time_ns):
    global peak
    peak = max(peak, anonymous_kb())

class Restless(ms.Strategy, every="10ms"):
    calls: int = 0

    def on_book(self, m):
        self.calls += 1
        m.quote(bid=((m.bid - self.calls % 3 * m.tick, 0.01),), ask=((m.ask, 0.01),))

out = sys.argv[2] if len(sys.argv) > 2 else None
data = ms.sample("btcusdt", hours=float(sys.argv[1]))
run = ms.backtest(Restless(), data, out=out, progress=watch)
print(json.dumps([run.facts.engine["counts"]["orders"], peak]))
"""


def measured(*arguments: str) -> tuple[int, int]:
    """Orders of a run, and its largest anonymous memory in bytes."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments], capture_output=True, text=True, check=True
    )
    orders, peak_kb = json.loads(done.stdout)
    return orders, peak_kb * 1024


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
def test_memory_does_not_grow_with_the_results(tmp_path: Path) -> None:
    short_orders, short = measured("0.5", str(tmp_path / "short"))
    long_orders, long = measured("4", str(tmp_path / "long"))
    log = (tmp_path / "long/outputs.mslog").stat().st_size
    assert long_orders > 4 * short_orders
    assert log > 100e6
    assert long < short + 8e6, f"{long} bytes for {long_orders} orders, {short} for {short_orders}"
    # In memory, results beyond 64 MiB go to a temporary file.
    _, spilled = measured("4")
    assert spilled < long + 64 * 2**20 + 8e6
