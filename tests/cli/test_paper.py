"""The verbs `paper` and `kill`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

MAINSPRING = (sys.executable, "-m", "mainspring")


def run(*words: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*MAINSPRING, *words], capture_output=True, text=True, timeout=timeout, check=False
    )


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    """A session in a process of its own, once it has journaled something."""
    process = subprocess.Popen(
        [*MAINSPRING, "paper", "--out", str(folder), "--speed", "20", "--json", *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    until(process, lambda: _has_orders(folder))
    return process


def until(process: subprocess.Popen[str], check: Callable[[], bool]) -> None:
    begun = time.monotonic()
    while not check():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() - begun < 60
        time.sleep(0.05)


def _has_orders(folder: Path) -> bool:
    from mainspring import journal
    from mainspring.errors import MainspringError

    try:
        return any(record.name == "new_order" for record in journal.open(folder).records())
    except MainspringError:
        return False


def _is_halted(folder: Path) -> bool:
    from mainspring import journal

    return bool(journal.open(folder).state()["halted"])


def ended(process: subprocess.Popen[str]) -> tuple[int, dict, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, json.loads(out), err


def test_a_session_for_some_seconds_and_its_second_start(tmp_path: Path) -> None:
    words = ("paper", "--out", str(tmp_path), "--seconds", "1", "--speed", "20", "--json")
    first = run(*words)
    assert first.returncode == 0, first.stderr
    document = json.loads(first.stdout)
    assert (document["resumed"], document["broken"], document["halted"]) == (False, None, None)
    assert document["status"]["orders"] > 0
    assert document["status"]["open_orders"] == 0
    second = run(*words)
    assert json.loads(second.stdout)["resumed"] is True
    verified = run("replay", str(tmp_path), "--verify", "--json")
    assert verified.returncode == 0, verified.stderr
    assert json.loads(verified.stdout)["same"] > 0


def test_ctrl_c_ends_in_order(tmp_path: Path) -> None:
    process = start(tmp_path)
    process.send_signal(signal.SIGINT)
    code, document, _ = ended(process)
    assert (code, document["broken"], document["status"]["open_orders"]) == (0, None, 0)


def test_sigterm_ends_in_order(tmp_path: Path) -> None:
    process = start(tmp_path)
    process.send_signal(signal.SIGTERM)
    code, document, _ = ended(process)
    assert (code, document["broken"], document["status"]["open_orders"]) == (0, None, 0)


def test_kill_from_outside_and_rearm(tmp_path: Path) -> None:
    process = start(tmp_path)
    killed = run("kill", str(tmp_path), "--why", "enough")
    assert killed.returncode == 0
    until(process, lambda: _is_halted(tmp_path))
    process.send_signal(signal.SIGINT)
    _, document, err = ended(process)
    assert document["halted"] == ["file", "enough"]
    assert "trading is halted" in err
    words = ("paper", "--out", str(tmp_path), "--seconds", "1", "--speed", "20", "--json")
    still = json.loads(run(*words).stdout)
    assert still["status"]["halted"] is True
    held, before = still["status"]["markets"][0], document["status"]["markets"][0]
    assert held["position_lots"] == before["position_lots"]
    again = json.loads(run(*words, "--rearm", "looked at it").stdout)
    assert (again["status"]["halted"], again["halted"]) == (False, None)


def test_a_signal_halts(tmp_path: Path) -> None:
    process = start(tmp_path)
    os.kill(process.pid, signal.SIGUSR1)
    until(process, lambda: _is_halted(tmp_path))
    process.send_signal(signal.SIGINT)
    _, document, _ = ended(process)
    assert document["halted"] == ["signal", "SIGUSR1"]
    assert document["status"]["open_orders"] == 0


def test_kill_dash_nine_and_a_restart(tmp_path: Path) -> None:
    """The journal of a process that dies at any moment is whole, and the session goes on."""
    process = start(tmp_path)
    process.kill()
    process.communicate()
    words = ("paper", "--out", str(tmp_path), "--seconds", "1", "--speed", "20", "--json")
    again = run(*words)
    assert again.returncode == 0, again.stderr
    document = json.loads(again.stdout)
    assert (document["resumed"], document["broken"]) == (True, None)
    assert document["status"]["open_orders"] == 0


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    process = start(tmp_path)
    second = run("paper", "--out", str(tmp_path), "--seconds", "1")
    assert second.returncode == 8
    assert "being written" in second.stderr
    process.send_signal(signal.SIGINT)
    assert ended(process)[0] == 0


def test_kill_needs_a_folder(tmp_path: Path) -> None:
    missing = run("kill", str(tmp_path / "nothing"))
    assert missing.returncode == 2
    assert "no session's folder" in missing.stderr


def test_the_configuration_of_a_session(tmp_path: Path) -> None:
    """Limits, store and hot reload of the file: end to end."""
    file, folder = tmp_path / "mainspring.toml", tmp_path / "session"
    text = (
        '[run]\nstrategy = "native:TouchMaker"\n[parameters]\nsize = "0.01"\n'
        'max_position = "0.1"\n[limits]\nmax_position = 0.09\n'
    )
    file.write_text(text)
    process = start(folder, "--config", str(file), "-e", "orders.cancel_timeout=4s")
    file.write_text(text.replace("0.09", "0.05"))
    until(process, lambda: _notices(folder, "limits changed"))
    process.send_signal(signal.SIGINT)
    code, document, said = ended(process)
    assert (code, document["broken"]) == (0, None)
    assert "limits.max_position: 0.09 -> 0.05: now" in said
    from mainspring import journal
    from mainspring.store import Store

    kept = journal.open(folder).sources.config
    assert kept["patience"]["cancel_ns"] == 4 * 10**9
    assert kept["run"]["limits"]["max_position"] == "0.09"
    with Store(folder / "store.db") as store:
        decisions = [one["decision"] for one in store.rows("risk_decisions")]
        assert "command_set_limits" in decisions
        assert store.position == journal.open(folder).cursor(-1).position


def _notices(folder: Path, text: str) -> bool:
    from mainspring import journal

    found = journal.open(folder).records(types=["notice"])
    return any(text in record.fields["text"] for record in found)


def test_a_strategy_that_stops_is_told_at_once_and_by_the_exit_code(tmp_path: Path) -> None:
    """Whoever watches a session sees that nobody trades any more, and why."""
    code = tmp_path / "small.py"
    code.write_text(
        "import mainspring as ms\n"
        "class Small(ms.Strategy, every='100ms'):\n"
        "    def on_book(self, m):\n"
        "        m.quote(bid=((m.bid, 0.0002),))\n"
    )
    session = run("paper", str(code), "--out", str(tmp_path / "session"), "--seconds", "3")
    assert session.returncode == 1
    told = "a strategy stopped, the session goes on without it: Small: "
    assert session.stderr.count(told) == 1
    assert f"{code}:4 in on_book" in session.stderr
    assert "0.0002 is less than one lot; give at least 0.001" in session.stderr


def test_a_session_tells_which_strategies_stopped(tmp_path: Path) -> None:
    import mainspring as ms
    from mainspring.live import paper

    small = ms.native.TouchMaker(size="0.0002", max_position="0.1", every="50ms")
    maker = ms.native.TouchMaker(size="0.002", max_position="0.1", every="50ms")
    with paper([small, maker], tmp_path) as session:
        begun = time.monotonic()
        while not (session.failures and session.status().orders):
            assert time.monotonic() - begun < 60, "the other one goes on"
            session.wait(0.05)
        reason = "BTCUSDT: a quantity of 0.0002 is less than one lot; give at least 0.001"
        assert session.failures == [f"touch_maker: {reason}"]
