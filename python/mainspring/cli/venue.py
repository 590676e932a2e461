"""`mainspring venue`: the built-in exchange as a venue for any client."""

from __future__ import annotations

import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from cyclopts import App

from mainspring.cli.app import verb_app
from mainspring.cli.exits import Exit
from mainspring.cli.output import Output
from mainspring.errors import InvalidValue, StorageError
from mainspring.exchange.server import Dialect, RequestFault

if TYPE_CHECKING:
    from mainspring.data.dataset import Dataset
    from mainspring.exchange import VenueServer

app = verb_app("venue", summary="Serve the built-in exchange as a venue that clients trade on.")


def _command(name: str, words: str = "") -> App:
    made = verb_app(f"venue {name}", words)
    app.command(made, name=name)
    return made


@_command("serve").default
def serve(
    *,
    dialect: Dialect = "binance",
    port: int = 8_080,
    host: str = "127.0.0.1",
    market: list[str] | None = None,
    seed: int = 1,
    speed: float = 1.0,
    recording: list[str] | None = None,
    repeat: bool = False,
    queue_model: str = "prob_power3",
    fault: list[str] | None = None,
    seconds: float | None = None,
    output: Output | None = None,
) -> int:
    """Serve the exchange in a venue's protocol, until Ctrl-C.

    Requests are signed with the key `simulator-key` and the secret `simulator-secret`, those of
    Hyperliquid with a wallet whose key everybody knows. `mainspring venue fault` changes what goes
    wrong while it runs.

    Parameters
    ----------
    dialect
        Whose protocol: `binance`, `okx` and `bybit` are spot and perpetuals, `hyperliquid` and
        `dydx` perpetuals.
    port
        Where to listen; 0 takes a free port.
    host
        Address to listen on; whoever reaches it can trade.
    market
        A market of the order-flow generator, such as `btcusdt`; again for several.
    seed
        Seed of the flow.
    speed
        How fast the market runs against the clock; 0 leaves the books of generated markets empty.
    recording
        Event file, catalog name or `sample:NAME` to play in place of generated flow; again for
        several.
    repeat
        Begin again at the end of the recording; otherwise its markets halt there.
    queue_model
        How a recorded level that shrinks gives way before and behind orders, as in backtests.
    fault
        What goes wrong, such as `unknown_outcome=0.01`; again for several.
    seconds
        Stop after so long.
    output
        Flags of every verb.
    """
    from mainspring.exchange import Faults, VenueServer

    output = output or Output()
    played = _recording(recording or [], market or [], repeat)
    markets = tuple(market or ("btcusdt", "ethusdt"))
    with VenueServer(
        dialect,
        port=port,
        host=host,
        markets=markets,
        seed=seed,
        speed=speed,
        recording=played,
        repeat=repeat,
        queue_model=queue_model,
        faults=Faults(**_faults(fault or [])),
    ) as server:
        named = list(markets) if played is None else [one.symbol for one in played.instruments]
        where = {"rest": server.url, "websocket": server.ws_url, "markets": named}
        output.result(where, lambda: f"{dialect} at {server.url} and {server.ws_url}")
        _wait(server, seconds)
    return Exit.OK


@_command("fault").default
def fault(port: int, /, *changes: str, output: Output | None = None) -> int:
    """Change what goes wrong at a venue that is being served; nothing named, all is well again.

    Parameters
    ----------
    port
        Where the venue listens, on this machine.
    changes
        Faults by name, such as `gap=0.01` or `maintenance=true`; those not named stay as they are.
    output
        Flags of every verb.
    """
    output = output or Output()
    wanted = {**json.loads(_control(port, "faults")), **_faults(changes)} if changes else {}
    _control(port, "faults", json.dumps(wanted))
    output.result(wanted, lambda: json.dumps(wanted) if wanted else "no faults")
    return Exit.OK


