"""`mainspring live`: a strategy on venues outside, with real orders."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from mainspring.cli import session_config
from mainspring.cli.app import verb_app
from mainspring.cli.exits import Exit
from mainspring.cli.output import Output, cell, table

if TYPE_CHECKING:
    from mainspring.live import LiveSession, Outcome

app = verb_app("live", "[STRATEGY]")

PICTURE_S = 0.25
"""Between two looks at the session."""


@app.default
def live(
    strategy: str | None = None,
    /,
    *,
    venue: str,
    symbol: Annotated[list[str], Parameter(negative="")],
    size: float,
    out: Path = Path("live"),
    credentials: str = "env",
    url: str | None = None,
    test: bool = False,
    account_number: int = 0,
    proxy: str | None = None,
    on_disconnect: Literal["cancel", "keep"] = "cancel",
    countdown: str = "30s",
    stale: str = "5s",
    seconds: float | None = None,
    cash: str | None = None,
    config: Path | None = None,
    words: Annotated[list[str] | None, Parameter(name=("--set", "-e"))] = None,
    rearm: str | None = None,
    keep_orders: Annotated[bool, Parameter(negative="")] = False,
    output: Output | None = None,
) -> int:
    """Trade a strategy on a venue with real orders, until Ctrl-C or for some seconds.

    The venue has to have passed `mainspring connect VENUE --check` within the last day. The folder
    keeps journal and snapshots: a second start in it asks the venue what happened meanwhile and
    goes on. SIGUSR1, `mainspring kill FOLDER` or a file FOLDER/KILL halt trading; a halt stays over
    restarts until `--rearm` gives a reason to lift it. Several venues at once: `ms.live.live`.

    Parameters
    ----------
    strategy
        `FILE.py`, `FILE.py:CLASS` or `native:NAME`; that of the configuration without it.
    venue
        Its name, such as `binance_usdm`.
    symbol
        An instrument as the venue writes it; again for several.
    size
        Share of every quantity that is carried out, above 0 and up to 1: begin small.
    out
        The session's folder.
    credentials
        Where the key is: `env`, `keyring` or `file:PATH`.
    url
        Another place than the venue's own, such as a simulator on this machine.
    test
        The venue's test network.
    account_number
        Number of the account on the chain (dYdX).
    proxy
        An HTTP or SOCKS5 proxy.
    on_disconnect
        What becomes of our orders when the venue cannot be heard.
    countdown
        The venue cancels our orders after so long without us, where it can; 0 for never.
    stale
        Market data is not quoted on after so much silence.
    seconds
        How long; until Ctrl-C without it.
    cash
        Money at the start; without it what the venue says.
    config
        Configuration file; `mainspring.toml` of this folder when it is there.
    words
        `key=value` over file and environment; again for several.
    rearm
        Lifts the halt of an earlier session, with this reason.
    keep_orders
        Leaves open orders open at the end; the next start goes on with them.
    output
        Flags of every verb.
    """
    from mainspring.config import load
    from mainspring.live import LiveVenue
    from mainspring.live import live as start
    from mainspring.live.credentials import find

    output = output or Output()
    place = LiveVenue(
        venue, symbol, credentials=find(venue, credentials), url=url, test=test,
        account_number=account_number, proxy=proxy, on_disconnect=on_disconnect,
        countdown=countdown, stale=stale,
    )  # fmt: skip
    session_config.import_all()
    loaded = load(config, words=words or ())
    session = start(
        session_config.strategy_of(strategy, loaded), out, venues=place, size=size, signals=True,
        cash=cash or loaded.config.run.cash, **session_config.settings(loaded),
    )  # fmt: skip
    if session.resumed:
        output.note(f"goes on with the session in {out}")
    if rearm is not None:
        session.rearm(rearm)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(session_config.beside(session, loaded, output))
            _watch(session, seconds, output)
        except KeyboardInterrupt:
            output.note("ending: open orders are being cancelled")
        outcome = session.stop(cancel=not keep_orders)
    output.result(_document(session, outcome), lambda: _table(session, outcome))
    if outcome.broken is not None:
        output.warn(f"the session broke off: {outcome.broken}")
        return Exit.ERROR
    return Exit.OK


def _watch(session: LiveSession, seconds: float | None, output: Output) -> None:
    """Shows what goes on until the end of the time, Ctrl-C, or the session's own end."""
    begun = time.monotonic()
    halted = None
    told: set[tuple[int, str]] = set()
    with output.progress("live", None, "rows") as bar:
        while seconds is None or time.monotonic() - begun < seconds:
            left = seconds and seconds - (time.monotonic() - begun)
            if not session.wait(min(PICTURE_S, left or PICTURE_S)):
                return
            bar.update(session.status().rows)
            if session.halted != halted:
                halted = session.halted
                if halted:
                    output.warn(f"trading is halted: {halted[0]}: {halted[1]}")
            _tell_notes(session, told, output)


def _tell_notes(session: LiveSession, told: set[tuple[int, str]], output: Output) -> None:
    """Says what venues' sessions found worth a word, once."""
    for venue in session.venues():
        for note in venue.notes:
            key = (note["time_ns"], note["text"])
            if key in told or note["level"] == "info":
                continue
            told.add(key)
            output.warn(f"{venue.venue}: {note['topic']}: {note['text']}")


def _document(session: LiveSession, outcome: Outcome) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "folder": str(session.folder),
        "resumed": session.resumed,
        "halted": session.halted,
        "venues": [asdict(venue) for venue in session.venues()],
        **asdict(outcome),
    }


def _table(session: LiveSession, outcome: Outcome) -> Any:
    status = outcome.status
    rows = [
        ("market rows", cell(status.rows)),
        ("orders", cell(status.orders)),
        ("cancels", cell(status.cancels)),
        ("fills", cell(status.fills)),
        ("refused by risk", cell(status.risk_rejects)),
        ("open orders left", cell(status.open_orders)),
        *((f"position {m['symbol']}, lots", cell(m["position_lots"])) for m in status.markets),
        *((f"connections of {v.venue} lost", cell(v.closed)) for v in session.venues()),
        ("journal records", cell(status.sequence)),
        ("time to end, ms", cell(round(outcome.stop_ns / 1e6, 1))),
    ]
    return table("live session", ("", ""), rows)
