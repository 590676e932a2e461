"""A session in the foreground: watched until its end, which is told."""

from __future__ import annotations

import contextlib
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from mainspring.cli import session_config
from mainspring.cli.exits import Exit
from mainspring.cli.output import Output, cell, table

if TYPE_CHECKING:
    from mainspring.config import Loaded
    from mainspring.live import LiveSession, Outcome

PICTURE_S = 0.25
"""Between two looks at the session."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a session in the foreground goes on and ends.

    Attributes:
        verb: The verb that runs it.
        seconds: How long; until Ctrl-C without it.
        rearm: The reason for lifting the halt of an earlier session.
        keep_orders: Whether open orders stay at the venue.
    """

    verb: str
    seconds: float | None
    rearm: str | None
    keep_orders: bool


@dataclass(slots=True)
class _Told:
    """What was said already, so that it is said once."""

    halted: tuple[str, str] | None = None
    failures: set[str] = field(default_factory=set)
    notes: set[tuple[int, str]] = field(default_factory=set)


def run(session: LiveSession, loaded: Loaded, how: Ending, output: Output) -> int:
    """Watches a session until its time is over, Ctrl-C, or its own end; tells how it ended."""
    if session.resumed:
        output.note(f"goes on with the session in {session.folder}")
    if how.rearm is not None:
        session.rearm(how.rearm)
    told = _Told()
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(session_config.beside(session, loaded, output))
            _watch(session, how, told, output)
        except KeyboardInterrupt:
            output.note("ending: open orders are being cancelled")
        _tell(session, told, output)
        # What is beside the session ends after it, so that it sees the end.
        outcome = session.stop(cancel=not how.keep_orders)
    output.result(_document(session, outcome), lambda: _table(how.verb, session, outcome))
    if outcome.broken is not None:
        output.warn(f"the session broke off: {outcome.broken}")
        return Exit.ERROR
    return Exit.ERROR if told.failures else Exit.OK


def _watch(session: LiveSession, how: Ending, told: _Told, output: Output) -> None:
    begun = time.monotonic()
    with output.progress(how.verb, None, "rows") as bar:
        while how.seconds is None or time.monotonic() - begun < how.seconds:
            left = how.seconds and how.seconds - (time.monotonic() - begun)
            if not session.wait(min(PICTURE_S, left or PICTURE_S)):
                return
            bar.update(session.status().rows)
            if session.feeds_ended:
                output.note("the recording is over")
                return
            _tell(session, told, output)


def _tell(session: LiveSession, told: _Told, output: Output) -> None:
    """Says what needs a word: a halt, strategies that stopped, warnings of venues' sessions."""
    if session.halted != told.halted:
        told.halted = session.halted
        if told.halted:
            output.warn("trading is halted: {}: {}".format(*told.halted))
    for failure in session.failures:
        if failure not in told.failures:
            told.failures.add(failure)
            output.warn(f"a strategy stopped, the session goes on without it: {failure}")
    for venue in session.venues():
        for note in venue.notes:
            key = (note["time_ns"], note["text"])
            if key in told.notes or note["level"] == "info":
                continue
            told.notes.add(key)
            output.warn(f"{venue.venue}: {note['topic']}: {note['text']}")


def _document(session: LiveSession, outcome: Outcome) -> dict[str, Any]:
    document = {
        "folder": str(session.folder),
        "resumed": session.resumed,
        "halted": session.halted,
        **asdict(outcome),
    }
    outside = [asdict(venue) for venue in session.venues()]
    return {**document, "venues": outside} if outside else document


def _table(verb: str, session: LiveSession, outcome: Outcome) -> Any:
    status, totals = outcome.status, outcome.status.totals
    rows = [
        ("market rows, since this start", cell(status.rows)),
        ("orders", cell(status.orders)),
        ("cancels", cell(status.cancels)),
        ("fills", cell(status.fills)),
        ("orders and fills since the journal began", f"{totals['orders']:,}, {totals['fills']:,}"),
        ("refused by risk", cell(status.risk_rejects)),
        ("open orders left", cell(status.open_orders)),
        *((_position_name(status.markets, m), cell(m["position_lots"])) for m in status.markets),
        *((f"connections of {v.venue} lost", cell(v.closed)) for v in session.venues()),
        ("journal records", cell(status.sequence)),
        ("time to end, ms", cell(round(outcome.stop_ns / 1e6, 1))),
    ]
    return table(f"{verb} session", ("", ""), rows)


def _position_name(markets: list[dict[str, Any]], market: dict[str, Any]) -> str:
    """With the venue where several trade one symbol."""
    symbol = market["symbol"]
    alone = sum(one["symbol"] == symbol for one in markets) == 1
    return f"position {symbol if alone else market['venue'] + ':' + symbol}, lots"
