"""`mainspring paper`: a session on real time against the built-in venue."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from mainspring.cli import session_config, session_run
from mainspring.cli.app import verb_app
from mainspring.cli.output import Output

app = verb_app("paper", "")


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
    how = session_run.Ending("paper", seconds, rearm, keep_orders)
    return session_run.run(session, loaded, how, output)
