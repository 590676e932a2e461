"""Event files: making them of raw messages, and reading them."""

from __future__ import annotations

import gzip
import heapq
import json
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from mainspring import _core
from mainspring.bench import peers
from mainspring.bench.registry import Session
from mainspring.bench.result import Measurement
from mainspring.bench.timing import in_turn
from mainspring.bench.workload import FEED_LATENCY_NS, contract

STREAMS = {
    "depthUpdate": "btcusdt@depth@0ms",
    "bookTicker": "btcusdt@bookTicker",
    "aggTrade": "btcusdt@aggTrade",
}


def scan(session: Session) -> Iterator[Measurement]:
    """Every row of a mapped file touched, beside the same loop over plain memory."""
    path = session.workload.event_file()
    _core.scan_event_file(path)
    passes = [_core.scan_event_file(path) for _ in range(3 * session.repeats)]
    size = passes[0][0]
    ours = 1e9 * size / statistics.median(one[2] for one in passes)
    floor = 1e9 * size / statistics.median(one[3] for one in passes)
    yield Measurement("scan", "bytes_per_s", "bytes/s", ours, "floor", floor)


def imports(session: Session) -> Iterator[Measurement]:
    """Raw Binance USD-M messages to an event file: rows written a second.

    The peer's converter reads the same recording, gzipped as it needs it, into its own arrays in
    memory, which are counted as its rows; we write, checksum and name a file.
    """
    from mainspring.data.importers import import_report

    recording = raw_recording(session)
    output = session.scratch / "imported.mse"

    def ours() -> float:
        begin = time.perf_counter()
        report = import_report(recording, "binance", output, instrument=contract("BTCUSDT"))
        return report.rows / (time.perf_counter() - begin)

    sides: dict[str, Callable[[], float]] = {"ours": ours}
    version = session.peer("hftbacktest")
    if version:
        path = str(recording)

        def peer() -> float:
            line = peers.run("hftbacktest_import.py", path)[1]
            return float(line["rows"]) / float(line["seconds"])

        sides["peer"] = peer
    figures = in_turn(sides, session.repeats, warm_ups=0 if session.smoke else 1)
    versions = {"hftbacktest": version} if version else {}
    yield Measurement(
        "import",
        "rows_per_s",
        "rows/s",
        figures["ours"],
        "hftbacktest",
        figures.get("peer"),
        versions,
    )


def raw_recording(session: Session) -> Path:
    """The workload's JSON messages as a recorder would have written them, in receive order.

    The snapshot stands behind the first update, which names the symbol, and before what follows it.
    """
    folder = session.workload.folder
    path = folder / "usdm_btcusdt.gz"
    if path.exists():
        return path
    streams = [_received(folder / f"{kind}.jsonl", stream) for kind, stream in STREAMS.items()]
    with gzip.open(path, "wt", compresslevel=1, encoding="utf-8") as out:
        snapshot_due = True
        for received, line in heapq.merge(*streams):
            out.write(f"{received} {line}\n")
            if snapshot_due and '"depthUpdate"' in line:
                at = received // 1_000_000
                empty = {"lastUpdateId": 999, "E": at, "T": at, "bids": [], "asks": []}
                out.write(f"{received} {json.dumps(empty)}\n")
                snapshot_due = False
    return path


def _received(path: Path, stream: str) -> Iterator[tuple[int, str]]:
    """Messages of one stream with the time they were received."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            message = json.loads(line)
            received = message["T"] * 1_000_000 + FEED_LATENCY_NS
            yield received, f'{{"stream":"{stream}","data":{line.strip()}}}'
