"""A session that is killed, or stopped, leaves nothing at venues without a countdown."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import mainspring as ms
import pytest
from live_sessions import until, wait_for
from mainspring.cli import main
from mainspring.errors import ConfigError
from mainspring.exchange import Limits, VenueServer
from mainspring.live import Credentials, LiveVenue, live
from mainspring.live.lease import LEASE_FILE, Place, checked_lease, watch
from test_dead_man import Resting
from venue_side import KEY, SECRET, VenueSide

CREDENTIALS = Credentials(key=KEY, secret=SECRET)


@pytest.fixture
def server() -> Iterator[VenueServer]:
    # Tests look at the venue more often than it lets people.
    patient = Limits(spot_weight=10**6, usdm_weight=10**6)
    with VenueServer("binance", markets=("btcusdt",), warm_up_s=10, limits=patient) as server:
        yield server


def looked_at(server: VenueServer, product: str = "binance") -> LiveVenue:
    venue = LiveVenue(product, ["BTCUSDT"], credentials=CREDENTIALS, url=server.url)
    assert venue.check().passed
    return venue


CHILD = """
import sys
sys.path.insert(0, sys.argv[4])
from mainspring.live import LiveVenue, live
from test_lease import CREDENTIALS, Resting
venue = LiveVenue(sys.argv[1], ["BTCUSDT"], url=sys.argv[2], credentials=CREDENTIALS)
session = live(Resting, sys.argv[3], venues=venue, size=1.0, lease="2s")
while True:
    session.wait(0.1)
    print(session.status().open_orders, session.halted, session.failures, flush=True)
"""


def trading(
    side: VenueSide, product: str, folder: Path, home: Path, awaited: Callable[..., str]
) -> subprocess.Popen[str]:
    """A process with a session that has an order at the venue."""
    before = len(side.open_orders())
    words = [sys.executable, "-c", CHILD, product, side.url, str(folder)]
    child = subprocess.Popen(
        [*words, str(Path(__file__).parent)], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "MAINSPRING_HOME": str(home)},
    )  # fmt: skip
    awaited(child, lambda line: int(line.split()[0]) >= 1 and len(side.open_orders()) > before)
    return child


def log(folder: Path) -> str:
    return (folder / "lease.log").read_text()


def test_what_a_killed_process_left_in_spot_is_cancelled(
    server: VenueServer,
    tmp_path: Path,
    home: Path,
    awaited: Callable[..., str],
) -> None:
    side, folder = VenueSide(server.url, "binance"), tmp_path / "run"
    looked_at(server)
    by_hand = side.place("BUY", "30000", "0.01")
    child = trading(side, "binance", folder, home, awaited)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert len(side.open_orders()) == 2, "a killed process cancels nothing"
    until("cancel by the watcher", lambda: len(side.open_orders()) == 1)
    assert side.open_orders()[0]["orderId"] == by_hand["orderId"], "that of somebody else stays"
    until("the watcher's end", lambda: "the lease is over: expired" in log(folder))
    assert "1 orders cancelled, 0 left" in log(folder)
    assert SECRET not in log(folder)
    # The session that goes on learns of it: nothing is assumed, and nothing is placed twice.
    with live(ms.native.Noop(), tmp_path / "other", venues=looked_at(server), size=1.0) as session:
        wait_for(session, "a start", lambda s: s.sequence > 0)
        session.stop()


@pytest.mark.slow
def test_what_a_stopped_process_left_is_cancelled_and_its_return_is_watched(
    server: VenueServer,
    tmp_path: Path,
    home: Path,
    awaited: Callable[..., str],
) -> None:
    side, folder = VenueSide(server.url, "binance"), tmp_path / "run"
    looked_at(server)
    child = trading(side, "binance", folder, home, awaited)
    child.send_signal(signal.SIGSTOP)
    until("cancel by the watcher", lambda: side.open_orders() == [])
    child.send_signal(signal.SIGCONT)
    # It may quote again, or its supervisor halts it, for its kernel did not go round; then it dies.
    until("the sign of life", lambda: "watched on" in log(folder))
    assert "the lease is over" not in log(folder)
    child.send_signal(signal.SIGKILL)
    child.wait()
    until("the watcher's end", lambda: "the lease is over: expired" in log(folder))
    assert log(folder).count("no sign of life") == 2
    assert side.open_orders() == []


def test_a_session_that_ends_in_order_ends_its_lease(server: VenueServer, tmp_path: Path) -> None:
    side, folder = VenueSide(server.url, "binance"), tmp_path / "run"
    venue = looked_at(server)
    with live(Resting, folder, venues=venue, size=1.0, lease="2s") as session:
        wait_for(session, "an order", lambda s: s.open_orders == 1)
        until("the sign of life", (folder / LEASE_FILE).exists)
        # Kept on purpose: the lease must not take it away.
        session.stop(cancel=False)
    assert not (folder / LEASE_FILE).exists()
    until("the watcher's end", lambda: "the lease is over: ended" in log(folder))
    assert len(side.open_orders()) == 1


def test_the_verb_clears_what_a_dead_session_left(
    server: VenueServer, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    awaited: Callable[..., str],
) -> None:  # fmt: skip
    side, folder = VenueSide(server.url, "binance_usdm"), tmp_path / "run"
    looked_at(server, "binance_usdm")
    child = trading(side, "binance_usdm", folder, home, awaited)
    child.send_signal(signal.SIGKILL)
    child.wait()
    monkeypatch.setenv("MAINSPRING_BINANCE_KEY", KEY)
    monkeypatch.setenv("MAINSPRING_BINANCE_SECRET", SECRET)
    words = ["--venue", "binance_usdm", "--symbol", "BTCUSDT", "--url", server.url]
    assert main(["lease", str(folder), *words, "--after", "1s", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["why"] == "expired"
    assert told["cleared"][0]["left"] == 0
    assert side.open_orders() == []
    # The watcher of the session's own was there, too.
    until("the watcher's end", lambda: "the lease is over: expired" in log(folder))


def test_nothing_is_watched_where_no_session_begins(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / LEASE_FILE).write_text("of an older process")
    place = Place({"name": "nowhere"}, (None, None, None))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mainspring.live.lease._BEGIN_S", 0.1)
        assert watch(folder, [place], 1.0, fresh=True, say=print).why == "never_begun"
    with pytest.raises(ConfigError, match="1 s or more"):
        checked_lease(0.5)
