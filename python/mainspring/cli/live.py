"""`mainspring live`: a strategy on venues outside, with real orders."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from mainspring.cli import session_config, session_run
from mainspring.cli.app import verb_app
from mainspring.cli.output import Output
from mainspring.errors import InvalidValue

if TYPE_CHECKING:
    from mainspring.live import CcxtVenue

app = verb_app("live", "[STRATEGY]")


@app.default
def live(
    strategy: str | None = None,
    /,
    *,
    venue: Annotated[list[str], Parameter(negative="")],
    symbol: Annotated[list[str], Parameter(negative="")],
    size: float,
    out: Path = Path("live"),
    credentials: Annotated[list[str] | None, Parameter(negative="")] = None,
    url: Annotated[list[str] | None, Parameter(negative="")] = None,
    test: bool = False,
    account_number: int = 0,
    short_term: Annotated[bool, Parameter(negative="")] = False,
    proxy: str | None = None,
    on_disconnect: Literal["cancel", "keep"] = "cancel",
    hedge: Annotated[list[str] | None, Parameter(negative="")] = None,
    cancel_all: Annotated[bool, Parameter(negative="")] = False,
    countdown: str = "30s",
    stale: str = "5s",
    seconds: float | None = None,
    cash: str | None = None,
    config: Path | None = None,
    words: Annotated[list[str] | None, Parameter(name=("--set", "-e"))] = None,
    rearm: str | None = None,
    keep_orders: Annotated[bool, Parameter(negative="")] = False,
    lease: str | None = None,
    output: Output | None = None,
) -> int:
    """Trade a strategy on venues with real orders, until Ctrl-C or for some seconds.

    Each venue has to have passed `mainspring connect VENUE --check` within the last day. The folder
    keeps journal and snapshots: a second start in it asks the venue what happened meanwhile and
    goes on. SIGUSR1, `mainspring kill FOLDER` or a file FOLDER/KILL halt trading; a halt stays over
    restarts until `--rearm` gives a reason to lift it.

    Parameters
    ----------
    strategy
        `FILE.py`, `FILE.py:CLASS` or `native:NAME`; that of the configuration without it.
    venue
        Its name, such as `binance_usdm`, or `ccxt:NAME` for one that only ccxt speaks to, which is
        slower; again for several.
    symbol
        An instrument as the venue writes it (as ccxt does with `ccxt:NAME`); again for several.
        With several venues `VENUE:SYMBOL`.
    size
        Share of every quantity that is carried out, above 0 and up to 1: begin small.
    out
        The session's folder.
    credentials
        Where the key is: `env`, `keyring` or `file:PATH`; `VENUE=env` for one of several venues.
    url
        Another place than the venue's own, such as a simulator on this machine; `VENUE=URL` for one
        of several venues.
    test
        The venues' test networks.
    account_number
        Number of the account on the chain (dYdX).
    short_term
        Resting orders at dYdX are short-term: many more a second, gone after some twenty blocks.
    proxy
        `http://host:port` or `socks5://host:port`; `MAINSPRING_PROXY` without it, which is also
        where a password belongs.
    on_disconnect
        What becomes of our orders when the venue cannot be heard.
    hedge
        What is held at a venue that cannot be heard is hedged at another one until it is back, and
        its orders are cancelled: `VENUE:SYMBOL=VENUE:SYMBOL`; again for several.
    cancel_all
        A halt cancels everything in the symbols at once, orders of others on the account too.
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
    lease
        Starts a process that cancels our orders once this one gave no sign of life for so long,
        such as `10s`: for spot venues, which have no countdown.
    output
        Flags of every verb.
    """
    from mainspring.config import load
    from mainspring.live import Hedge, LiveVenue
    from mainspring.live import live as start
    from mainspring.live.credentials import find
    from mainspring.live.venue import known_venue, proxy_of

    output = output or Output()
    for name in venue:
        if not is_ccxt(name):
            known_venue(name)
    proxy = proxy_of(proxy)
    hedges = _hedge(hedge, venue)
    urls = by_venue(url, venue, "the address")
    keys = by_venue(credentials, venue, "credentials")
    places = [
        ccxt_venue(
            name, symbols, keys.get(name, "env"), plain=not (urls.get(name) or test or proxy),
            on_disconnect=on_disconnect, cancel_all=cancel_all,
        )
        if is_ccxt(name)
        else LiveVenue(
            name, symbols, credentials=find(name, keys.get(name, "env")), url=urls.get(name),
            test=test, account_number=account_number, short_term=short_term and name == "dydx",
            proxy=proxy, cancel_all=cancel_all,
            on_disconnect=Hedge(hedges[name]) if name in hedges else on_disconnect,
            countdown=countdown, stale=stale,
        )
        for name, symbols in of_venues(venue, symbol).items()
    ]  # fmt: skip
    session_config.import_all()
    loaded = load(config, words=words or ())
    session = start(
        session_config.strategy_of(strategy, loaded), out, venues=places, size=size, signals=True,
        cash=cash or loaded.config.run.cash, lease=lease, **session_config.settings(loaded),
    )  # fmt: skip
    how = session_run.Ending("live", seconds, rearm, keep_orders)
    return session_run.run(session, loaded, how, output)


CCXT = "ccxt:"
"""Before the name of a venue that ccxt speaks to."""


def is_ccxt(venue: str) -> bool:
    """Whether a venue is named as one that ccxt speaks to."""
    return venue.startswith(CCXT)


def ccxt_venue(
    name: str, symbols: Sequence[str], credentials: str, *, plain: bool, **settings: Any
) -> CcxtVenue:
    """A venue `ccxt:NAME`, said to be slower."""
    from mainspring.live import CcxtVenue
    from mainspring.live.ccxt_venue import SLOWER
    from mainspring.live.credentials import find

    if not plain:
        raise InvalidValue(f"{name}: addresses and proxies of ccxt are set from Python")
    exchange = name.removeprefix(CCXT)
    print(SLOWER.format(venue=exchange), file=sys.stderr)
    return CcxtVenue(exchange, symbols, credentials=find(exchange, credentials), **settings)


def of_venues(venues: list[str], symbols: list[str]) -> dict[str, list[str]]:
    """Symbols by venue, in the order of the venues."""
    found: dict[str, list[str]] = {venue: [] for venue in venues}
    if len(found) < len(venues):
        raise InvalidValue("a venue is named twice: give all its symbols")
    for text in symbols:
        venue = next((one for one in found if text.startswith(f"{one}:")), None)
        named, mark, _ = text.partition(":")
        if venue is not None:
            found[venue].append(text.removeprefix(f"{venue}:"))
        elif len(venues) == 1 and not (mark and named in known_venues()):
            found[venues[0]].append(text)
        else:
            listed = " or ".join(f"{one}:SYMBOL" for one in venues)
            raise InvalidValue(f"symbol {text!r}: with several venues write {listed}")
    return found


def by_venue(texts: list[str] | None, venues: list[str], what: str) -> dict[str, str]:
    """`VENUE=VALUE` for some venues; a value alone is for the only one, or for all."""
    found: dict[str, str] = {}
    for text in texts or ():
        venue, mark, value = text.partition("=")
        if mark and venue in venues:
            found[venue] = value
        elif mark and venue in known_venues():
            raise InvalidValue(f"{what} of {venue}, which is not traded on")
        else:
            found.update({one: text for one in venues if one not in found})
    return found


def known_venues() -> Sequence[str]:
    """Names of the venues there are."""
    from mainspring.venues import venues

    return list(venues())


def _hedge(texts: list[str] | None, venues: list[str]) -> dict[str, dict[str, str]]:
    """What is hedged where, by venue that may be lost."""
    found: dict[str, dict[str, str]] = {}
    for text in texts or ():
        lost, mark, on = text.partition("=")
        venue, colon, symbol = lost.partition(":")
        if is_ccxt(lost):
            raise InvalidValue(f"hedge {text!r}: hedges of venues by ccxt are set from Python")
        if not (mark and colon and venue in venues and ":" in on):
            raise InvalidValue(f"hedge {text!r}; give VENUE:SYMBOL=VENUE:SYMBOL")
        found.setdefault(venue, {})[symbol] = on
    return found
