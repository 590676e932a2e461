"""Venue messages from bytes to the applied book, beside parsers of JSON in Python."""

from __future__ import annotations

import gzip
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from mainspring import _core
from mainspring.bench import peers
from mainspring.bench.registry import Session
from mainspring.bench.result import Measurement

MESSAGES = 20_000
"""Messages of each kind that are timed."""


def codec(session: Session) -> Iterator[Measurement]:
    """Each kind of message of the common workload, and the recorded USD-M mix where it is there.

    The peer is `msgspec` with a typed decoder where it is installed, else `json` of the standard
    library. Both stop at Python objects: they fill no book. nautilus_trader's adapter, where it is
    installed, reads the same messages to its own objects and book.
    """
    folder = session.workload.folder
    count = MESSAGES // 20 if session.smoke else MESSAGES
    depth = _lines(folder / "depthUpdate.jsonl", 20 * count)
    kinds = {
        "ns_per_bookticker": _lines(folder / "bookTicker.jsonl", count),
        "ns_per_trade": _lines(folder / "aggTrade.jsonl", count),
        "ns_per_depth9": [one for one in depth if _levels(one) == 9][:count],
        "ns_per_depth68": [_deep(68)] * (count // 4),
    }
    for metric, messages in kinds.items():
        ours = min(_core.time_codec(messages, "BTCUSDT", "0.1", "0.001")[0] for _ in range(3))
        name, theirs, versions = _peer(session, messages)
        yield Measurement("codec", metric, "ns", ours, name, theirs, versions)
        yield from _nautilus(session, metric, messages, ours)
    mix = _recorded() or [one for kind in kinds.values() for one in kind]
    ours = min(_core.time_codec(mix, "BTCUSDT", "0.1", "0.001")[0] for _ in range(3))
    name, theirs, versions = _peer(session, mix)
    yield Measurement("codec", "messages_per_s", "rows/s", 1e9 / ours, name, 1e9 / theirs, versions)


def _lines(path: Path, count: int) -> list[bytes]:
    with path.open("rb") as file:
        return [line.strip() for _, line in zip(range(count), file, strict=False)]


def _levels(message: bytes) -> int:
    return message.count(b'["')


def _deep(levels: int) -> bytes:
    """A depth message with so many levels on both sides together."""
    side = levels // 2
    bids = ",".join(f'["{100_000 - n / 10:.2f}","{n / 1000 + 1:.3f}"]' for n in range(side))
    asks = ",".join(f'["{100_000.1 + n / 10:.2f}","{n / 1000 + 1:.3f}"]' for n in range(side))
    head = '"e":"depthUpdate","E":1700000000024,"T":1700000000023,"s":"BTCUSDT"'
    return f'{{{head},"U":1000,"u":1039,"pu":999,"b":[{bids}],"a":[{asks}]}}'.encode()


def _recorded() -> list[bytes]:
    """The messages of a recording of all three streams, where the recordings are there."""
    root = Path(os.environ.get("MAINSPRING_SHARED", Path.cwd().parent / "shared"))
    path = root / "data" / "binance-raw-2024" / "usdm_btcusdt_20240808.gz"
    if not path.exists():
        return []
    with gzip.open(path, "rb") as file:
        return [line.partition(b" ")[2].strip() for line in file]


def _peer(session: Session, messages: Sequence[bytes]) -> tuple[str, float, dict[str, str]]:
    """The name of the peer, its nanoseconds of one message, and its version."""
    version = session.peer("msgspec")
    if version:
        path = session.scratch / "messages.jsonl"
        path.write_bytes(b"\n".join(messages))
        document = peers.run("msgspec_parse.py", str(path))[1]
        return "msgspec", float(document["ns_per_message"]), {"msgspec": version}
    return "json", _time_parse(json.loads, messages), {}


def _nautilus(
    session: Session, metric: str, messages: Sequence[bytes], ours: float
) -> Iterator[Measurement]:
    """The same messages by nautilus_trader's Binance adapter, where it is installed."""
    version = session.peer("nautilus_trader")
    if not version:
        return
    path = session.scratch / "messages.jsonl"
    path.write_bytes(b"\n".join(messages[: MESSAGES // 4]))
    document = peers.run("nautilus_parse.py", str(path))[1]
    if document["messages"]:
        theirs, versions = float(document["ns_per_message"]), {"nautilus_trader": version}
        yield Measurement("codec", metric, "ns", ours, "nautilus_trader", theirs, versions)


def _time_parse(parse: Callable[[bytes], object], messages: Sequence[bytes]) -> float:
    best = float("inf")
    for _ in range(5):
        begin = time.perf_counter_ns()
        for message in messages:
            parse(message)
        best = min(best, (time.perf_counter_ns() - begin) / len(messages))
    return best
