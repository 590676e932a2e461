"""`mainspring events`: what happened in a run or a session, as typed events."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from mainspring.cli import record_source, stored_runs
from mainspring.cli.app import Flag, verb_app
from mainspring.cli.exits import Exit
from mainspring.cli.output import Output
from mainspring.errors import NotFoundError

if TYPE_CHECKING:
    from mainspring.events import Event, Source

app = verb_app("events", "[SOURCE]")


@app.default
def events(
    source: str = stored_runs.LATEST,
    /,
    *,
    kinds: Annotated[list[str] | None, Parameter(name="--type")] = None,
    order: int | None = None,
    correlation: int | None = None,
    since: str | None = None,
    until: str | None = None,
    last: int | None = None,
    follow: Flag = False,
    output: Output | None = None,
) -> int:
    """Show the events of a session's journal or of a stored run, in order.

    With `--follow` it goes on with what comes; `--json` then prints one object on each line.

    Parameters
    ----------
    source
        The folder of a journal, or a run: its folder, its name under `runs/`, or `latest`.
    kinds
        Only this type, such as `OrderFilled`; again for several.
    order
        Only what is about this order.
    correlation
        Only what began with this record.
    since
        From this time on, as `2024-05-01T12:00:00Z` or nanoseconds.
    until
        Before this time.
    last
        Only so many, the newest.
    follow
        Go on with what comes, until Ctrl-C.
    output
        Flags of every verb.
    """
    from mainspring.events import replay

    output = output or Output()
    opened = record_source.open_source(source)
    conditions: dict[str, Any] = {
        "types": _types(kinds),
        "order_id": order,
        "correlation": correlation,
        "since_ns": record_source.time_ns(since),
        "until_ns": record_source.time_ns(until),
    }
    newest = opened.newest
    found = list(replay(opened, **conditions))
    shown = found if last is None else found[len(found) - min(last, len(found)) :]
    if not follow:
        output.result([one.to_dict() for one in shown], lambda: "\n".join(map(_line, shown)))
        return Exit.OK
    for one in shown:
        _print(one, output)
    _follow(opened, newest, conditions, output)
    return Exit.OK


def _follow(opened: Source, after: int, conditions: dict[str, Any], output: Output) -> None:
    """Prints what comes; ends with the source, or with Ctrl-C."""
    from mainspring.events import Bus, select

    def tell(event: Event) -> None:
        for one in select([event], **{**conditions, "types": None}):
            _print(one, output)

    with Bus(opened) as bus:
        told = bus.subscribe(tell, types=conditions["types"], after=after, name="print")
        while told.alive:
            told.wait(sys.maxsize, timeout_s=0.5)
    if told.last_error is not None:
        raise told.last_error


def _types(names: list[str] | None) -> list[type[Event]] | None:
    from mainspring.config.faults import nearest
    from mainspring.events import types

    if names is None:
        return None
    found = []
    for name in names:
        kind = types.by_name(name)
        if kind is None:
            near = nearest(name, {one.lower(): one for one in types.names()})
            proper = {one.lower(): one for one in types.names()}.get(near or "")
            hint = f"did you mean {proper}?" if proper else f"there are {', '.join(types.names())}"
            raise NotFoundError(f"there is no event {name!r}; {hint}")
        found.append(kind)
    return found


def _print(event: Event, output: Output) -> None:
    text = json.dumps(event.to_dict()) if output.json else _line(event)
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _line(event: Event) -> str:
    from mainspring.backtesting.records import time_text

    said = ", ".join(
        f"{name} {value}" for name, value in event.payload().items() if value not in (None, "")
    )
    when = time_text(event.time_ns) if event.time_ns else "-"
    return f"{event.sequence:>9} {when}  {event.name}  {said}"
