"""A second SIGTERM ends a session that waits for answers; being stopped besides does not."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import mainspring as ms
from live_sessions import until
from mainspring.journal import Journal

CHILD = """
import sys
import mainspring as ms
from mainspring.live import Keep, PaperVenue, paper

# No answer comes within the test, and it is waited for longer still.
slow = PaperVenue(response="30m")
maker = ms.native.TouchMaker(size="0.01", max_position="0.1", every="50ms")
session = paper(maker, sys.argv[1], venue=slow, keep=Keep(stop="30m"), signals=True)
while session.wait(60.0):
    pass
outcome = session.stop()
print(outcome.broken, outcome.status.open_orders > 0)
"""


def records(folder: Path, name: str) -> int:
    try:
        journal: Journal = ms.journal.open(folder)
        return sum(1 for _ in journal.records(types=[name]))
    except ms.errors.MainspringError:
        return 0


def test_a_second_sigterm_does_not_wait_for_answers_and_loses_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder)], stdout=subprocess.PIPE, text=True
    )
    try:
        until("an order", lambda: records(folder, "new_order") > 0)
        child.send_signal(signal.SIGTERM)
        until("the order to end", lambda: records(folder, "stop") == 1)
        assert child.poll() is None, "it waits for the answers to its cancels"
        child.send_signal(signal.SIGTERM)
        out, _ = child.communicate(timeout=60)
    finally:
        child.kill()
    assert (child.returncode, out.split()) == (0, ["None", "True"])
    journal = ms.journal.open(folder)
    assert journal.verify()["findings"] == []
    assert journal.state()["orders"], "what was open is known to the next life"


IMPATIENT = """
import sys
import mainspring as ms
from mainspring.live import Keep, PaperVenue, paper

slow = PaperVenue(response="500ms")
maker = ms.native.TouchMaker(size="0.01", max_position="0.1", every="50ms")
session = paper(maker, sys.argv[1], venue=slow, keep=Keep(stop="10m"), signals=True)
while not session.entries:
    session.wait(0.01)
outcome = session.stop()
print(outcome.broken, outcome.status.open_orders)
"""


def test_a_stop_while_the_session_ends_waits_for_its_cancels_too(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    child = subprocess.Popen(
        [sys.executable, "-c", IMPATIENT, str(folder)], stdout=subprocess.PIPE, text=True
    )
    try:
        until("an order", lambda: records(folder, "new_order") > 0)
        child.send_signal(signal.SIGTERM)
        out, _ = child.communicate(timeout=60)
    finally:
        child.kill()
    assert (child.returncode, out.split()) == (0, ["None", "0"])
    assert records(folder, "step") > 1, "a cancel was sent"
