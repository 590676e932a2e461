"""`mainspring venue`: the built-in exchange as a venue for any client."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from cyclopts import App

from mainspring.cli.app import verb_app
from mainspring.cli.exits import Exit
from mainspring.cli.output import Output
from mainspring.exchange.server import Dialect  # noqa: TC001 - the command line reads it

if TYPE_CHECKING:
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
    seconds: float | None = None,
    output: Output | None = None,
) -> int:
    """Serve the exchange in a venue's protocol, until Ctrl-C.

    Requests are signed with the key `simulator-key` and the secret `simulator-secret`. Faults are
    set with `POST /simulator/faults`.

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
        How fast the market runs against the clock; 0 leaves the books empty.
    seconds
        Stop after so long.
    output
        Flags of every verb.
    """
    from mainspring.exchange import VenueServer

    output = output or Output()
    markets = tuple(market or ("btcusdt", "ethusdt"))
    with VenueServer(
        dialect, port=port, host=host, markets=markets, seed=seed, speed=speed
    ) as server:
        where = {"rest": server.url, "websocket": server.ws_url, "markets": list(markets)}
        output.result(where, lambda: f"{dialect} at {server.url} and {server.ws_url}")
        _wait(server, seconds)
    return Exit.OK


def _wait(server: VenueServer, seconds: float | None) -> None:
    until = None if seconds is None else time.monotonic() + seconds
    while server.is_running:
        left = 0.2 if until is None else min(0.2, until - time.monotonic())
        if left <= 0:
            return
        time.sleep(left)
