"""`mainspring lease`: cancel what a session left once it gives no sign of life."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from mainspring.cli.app import verb_app
from mainspring.cli.exits import Exit
from mainspring.cli.live import by_venue, of_venues
from mainspring.cli.output import Output
from mainspring.errors import NotFoundError

app = verb_app("lease", "")


@app.default
def lease(
    folder: Path,
    /,
    *,
    venue: Annotated[list[str], Parameter(negative="")],
    symbol: Annotated[list[str], Parameter(negative="")],
    after: str = "10s",
    credentials: Annotated[list[str] | None, Parameter(negative="")] = None,
    url: Annotated[list[str] | None, Parameter(negative="")] = None,
    test: bool = False,
    account_number: int = 0,
    proxy: str | None = None,
    output: Output | None = None,
) -> int:
    """Watch a session, and cancel its orders at every venue once it gives no sign of life.

    For a session that `mainspring live --lease` started this runs already; started by hand, beside
    it, it may have keys of its own. It ends with the session. What the session's tag is on is
    cancelled, orders of others stay.

    Parameters
    ----------
    folder
        The session's folder.
    venue
        A venue of the session; again for several.
    symbol
        An instrument of the session; again for several. With several venues `VENUE:SYMBOL`.
    after
        The lease: how long the session may give no sign of life.
    credentials
        Where the key is: `env`, `keyring` or `file:PATH`; `VENUE=env` for one of several venues.
    url
        Another place than the venue's own; `VENUE=URL` for one of several venues.
    test
        The venues' test networks.
    account_number
        Number of the account on the chain (dYdX).
    proxy
        `http://host:port` or `socks5://host:port`; `MAINSPRING_PROXY` without it.
    output
        Flags of every verb.
    """
    from dataclasses import asdict

    from mainspring.live import LiveVenue
    from mainspring.live.config import span_ns
    from mainspring.live.credentials import find
    from mainspring.live.lease import Place, checked_lease, watch
    from mainspring.live.trade import tag_of
    from mainspring.live.venue import known_venue, proxy_of

    output = output or Output()
    for name in venue:
        known_venue(name)
    if not (folder / "tag").is_file():
        raise NotFoundError(f"{folder}: there is no session with orders at venues")
    keys = by_venue(credentials, venue, "credentials")
    urls = by_venue(url, venue, "the address")
    places = [
        Place.of(
            LiveVenue(
                name, symbols, credentials=find(name, keys.get(name, "env")), url=urls.get(name),
                test=test, account_number=account_number, proxy=proxy_of(proxy),
            ),
            tag_of(folder),
        )
        for name, symbols in of_venues(venue, symbol).items()
    ]  # fmt: skip
    after_s = checked_lease(span_ns(after, "after") / 1e9)
    end = watch(folder, places, after_s, say=output.note)
    document = {"why": end.why, "cleared": [asdict(one) for one in end.cleared]}
    output.result(document, lambda: f"the lease is over: {end.why}")
    return Exit.OK if all(one.left == 0 for one in end.cleared) else Exit.ERROR
