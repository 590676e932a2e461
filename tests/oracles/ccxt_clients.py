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


OWN_KEYS = {"apiKey": "simulator-key", "secret": "simulator-secret"}
# The simulator's own member: everybody knows the key.
WALLET = {
    "walletAddress": "0x14791697260E4c9A71f18484C9f997B308e59325",
    "privateKey": "0x" + "0123456789" * 6 + "0123",
}


def okx(module: Any, server: VenueServer, kind: str = "swap") -> Any:
    """A client of OKX."""
    keys = {**OWN_KEYS, "password": "simulator-passphrase"}
    made = module.okx({**keys, "enableRateLimit": False})
    # What the simulator does not have: currencies, and markets of other kinds.
    made.has["fetchCurrencies"] = False
    made.options["fetchMarkets"] = {"types": [kind]}
    redirect(made.urls["api"], server)
    return made


def bybit(module: Any, server: VenueServer, kind: str = "swap") -> Any:
    """A client of Bybit."""
    made = module.bybit({**OWN_KEYS, "enableRateLimit": False})
    made.has["fetchCurrencies"] = False
    made.options["fetchMarkets"] = {"types": ["linear" if kind == "swap" else kind]}
    made.options["defaultType"] = kind
    fill_in(made.urls["api"], made.hostname)
    redirect(made.urls["api"], server)
    return made


def fill_in(urls: dict[str, Any], hostname: str) -> None:
    """Writes the host's name where ccxt does it later."""
    for name, url in urls.items():
        if isinstance(url, dict):
            fill_in(url, hostname)
        else:
            urls[name] = url.replace("{hostname}", hostname)


def hyperliquid(module: Any, server: VenueServer, _kind: str = "swap") -> Any:
    """A client for perpetuals of Hyperliquid."""
    made = module.hyperliquid({**WALLET, "enableRateLimit": False})
    made.has["fetchCurrencies"] = False
    made.options["fetchMarkets"] = {"types": ["swap"]}
    made.options["builderFee"] = False
    redirect(made.urls["api"], server)
    return made