@_command("fail").default
def fail(port: int, kind: RequestFault, /, *, count: int = 1, output: Output | None = None) -> int:
    """Let the next requests about orders fail, by request or on a connection, and no others.

    Parameters
    ----------
    port
        Where the venue listens, on this machine.
    kind
        How: refused before anything is done, or carried out and answered with an error
        (`unknown_outcome`).
    count
        How many of them.
    output
        Flags of every verb.
    """
    output = output or Output()
    _control(port, "planned", json.dumps({"fault": kind, "count": count}))
    left = int(_control(port, "planned"))
    output.result({"planned": left}, lambda: f"{left} requests about orders will fail")
    return Exit.OK


@_command("halt").default
def halt(port: int, /, *, output: Output | None = None) -> int:
    """Halt all markets of a venue that is being served: orders are refused, those that rest stay.

    Parameters
    ----------
    port
        Where the venue listens, on this machine.
    output
        Flags of every verb.
    """
    _control(port, "halt", "")
    (output or Output()).result({"halted": True}, lambda: "all markets are halted")
    return Exit.OK


@_command("open").default
def open_markets(port: int, /, *, output: Output | None = None) -> int:
    """Open all markets of a venue that were halted.

    Parameters
    ----------
    port
        Where the venue listens, on this machine.
    output
        Flags of every verb.
    """
    _control(port, "open", "")
    (output or Output()).result({"halted": False}, lambda: "all markets are open")
    return Exit.OK


@_command("liquidate").default
def liquidate(port: int, /, *, member: str = "simulator-key", output: Output | None = None) -> int:
    """Liquidate all that a member holds in perpetuals, whatever its margin.

    Parameters
    ----------
    port
        Where the venue listens, on this machine.
    member
        Its key, or the address of its wallet.
    output
        Flags of every verb.
    """
    _control(port, "liquidate", member)
    (output or Output()).result({"liquidated": member}, lambda: f"{member} holds nothing any more")
    return Exit.OK


def _control(port: int, what: str, body: str | None = None) -> str:
    """Asks a venue that is being served on this machine for something, or to do something."""
    address = f"http://127.0.0.1:{port}/simulator/{what}"
    data = None if body is None else body.encode()
    try:
        with urllib.request.urlopen(address, data=data, timeout=5) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        told = error.read().decode(errors="replace")
        raise InvalidValue(f"port {port}: {told or error.reason}") from error
    except OSError as error:
        raise StorageError(f"port {port}: no venue is served there ({error})") from error


def _faults(changes: Sequence[str]) -> dict[str, Any]:
    """`name=value` as they stand, checked by name."""
    from mainspring.exchange import Faults

    known = {field.name for field in fields(Faults)}
    faults: dict[str, Any] = {}
    for change in changes:
        name, _, value = change.partition("=")
        if name not in known:
            raise InvalidValue(f"fault {name!r}: there are {', '.join(sorted(known))}")
        try:
            faults[name] = json.loads(value)
        except ValueError as error:
            raise InvalidValue(f"fault {change!r}: give a number, true or false") from error
    return faults


def _recording(specs: list[str], markets: list[str], repeat: bool) -> Dataset | None:
    from mainspring.cli.market_data import open_all
    from mainspring.data.dataset import Dataset

    if not specs:
        if repeat:
            raise InvalidValue("--repeat is of a recording: name it with --recording")
        return None
    if markets:
        raise InvalidValue("give a recording or generated markets")
    return Dataset([file for one in open_all(specs) for file in one.files])


def _wait(server: VenueServer, seconds: float | None) -> None:
    until = None if seconds is None else time.monotonic() + seconds
    is_told = False
    while server.is_running:
        told = server.recording
        if told is not None and told.ended and not is_told:
            why = told.error or "the recording is over"
            print(f"{why}; its markets are halted, connections stay", file=sys.stderr)
            is_told = True
        left = 0.2 if until is None else min(0.2, until - time.monotonic())
        if left <= 0:
            return
        time.sleep(left)
