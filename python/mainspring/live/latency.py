"""How long the stages of a session's way take, from a venue's bytes to an order."""

from __future__ import annotations

from dataclasses import dataclass

STAGES = (
    "socket",
    "decode",
    "kernel_in",
    "decision",
    "gate",
    "encode",
    "send",
    "acknowledge",
    "tick_to_trade",
)
"""In the order of the way.

`socket`: from the I/O thread's wake-up to a whole message, decrypted and unframed. `decode`: to
rows in ticks and lots, in sequence. `kernel_in`: through the ring to the kernel. `decision`:
book, features, strategy, reconciling, risk and journal, for messages and timers
that led to a request.
`gate`: to the last door and through it. `encode`: to signed bytes. `send`: to the system having
them. `acknowledge`: to the venue's first word about the order. `tick_to_trade`: from the rows of
a message to the system having the order that they led to, all of it together.
"""


@dataclass(frozen=True, slots=True)
class StageLatency:
    """One stage, in nanoseconds; quantiles are off by at most 1/32 of themselves.

    Attributes:
        count: how often it was passed.
        p50_ns: median.
        p90_ns: 90 of 100 were no longer.
        p99_ns: 99 of 100 were no longer.
        p999_ns: 999 of 1000 were no longer.
        max_ns: the longest.
    """

    count: int
    p50_ns: int
    p90_ns: int
    p99_ns: int
    p999_ns: int
    max_ns: int
