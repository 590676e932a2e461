"""What tests of sessions share."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import mainspring as ms
from mainspring.live import LiveSession, PaperVenue, Status

FAST = PaperVenue(speed=20)


def wait_for(session: LiveSession, what: str, until: Callable[[Status], bool]) -> Status:
    """The first status that is as wanted."""
    begun = time.monotonic()
    while not until(status := session.status()):
        assert time.monotonic() - begun < 60, f"no {what}: {status}, {session.entries}"
        assert not session.has_ended, f"no {what}: ended, {session.entries}"
        time.sleep(0.005)
    return status


def until(what: str, check: Callable[[], bool], seconds: float = 60.0) -> None:
    """Waits for something that is not in the status, and asks less and less often: venues count."""
    begun, nap_s = time.monotonic(), 0.01
    while not check():
        assert time.monotonic() - begun < seconds, f"no {what}"
        time.sleep(nap_s)
        nap_s = min(1.1 * nap_s, 0.25)


def new_orders(session: LiveSession, more: int = 4) -> int:
    """Waits for some more orders; the sequence before them."""
    before = wait_for(session, "a picture", lambda s: s.sequence > 0)
    wait_for(session, "more orders", lambda s: s.orders >= before.orders + more)
    return before.sequence


def settles(session: LiveSession, sizes: dict[int, set[int]], more: int = 4) -> None:
    """Waits until every order of some in a row has its strategy's size.

    What was decided before a change may still be on its way after it.
    """
    begun = time.monotonic()
    while (found := sizes_of(session, new_orders(session, more))) != sizes:
        assert time.monotonic() - begun < 60, f"{found}, not {sizes}"


def sizes_of(session: LiveSession, after: int) -> dict[int, set[int]]:
    """Quantities of the orders behind a record that add to positions, in lots, by strategy."""
    sizes: dict[int, set[int]] = {}
    for one in ms.journal.open(session.folder).records(types=["new_order"]):
        if one.sequence > after and not one.fields["reduce_only"]:
            sizes.setdefault(one.fields["strategy"], set()).add(one.fields["qty_lots"])
    return sizes


def notices(folder: Path) -> list[str]:
    """What the engine said in a session's journal."""
    found = ms.journal.open(folder).records(types=["notice"])
    return [record.fields["text"] for record in found]
