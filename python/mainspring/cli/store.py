"""`mainspring store`: the SQLite store of a session: make it, keep it, ask it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from mainspring.cli import record_source
from mainspring.cli.app import Flag, verb_app
from mainspring.cli.exits import Exit
from mainspring.cli.output import Output, table
from mainspring.errors import InvalidValue

if TYPE_CHECKING:
    from mainspring.config import Config

app = verb_app("store", summary="Make, keep and ask the SQLite store of a session or a run.")


def _command(name: str, words: str = "") -> App:
    made = verb_app(f"store {name}", words)
    app.command(made, name=name)
    return made


@_command("rebuild", "SOURCE").default
def rebuild(
    source: str,
    /,
    *,
    path: Path | None = None,
    config: Path | None = None,
    output: Output | None = None,
) -> None:
    """Make the store anew from a journal or a run, in place of what is there.

    Parameters
    ----------
    source
        The folder of a journal, or a run.
    path
        The database; `store.path` of the configuration without it.
    config
        Configuration file; `mainspring.toml` of this folder when it is there.
    output
        Flags of every verb.
    """
    from mainspring.store import rebuild as make

    output = output or Output()
    target = path or _config(config).store.path
    opened = record_source.open_source(source)
    began = time.monotonic()
    with output.progress("rebuilding", opened.newest, "records") as bar:
        position = make(opened, target, progress=bar.update)
    took = time.monotonic() - began
    document = {"store": str(target), "position": position, "seconds": round(took, 3)}
    output.result(document, lambda: f"{target}: {position:,} records in {took:.1f} s")


@_command("follow", "SOURCE").default
def follow(
    source: str,
    /,
    *,
    path: Path | None = None,
    config: Path | None = None,
    once: Flag = False,
    output: Output | None = None,
) -> int:
    """Keep the store of a session beside it, in a process of its own, until Ctrl-C.

    It goes on where it was. A locked or slow database makes it late and disturbs nobody.

    Parameters
    ----------
    source
        The folder of a journal.
    path
        The database; `store.path` of the configuration without it.
    config
        Configuration file; `mainspring.toml` of this folder when it is there.
    once
        Only up to what is there now.
    output
        Flags of every verb.
    """
    from mainspring.store import StoreWriter
    from mainspring.strategy.time_text import duration_ns

    output = output or Output()
    settings = _config(config).store
    opened = record_source.open_source(source)
    writer = StoreWriter(
        opened,
        path or settings.path,
        batch=settings.batch,
        flush_every_s=duration_ns(settings.flush_every) / 1e9,
    )
    with writer:
        _keep(writer, output, once=once)
    document = {"store": str(writer.path), "position": writer.written, "lag": writer.lag}
    output.result(document, lambda: f"{writer.path}: up to record {writer.written:,}")
    return Exit.OK


def _keep(writer: Any, output: Output, *, once: bool) -> None:
    """Waits for the writer and says when the database refuses, and when it takes again."""
    said: str | None = None
    try:
        while not (writer.wait(timeout_s=1.0) and once):
            error = str(writer.last_error) if writer.last_error is not None else None
            if error != said:
                output.note(f"{error}: {writer.lag:,} records wait" if error else "written again")
                said = error
            time.sleep(0.0 if once else 0.2)
    except KeyboardInterrupt:
        output.note("ending")


@_command("query", "QUESTION").default
def query(
    question: str,
    /,
    *,
    where: Annotated[list[str] | None, Parameter(name="--where")] = None,
    since: str | None = None,
    until: str | None = None,
    last: int | None = None,
    limit: int = 1_000,
    path: Path | None = None,
    config: Path | None = None,
    output: Output | None = None,
) -> None:
    """Ask the store: the rows of a table, or any SELECT.

    Parameters
    ----------
    question
        `orders`, `transitions`, `fills`, `positions`, `equity`, `risk_decisions`, `counters`,
        `events`, or SQL.
    where
        `column=value` that rows of a table must have, such as `order_id=3`; again for several.
    since
        From this time on, as `2024-05-01T12:00:00Z` or nanoseconds.
    until
        Before this time.
    last
        Only so many rows of a table, the newest.
    limit
        At most so many rows.
    path
        The database; `store.path` of the configuration without it.
    config
        Configuration file; `mainspring.toml` of this folder when it is there.
    output
        Flags of every verb.
    """
    from mainspring.store import Store

    output = output or Output()
    if limit < 1:
        raise InvalidValue(f"--limit {limit}: give 1 or more")
    is_sql = " " in question.strip()
    if is_sql and (where or since or until or last is not None):
        raise InvalidValue("--where, --since, --until and --last are for tables; write them in SQL")
    with Store(path or _config(config).store.path) as store:
        if is_sql:
            rows = store.query(question, limit=limit)
        else:
            rows = store.rows(
                question,
                since_ns=record_source.time_ns(since),
                until_ns=record_source.time_ns(until),
                last=last,
                limit=limit,
                **_equal(where or ()),
            )
    output.result(rows, lambda: _table(rows))


def _equal(words: list[str] | tuple[str, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for word in words:
        column, equals, value = word.partition("=")
        if not equals:
            raise InvalidValue(f"--where {word!r}: write column=value")
        found[column] = int(value) if value.lstrip("-").isdigit() else value
    return found


def _table(rows: list[dict[str, Any]]) -> Any:
    if not rows:
        return "no rows"
    # Counts of nanoseconds and ids are not sums: no separators.
    cells = [[v if v is None else str(v) for v in row.values()] for row in rows]
    return table("", list(rows[0]), cells)


def _config(path: Path | None) -> Config:
    from mainspring.config import load_config

    return load_config(path)
