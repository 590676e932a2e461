"""msgspec over the messages of a file, one a line: nanoseconds of one, as JSON."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import msgspec


class Message(msgspec.Struct):
    """The fields of every kind that a book needs; others are skipped."""

    e: str = ""
    E: int = 0
    T: int = 0
    s: str = ""
    u: int = 0
    U: int = 0
    pu: int = 0
    p: str = ""
    q: str = ""
    b: str | list[tuple[str, str]] = ""
    a: int | str | list[tuple[str, str]] = ""
    B: str = ""
    A: str = ""
    m: bool = False


class Wrapped(msgspec.Struct):
    """The envelope of combined streams."""

    stream: str
    data: Message


def main() -> None:
    """Times the file five times and prints the fastest."""
    bare, wrapped = msgspec.json.Decoder(Message), msgspec.json.Decoder(Wrapped)
    lines = Path(sys.argv[1]).read_bytes().split(b"\n")
    pairs = [
        ((wrapped if line.startswith(b'{"stream"') else bare).decode, line)
        for line in lines
        if line.startswith((b'{"stream"', b'{"e"', b'{"u"'))
    ]
    best = float("inf")
    for _ in range(5):
        begin = time.perf_counter_ns()
        for decode, line in pairs:
            decode(line)
        best = min(best, (time.perf_counter_ns() - begin) / max(len(pairs), 1))
    print(json.dumps({"ns_per_message": best}))


if __name__ == "__main__":
    main()
