"""`mainspring data record`: a live feed to an event file."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from mainspring.cli.app import Flag, verb_app
from mainspring.cli.exits import Exit
from mainspring.cli.output import Output

if TYPE_CHECKING:
    from mainspring.data.recording import Recorder, Recording

record_app = verb_app("data record", "--venue NAME --symbol SYMBOL")


@record_app.default
def record(
    *,
    venue: str,
    symbol: list[str],
    stream: list[str] | None = None,
    url: str | None = None,
    test: Flag = False,
    proxy: str | None = None,
    name: str | None = None,
    raw: Flag = False,
    copies: int = 1,
    seconds: float | None = None,
    rows: int | None = None,
    replace: Flag = False,
    root: Path | None = None,
    output: Output | None = None,
) -> int:
    """Record a live feed to an event file of the catalog, until Ctrl-C.

    Connections that are lost are made again. Where messages are missing, the file has a gap and
    then a snapshot. Exits 7 when the recording ended by itself; what came before is kept.

    Parameters
    ----------
    venue
        Such as `binance` or `binance_usdm`, or `ccxt:kraken` for one that ccxt speaks to;
        `mainspring data record` needs no key.
    symbol
        The venue's symbol (ccxt's by ccxt, such as `BTC/EUR`); again for several.
    stream
        `book`, `best`, `trades` or `mark`; again for several, all of them without it.
    url
        Another host that stands for the venue's, such as `ws://127.0.0.1:8080`.
    test
        The venue's test network.
    proxy
        `http://host:port` or `socks5://host:port`; `MAINSPRING_PROXY` without it, which is also
        where a password belongs.
    name
        Its name in the catalog; venue, symbol and time without it.
    raw
        Keep the messages as they came beside it, gzipped; by ccxt what its client was told.
    copies
        Connections to each stream; the first copy of a message counts (all but dYdX).
    seconds
        End after so long.
    rows
        End after so many rows.
    replace
        Replace a file of that name.
    root
        The catalog's folder; the data folder (`MAINSPRING_HOME`) without it.
    output
        Flags of every verb.
    """
    from mainspring.data.recording import STREAMS, Recorder
    from mainspring.errors import InvalidValue

    output = output or Output()
    if proxy is not None and "@" in proxy:
        # Other people of this machine see the command line.
        raise InvalidValue("give a proxy with a password by MAINSPRING_PROXY, not by --proxy")
    recorder = Recorder(
        venue,
        symbol,
        streams=stream or STREAMS,
        name=name,
        root=root,
        url=url,
        test=test,
        proxy=proxy,
        raw=raw,
        copies=copies,
        replace=replace,
    )
    try:
        _watch(recorder, seconds, rows, output)
    except KeyboardInterrupt:
        output.note("ending; what was recorded is kept")
    recording = recorder.stop()
    document = {**asdict(recording), "path": _text(recording.path), "raw": _text(recording.raw)}
    output.result(document, lambda: _summary(recording))
    return Exit.PARTIAL if recording.broken or recording.path is None else Exit.OK


def _watch(recorder: Recorder, seconds: float | None, rows: int | None, output: Output) -> None:
    """Waits, and says when the first rows came and every ten seconds how it goes."""
    until = None if seconds is None else time.monotonic() + seconds
    first = recorder.wait(10.0 if seconds is None else min(10.0, seconds), rows=1)
    if first.rows:
        output.note(f"recording: {first.rows:,} rows")
    while not recorder.is_over:
        left = 10.0 if until is None else min(10.0, until - time.monotonic())
        if left <= 0:
            return
        progress = recorder.wait(left, rows=rows)
        if rows is not None and progress.rows >= rows:
            return
        state = "" if progress.fresh else f", feed is down: {progress.last_closed}"
        output.note(f"{progress.rows:,} rows, {progress.gaps} gaps{state}")


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _summary(recording: Recording) -> str:
    if recording.path is None:
        return "nothing came that could be kept" + (
            f": {recording.broken}" * bool(recording.broken)
        )
    lines = [f"{recording.name}: {recording.rows:,} rows, {recording.gaps} gaps, {recording.path}"]
    if recording.raw is not None:
        lines.append(f"{recording.raw_lines:,} messages as they came: {recording.raw}")
    if recording.broken:
        lines.append(f"it ended by itself: {recording.broken}")
    return "\n".join(lines)
