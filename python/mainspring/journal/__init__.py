"""Journals of sessions: read them, tail them while they are written, check them, look at a moment.

A journal is a folder of mapped files that one session writes and any process on the machine reads
in place. Reading slows the session down by nothing.

    >>> import mainspring as ms                                               # doctest: +SKIP
    >>> for record in ms.journal.open("runs/live").records(types=["fill"]):   # doctest: +SKIP
    ...     print(record.time_ns, record.fields["symbol"], record.fields["price"])
"""

from __future__ import annotations

from mainspring.journal.reading import (
    KINDS,
    Cursor,
    Gap,
    Journal,
    Record,
    Sources,
    open,  # noqa: A004 - read as journal.open
    rehearse,
)

__all__ = ["KINDS", "Cursor", "Gap", "Journal", "Record", "Sources", "open", "rehearse"]
