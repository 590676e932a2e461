"""ccxt, unchanged but for its addresses."""

from __future__ import annotations

import re
from typing import Any

from mainspring.exchange import VenueServer

KINDS = ["spot", "swap"]
SYMBOL = {"spot": "BTC/USDT", "swap": "BTC/USDT:USDT"}


def redirect(urls: dict[str, Any], server: VenueServer) -> None:
    """Every address of the venue becomes the server's; ccxt tells spot streams by `/stream`."""
    for name, url in urls.items():
        if isinstance(url, dict):
            redirect(url, server)
        elif url.startswith("wss"):
            under = "/stream" if "stream.binance" in url and "fstream" not in url else ""
            urls[name] = re.sub(r"wss://[^/]+", server.ws_url + under, url)
        else:
            urls[name] = re.sub(r"https://[^/]+", server.url, url)


def client(module: Any, kind: str, server: VenueServer, secret: str = "simulator-secret") -> Any:
    """A client of `ccxt`, `ccxt.async_support` or `ccxt.pro` for spot or swaps."""
    maker = module.binance if kind == "spot" else module.binanceusdm
    made = maker({"apiKey": "simulator-key", "secret": secret, "enableRateLimit": False})
    redirect(made.urls["api"], server)
    return made


def okx(module: Any, server: VenueServer) -> Any:
    """A client for swaps of OKX."""
    keys = {"apiKey": "simulator-key", "secret": "simulator-secret"}
    made = module.okx({**keys, "password": "simulator-passphrase", "enableRateLimit": False})
    # What the simulator does not have: currencies, and markets of other kinds.
    made.has["fetchCurrencies"] = False
    made.options["fetchMarkets"] = {"types": ["swap"]}
    redirect(made.urls["api"], server)
    return made
