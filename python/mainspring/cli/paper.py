"""`mainspring paper`: a session on real time against the built-in venue."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from mainspring.cli import session_config
from mainspring.cli.app import verb_app
from mainspring.cli.exits import Exit
from mainspring.cli.output import Output, cell, table

if TYPE_CHECKING:
    from mainspring.live import LiveSession, Outcome

app = verb_app("paper", "")

PICTURE_S = 0.25
"""Between two looks at the session."""


@app.default
def paper(
    strategy: str | None = None,
    /,
    *,
    out: Path = Path("paper"),
    market: Annotated[list[str] | None, Parameter(negative="")] = None,
    recording: Path | None = None,
    seconds: float | None = None,
    seed: int = 1,
    speed: float = 1.0,
    latency: str = "1ms",
    cash: str | None = None,
    config: Path | None = None,
    words: Annotated[list[str] | None, Parameter(name=("--set", "-e"))] = None,
    rearm: str | None = None,
    keep_orders: Annotated[bool, Parameter(negative="")] = False,
    output: Output | None = None,
) -> int:
    """Trade a strategy on the built-in exchange in real time, until Ctrl-C or for some seconds.

    Orders are filled in the session's kernel by the models of a backtest.

    The folder keeps journal and snapshots: a second start in it goes on with orders and positions.
    SIGUSR1, `mainspring kill FOLDER` or a file FOLDER/KILL halt trading; a halt stays over
    restarts until `--rearm` gives a reason to lift it.

    Parameters
    ----------
    strategy
        `FILE.py`, `FILE.py:CLASS` or `native:NAME`; that of the configuration without it, and
        a small native market maker without either.
    out
        The session's folder.
    market
        Generated markets.
    recording
        Event file to play in place of generated markets; the session ends with it.
    seconds
        How long; until Ctrl-C without it.
    seed
        Seed of the generated flow.
    speed
        How much faster than in reality the market goes.
    latency
        Of requests, answers and the feed, each.
    cash
        Money at the start, in the settlement currency; 100,000 without it.
    config
        Configuration file; `mainspring.toml` of this folder when it is there. Its limits are taken
        up while the session runs when the file changes.
    words
        `key=value` over file and environment, such as `limits.max_position=3`; again for several.
    rearm
        Lifts the halt of an earlier session, with this reason.
    keep_orders
        Leaves open orders open at the end; the next start goes on with them.
    output
        Flags of every verb.
    """
    from mainspring.config import load
    from mainspring.live import PaperVenue, Recording
    from mainspring.live import paper as start

    output = output or Output()
    ways: dict[str, Any] = {"speed": speed, "entry": latency, "response": latency, "feed": latency}
    venue: Recording | PaperVenue
    if recording is not None:
        venue = Recording(recording, **ways)
    else:
        venue = PaperVenue(markets=tuple(market or ("btcusdt",)), seed=seed, **ways)
    session_config.import_all()
    loaded = load(config, words=words or ())
    session = start(
        session_config.strategy_of(strategy, loaded), out, venue=venue, signals=True,
        cash=cash or loaded.config.run.cash or "100000", **session_config.settings(loaded),
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
        # What is beside the session ends after it, so that it sees the end.
        outcome = session.stop(cancel=not keep_orders)
    output.result(_document(session, outcome), lambda: _table(outcome))
    if outcome.broken is not None:
        output.warn(f"the session broke off: {outcome.broken}")
        return Exit.ERROR
    return Exit.OK


def _watch(session: LiveSession, seconds: float | None, output: Output) -> None:
    """Shows what goes on until the end of the time, Ctrl-C, or the session's own end."""
    begun = time.monotonic()
    halted = None
    with output.progress("paper", None, "rows") as bar:
        while seconds is None or time.monotonic() - begun < seconds:
            left = seconds and seconds - (time.monotonic() - begun)
            if not session.wait(min(PICTURE_S, left or PICTURE_S)):
                return
            bar.update(session.status().rows)
            if session.feeds_ended:
                output.note("the recording is over")
                return
            if session.halted != halted:
                halted = session.halted
                if halted:
                    output.warn(f"trading is halted: {halted[0]}: {halted[1]}")


def _document(session: LiveSession, outcome: Outcome) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "folder": str(session.folder),
        "resumed": session.resumed,
        "halted": session.halted,
        **asdict(outcome),
    }


def _table(outcome: Outcome) -> Any:
    status, totals = outcome.status, outcome.status.totals
    rows = [
        ("market rows, since this start", cell(status.rows)),
        ("orders", cell(status.orders)),
        ("cancels", cell(status.cancels)),
        ("fills", cell(status.fills)),
        ("orders and fills since the journal began", f"{totals['orders']:,}, {totals['fills']:,}"),
        ("refused by risk", cell(status.risk_rejects)),
        ("open orders left", cell(status.open_orders)),
        *((f"position {m['symbol']}, lots", cell(m["position_lots"])) for m in status.markets),
        ("journal records", cell(status.sequence)),
        ("time to end, ms", cell(round(outcome.stop_ns / 1e6, 1))),
    ]
    return table("paper session", ("", ""), rows)
