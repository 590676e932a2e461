"""The whole way of a quote, bytes in to signed bytes out: in one thread, and over loopback."""

from __future__ import annotations

import json
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainspring import _core
from mainspring.bench import peers
from mainspring.bench.live import FEATURES, LIMITS, STRATEGY
from mainspring.bench.registry import Session
from mainspring.bench.result import Measurement
from mainspring.bench.timing import process
from mainspring.live.latency import StageLatency

if TYPE_CHECKING:
    from mainspring.backtesting.config import Limits

MESSAGES = 100_000
"""Depth messages of the common workload, 317 bytes on average."""

SIGNATURES = 2_000

SECONDS = 10.0
"""How long each of the two sessions over loopback runs."""


def bytes_to_order(session: Session) -> Iterator[Measurement]:
    """A depth message to the first signed order that it leads to, and to the last (`all_...`).

    Every message that led to some counts. Decoding, sequence, book, features, market maker,
    reconciler, every limit, the journal on the disk and HMAC-SHA256 take part; the venue's model
    answers at once, outside of what is timed, and what the clock alone asks of the session (samples
    of the account, answers that may be overdue) is done between messages, as in a session's loop.
    Beside it the same in plain Python
    (`peers/bytes_to_order.py`): `msgspec` where it is installed, else `json`; books as dicts, a few
    checks for limits, `hmac`, and no journal.
    """
    count = MESSAGES // (100 if session.smoke else 1)
    path = session.workload.folder / "depthUpdate.jsonl"
    with path.open("rb") as file:
        messages = [line.strip() for _, line in zip(range(count), file, strict=False)]
    config = {"run": {"deposits": [["USDT", "1000000000"]], "limits": LIMITS, "features": FEATURES}}
    found = []
    for _ in range(session.repeats):
        folder = session.scratch / "bytes_to_order"
        shutil.rmtree(folder, ignore_errors=True)
        found.append(
            _core.time_bytes_to_order(messages, folder, json.dumps(config), json.dumps(STRATEGY))
        )
        shutil.rmtree(folder)
    name, theirs, versions = _plain_python(session, path, count)
    first, every, _ = zip(*found, strict=True)
    for until, times in (("", first), ("all_", every)):
        for metric, values in zip(("p50_ns", "p99_ns"), zip(*times, strict=True), strict=True):
            yield Measurement(
                "bytes_to_order",
                until + metric,
                "ns",
                statistics.median(values),
                name,
                float(theirs[until + metric]),
                versions,
            )
    _, ed25519, secp256k1 = _core.time_signing(SIGNATURES // (100 if session.smoke else 1))
    yield Measurement("bytes_to_order", "ed25519_sign_ns", "ns", ed25519)
    yield Measurement("bytes_to_order", "secp256k1_sign_ns", "ns", secp256k1)


def _plain_python(
    session: Session, path: Path, count: int
) -> tuple[str, dict[str, Any], dict[str, str]]:
    """The name of the equivalent, its figures, and the version of its parser."""
    version = session.peer("msgspec")
    script = Path(peers.__file__).with_name("bytes_to_order.py")
    interpreter = str(peers.python() if version else sys.executable)
    _, printed = process([interpreter, str(script), str(path), str(count)])
    document: dict[str, Any] = json.loads(printed)
    if version:
        return "python+msgspec", document, {"msgspec": version}
    return "python+json", document, {}


def loopback(session: Session) -> Iterator[Measurement]:
    """A live session on the exchange server over TCP: each stage's share, busy and sleeping apart.

    A virtual machine's wake-up alone can cost 80 to 340 us, so nothing is gated on these figures.
    Server, kernel and I/O thread share the cores of this machine.
    """
    seconds = SECONDS / (10 if session.smoke else 1)
    for mode, busy in (("sleeping", False), ("busy", True)):
        stages = _traded(seconds, busy=busy)
        for stage, latency in stages.items():
            for metric, value in (("p50_us", latency.p50_ns), ("p99_us", latency.p99_ns)):
                yield Measurement("loopback", f"{mode}_{stage}_{metric}", "us", value / 1_000)


def _limits() -> Limits:
    """Bounds that the market maker does not reach."""
    from mainspring.backtesting.config import Limits

    return Limits(
        price_collar_bps=500,
        max_order_qty="1",
        max_order_notional="100000",
        max_position="0.5",
        max_open_orders=100,
    )


def _traded(seconds: float, *, busy: bool) -> dict[str, StageLatency]:
    """Trades on an exchange server of its own; the stages of that session."""
    import mainspring as ms
    from mainspring.exchange import VenueServer
    from mainspring.live import Credentials, Keep, LiveVenue, live

    maker = ms.native.TouchMaker(size="0.01", max_position="0.1", every="20ms")
    keep = Keep(busy_poll=busy)
    credentials = Credentials(key="simulator-key", secret="simulator-secret")  # noqa: S106
    with (
        tempfile.TemporaryDirectory() as folder,
        VenueServer(markets=("btcusdt",), speed=5.0) as server,
    ):
        place = LiveVenue("binance_usdm", ["BTCUSDT"], credentials, url=server.ws_url)
        place.check()
        with live(maker, folder, venues=place, size=1.0, keep=keep, limits=_limits()) as session:
            session.wait(seconds)
            return session.latency()
