"""`mainspring connect`: a look at a venue before trading there, and where its key is kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from mainspring.cli.app import verb_app
from mainspring.cli.exits import Exit
from mainspring.cli.output import Output, cell, table

if TYPE_CHECKING:
    from mainspring.live import Check, Credentials

app = verb_app("connect", "VENUE")


@app.default
def connect(
    venue: str,
    /,
    *,
    check: bool = False,
    symbol: Annotated[list[str] | None, Parameter(negative="")] = None,
    credentials: str = "env",
    keep: str | None = None,
    url: str | None = None,
    test: bool = False,
    account_number: int = 0,
    proxy: str | None = None,
    output: Output | None = None,
) -> int:
    """Look at a venue without changing anything, or keep a key for it.

    `--check` asks for the venue's clock, the rules of the symbols, what the key may do, fees,
    balances, positions and open orders. `mainspring live` trades only where this passed within the
    last day.
    Exit code 4 when trading must not begin.

    Keys never come from the command line: `--keep` asks for them.

    Parameters
    ----------
    venue
        Its name; `mainspring connect ?` lists those there are. `ccxt:NAME` for one that only ccxt
        speaks to.
    check
        Look at the venue.
    symbol
        An instrument as the venue writes it; again for several.
    credentials
        Where the key is: `env` (MAINSPRING_VENUE_KEY and MAINSPRING_VENUE_SECRET), `keyring`,
        `file:PATH` (encrypted; password in MAINSPRING_PASSWORD), or `none`.
    keep
        Ask for a key and keep it: `keyring` or `file:PATH`.
    url
        Another place than the venue's own, such as a simulator on this machine.
    test
        The venue's test network.
    account_number
        Number of the account on the chain (dYdX).
    proxy
        `http://host:port` or `socks5://host:port`; `MAINSPRING_PROXY` without it, which is also
        where a password belongs.
    output
        Flags of every verb.
    """
    from mainspring.cli.live import CCXT, ccxt_venue, is_ccxt
    from mainspring.live import CcxtVenue, LiveVenue
    from mainspring.live.credentials import find
    from mainspring.live.venue import known_venue, proxy_of

    output = output or Output()
    by_ccxt = is_ccxt(venue)
    if not by_ccxt:
        known_venue(venue)
    if keep is not None:
        _keep(venue.removeprefix(CCXT), keep)
        output.note(f"kept the key of {venue}")
    if not check:
        return Exit.OK
    place: LiveVenue | CcxtVenue
    if by_ccxt:
        plain = not (url or test or proxy)
        place = ccxt_venue(venue, symbol or [], credentials, plain=plain)
    else:
        place = LiveVenue(
            venue, symbol or [], credentials=find(venue, credentials), url=url, test=test,
            account_number=account_number, proxy=proxy_of(proxy),
        )  # fmt: skip
    found = place.check()
    output.result(_document(found), lambda: _table(found))
    for text in found.warnings:
        output.warn(text)
    for text in found.problems:
        output.warn(f"not ready: {text}")
    return Exit.OK if found.passed else Exit.CONFIG


def _keep(venue: str, where: str) -> None:
    from mainspring.errors import InvalidValue
    from mainspring.live import credentials as kept

    kind, _, rest = where.partition(":")
    if kind == "keyring":
        kept.keep_in_keyring(venue, _ask(venue))
    elif kind == "file" and rest:
        kept.keep_in_file(Path(rest), venue, _ask(venue))
    else:
        raise InvalidValue(f"keep {where!r}; give keyring or file:PATH")


def _ask(venue: str) -> Credentials:
    """Asks a person for a key, without showing it."""
    from getpass import getpass

    from mainspring.errors import ConfigError
    from mainspring.live import Credentials

    key = getpass(f"API key of {venue}: ")
    secret = getpass("Secret, or private key of the wallet: ")
    if not secret:
        raise ConfigError("no secret was given")
    passphrase = getpass("Passphrase (OKX; else empty): ")
    account = input("Address of the account (Hyperliquid, dYdX; else empty): ")
    return Credentials(key=key, secret=secret, passphrase=passphrase, account=account)


def _document(check: Check) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(check)


_WORDS = {True: "yes", False: "no", None: "not told"}


def _table(check: Check) -> Any:
    clock = check.clock_offset_ms
    rows = [
        ("passed", _WORDS[check.passed]),
        ("clock, ms", "not told" if clock is None else f"{clock:+d} ± {check.clock_error_ms}"),
        ("may trade", _WORDS[check.may_trade]),
        ("may withdraw", _WORDS[check.may_withdraw]),
        ("bound to addresses", _WORDS[check.bound_to_address]),
        *((one["symbol"], _instrument(one)) for one in check.instruments),
        *((f"balance {one['currency']}", one["total"]) for one in check.balances),
        *((f"position {symbol}", str(qty)) for symbol, qty in check.positions),
        ("open orders", cell(check.open_orders)),
    ]
    return table(f"connect {check.venue}", ("", ""), rows)


def _instrument(one: dict[str, Any]) -> str:
    fees = "not told"
    if one["maker_fee"] is not None:
        fees = f"{one['maker_fee']} / {one['taker_fee']}"
    return (
        f"tick {one['tick']}, lot {one['lot']}, least {one['min_qty']} and "
        f"{one['min_notional']}, fees {fees}"
    )
