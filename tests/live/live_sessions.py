"""What tests of sessions share."""

from __future__ import annotations

import time
from collections.abc import Callable

import mainspring as ms
from mainspring.live import LiveSession, PaperVenue, Status

FAST = PaperVenue(speed=20)


def wait_for(session: LiveSession, what: str, until: Callable[[Status], bool]) -> Status:
    """The first status that is as wanted."""
    begun = time.monotonic()
    while not until(status := session.status()):
        assert time.monotonic() - begun < 30, f"no {what}: {status}, {session.entries}"
        assert not session.has_ended, f"no {what}: ended, {session.entries}"
        time.sleep(0.005)
    return status


def order_sizes(session: LiveSession, after: int) -> set[int]:
    """Quantities of the orders that the journal has after a record, in lots."""
    records = ms.journal.open(session.folder).records(types=["new_order"])
    return {one.fields["qty_lots"] for one in records if one.sequence > after}
