"""How quickly a session lets go: from a kill to no open order, from the order to end to its end."""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mainspring.bench.registry import Session
from mainspring.bench.result import Measurement
from mainspring.errors import MainspringError

if TYPE_CHECKING:
    from mainspring.live import LiveSession

PATIENCE_S = 30.0

ROUNDS = 7
"""Sessions that are killed and ended, each anew."""


def shutdown(session: Session) -> Iterator[Measurement]:
    """A session with orders open at a venue over loopback: killed once, ended once.

    `kill_ms` is from the call to no open order left here by the venue's word, `stop_ms` from the
    order to end, with orders open, to the journal being whole on the disk, and `stop_max_ms` the
    longest of them. Every journal is verified, and has to have every order ended.
    """
    rounds = 1 if session.smoke else ROUNDS
    kills: list[float] = []
    stops: list[float] = []
    for _ in range(rounds):
        folder = session.scratch / "shutdown"
        kills.append(_once(folder, _kill))
        stops.append(_once(folder, _stop))
    yield Measurement("shutdown", "kill_ms", "ms", statistics.median(kills))
    yield Measurement("shutdown", "stop_ms", "ms", statistics.median(stops))
    yield Measurement("shutdown", "stop_max_ms", "ms", max(stops))


def _once(folder: Path, end: Callable[[LiveSession], float]) -> float:
    """Milliseconds that the end of one session takes; its journal holds everything."""
    from mainspring import native
    from mainspring.exchange import VenueServer
    from mainspring.journal import open as open_journal
    from mainspring.live import Credentials, LiveVenue, live

    shutil.rmtree(folder, ignore_errors=True)
    maker = native.TouchMaker(size="0.01", max_position="0.1", every="20ms")
    credentials = Credentials(key="simulator-key", secret="simulator-secret")  # noqa: S106
    with VenueServer(markets=("btcusdt",)) as server:
        place = LiveVenue("binance_usdm", ["BTCUSDT"], credentials, url=server.ws_url)
        place.check()
        with live(maker, folder, venues=place, size=1.0) as running:
            _wait(running, lambda: running.status().open_orders > 0, "an open order")
            took_ms = end(running)
            outcome = running.stop()
    if outcome.broken is not None or outcome.status.open_orders:
        raise MainspringError(f"the session did not end in order: {outcome}")
    findings = open_journal(folder).verify()["findings"]
    if findings:
        raise MainspringError(f"its journal is not whole: {findings}")
    shutil.rmtree(folder)
    return took_ms


def _kill(running: LiveSession) -> float:
    begun = time.perf_counter_ns()
    running.kill("a measurement")
    _wait(running, lambda: running.status().open_orders == 0, "no open order")
    return (time.perf_counter_ns() - begun) / 1e6


def _stop(running: LiveSession) -> float:
    return running.stop().stop_ns / 1e6


def _wait(running: LiveSession, reached: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + PATIENCE_S
    while not reached():
        if time.monotonic() > until:
            raise MainspringError(f"{what} did not come within {PATIENCE_S:.0f} s")
        running.wait(0.0005)
