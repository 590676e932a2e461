"""`mainspring paper`: a session on real time whose orders never leave."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from mainspring.backtesting.config import FillModel
from mainspring.cli import session_config, session_run
from mainspring.cli.app import verb_app
from mainspring.cli.live import CCXT, by_venue, is_ccxt, of_venues
from mainspring.cli.output import Output
from mainspring.errors import InvalidValue

app = verb_app("paper", "")


@app.default
def paper(
    strategy: str | None = None,
    /,
    *,
    out: Path = Path("paper"),
    market: Annotated[list[str] | None, Parameter(negative="")] = None,
    recording: Path | None = None,
    venue: Annotated[list[str] | None, Parameter(negative="")] = None,
    symbol: Annotated[list[str] | None, Parameter(negative="")] = None,
    url: Annotated[list[str] | None, Parameter(negative="")] = None,
    test: bool = False,
    proxy: str | None = None,
    seconds: float | None = None,
    seed: int = 1,
    speed: float = 1.0,
    latency: str = "1ms",
    fill_model: FillModel | None = None,
    cash: str | None = None,
    config: Path | None = None,
    words: Annotated[list[str] | None, Parameter(name=("--set", "-e"))] = None,
    rearm: str | None = None,
    keep_orders: Annotated[bool, Parameter(negative="")] = False,
    output: Output | None = None,
) -> int:
    """Trade a strategy on paper in real time, until Ctrl-C or for some seconds.

    Market data comes from the built-in exchange, a recording, or venues outside, without a key.
    Orders are filled in the session's kernel by the models of a backtest, or with `--fill-model
    matching` in one book with the orders of generated flow or of a recording of orders.

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
    venue
        Venue whose market data is taken in place of generated markets, such as `binance_usdm`, or
        `ccxt:NAME` for one that only ccxt speaks to, which is slower; again for several.
    symbol
        An instrument as the venue writes it (as ccxt does with `ccxt:NAME`); again for several.
        With several venues `VENUE:SYMBOL`.
    url
        Another place than the venue's own, such as a simulator on this machine; `VENUE=URL` for one
        of several venues.
    test
        The venues' test networks.
    proxy
        `http://host:port` or `socks5://host:port` to venues; `MAINSPRING_PROXY` without it, which
        is also where a password belongs.
    seconds
        How long; until Ctrl-C without it.
    seed
        Seed of the generated flow.
    speed
        How much faster than in reality the market goes.
    latency
        Of requests, answers and the feed, each.
    fill_model
        How orders are filled; that of the configuration without it.
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
    from mainspring.cli.run_options import venue_of
    from mainspring.config import load
    from mainspring.live import PaperVenue, Recording
    from mainspring.live import paper as start
    from mainspring.live.venue import proxy_of

    output = output or Output()
    loaded = load(config, words=words or ())
    fills = venue_of(loaded.config)
    if fill_model is not None:
        fills = dataclasses.replace(fills, fill_model=fill_model)
    ways: dict[str, Any] = {"entry": latency, "response": latency, "feed": latency, "fills": fills}
    feeds: list[Any]
    if venue:
        if recording is not None or market:
            raise InvalidValue("give venues, a recording or generated markets")
        if speed != 1:
            raise InvalidValue("--speed: a venue's own market goes at its own time; leave it out")
        more = {"test": test, "proxy": proxy_of(proxy)}
        feeds = outside(venue, symbol or [], by_venue(url, venue, "the address"), ways, more)
    elif symbol or url or test or proxy:
        raise InvalidValue("--symbol, --url, --test and --proxy are of a venue: name it")
    elif recording is not None:
        feeds = [Recording(recording, speed=speed, **ways)]
    else:
        markets = tuple(market or ("btcusdt",))
        feeds = [PaperVenue(markets=markets, seed=seed, speed=speed, **ways)]
    session_config.import_all()
    session = start(
        session_config.strategy_of(strategy, loaded), out, venue=feeds, signals=True,
        cash=cash or loaded.config.run.cash or "100000", **session_config.settings(loaded),
    )  # fmt: skip
    how = session_run.Ending("paper", seconds, rearm, keep_orders)
    return session_run.run(session, loaded, how, output)


def outside(
    venues: list[str],
    symbols: list[str],
    urls: Mapping[str, str],
    ways: Mapping[str, Any],
    more: Mapping[str, Any],
) -> list[Any]:
    """Feeds of venues outside, those of ccxt said to be slower."""
    from mainspring.live import CcxtFeed, VenueFeed
    from mainspring.live.ccxt_feed import SLOWER
    from mainspring.live.venue import known_venue

    feeds: list[Any] = []
    for name, listed in of_venues(venues, symbols).items():
        if not listed:
            raise InvalidValue(f"{name}: name its symbols with --symbol")
        if not is_ccxt(name):
            known_venue(name)
            feeds.append(VenueFeed(name, listed, url=urls.get(name), **more, **ways))
            continue
        if name in urls or more["test"] or more["proxy"]:
            raise InvalidValue(f"{name}: addresses and proxies of ccxt are set from Python")
        feeds.append(CcxtFeed(name.removeprefix(CCXT), listed, **ways))
        print(SLOWER.format(venue=feeds[-1].venue), file=sys.stderr)
    return feeds
