"""The venue's own view of an account on every dialect, by plain requests that know no session."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import Any, get_args

from mainspring.exchange import Member, VenueServer
from mainspring.exchange.server import Dialect, default_members
from mainspring.live import Credentials

DIALECTS: dict[str, tuple[Dialect, str]] = {
    "binance": ("binance", "BTCUSDT"),
    "binance_usdm": ("binance", "BTCUSDT"),
    "okx": ("okx", "BTC-USDT-SWAP"),
    "okx_spot": ("okx", "BTC-USDT"),
    "bybit": ("bybit", "BTCUSDT"),
    "bybit_spot": ("bybit", "BTCUSDT"),
    "hyperliquid": ("hyperliquid", "BTC"),
    "dydx": ("dydx", "BTC-USD"),
}
Level = tuple[float, float]
assert {dialect for dialect, _ in DIALECTS.values()} == set(get_args(Dialect))
WALLETS = ("hyperliquid", "dydx")

# The base in one of the venue's sizes, where that is not one: OKX's contracts are of ten lots.
UNITS = {"okx": 0.01}


@dataclass(frozen=True)
class Open:
    """An open order as the venue tells it; quantities in the base currency."""

    venue_id: str
    client_id: str
    price: float
    qty: float
    filled: float


def credentials(venue: str) -> Credentials:
    """The keys of the member that every server has."""
    (member,) = default_members(DIALECTS[venue][0])
    if venue in WALLETS:
        return Credentials(secret=member.secret, account=member.key)
    return Credentials(key=member.key, secret=member.secret, passphrase=member.passphrase)


class DialectSide:
    """What the venue says of a member in one symbol."""

    def __init__(self, server: VenueServer, venue: str) -> None:
        self.url, self.venue = server.url, venue
        self.dialect, self.symbol = DIALECTS[venue]
        self.member: Member = default_members(self.dialect)[0]

    def open_orders(self) -> list[Open]:
        """Open orders in the symbol."""
        return list(getattr(self, f"_open_{self.dialect}")())

    def position(self) -> float:
        """The position, or what is held of the base beyond the deposit of ten."""
        return float(getattr(self, f"_position_{self.dialect}")())

    def book(self, depth: int = 5) -> tuple[list[Level], list[Level]]:
        """Best bids and asks: price and size as the venue writes it."""
        found = self._levels(depth)
        return tuple([(float(p), float(q)) for p, q, *_ in side[:depth]] for side in found)  # type: ignore[return-value]

    def _levels(self, depth: int) -> tuple[Any, Any]:
        kind = "spot" if self.venue == "bybit_spot" else "linear"
        symbol = self.symbol
        match self.dialect:
            case "binance":
                book = self._ask(f"{self._root()}/depth?symbol={symbol}&limit={depth}", {})
                return book["bids"], book["asks"]
            case "okx":
                (book,) = self._ask(f"/api/v5/market/books?instId={symbol}&sz={depth}", {})["data"]
                return book["bids"], book["asks"]
            case "bybit":
                where = f"category={kind}&symbol={symbol}&limit={depth}"
                book = self._ask(f"/v5/market/orderbook?{where}", {})["result"]
                return book["b"], book["a"]
            case "hyperliquid":
                asked = json.dumps({"type": "l2Book", "coin": symbol}).encode()
                headers = {"Content-Type": "application/json"}
                bids, asks = self._ask("/info", headers, asked)["levels"]
                return [(o["px"], o["sz"]) for o in bids], [(o["px"], o["sz"]) for o in asks]
            case _:
                book = self._ask(f"/v4/orderbooks/perpetualMarket/{symbol}", {})
                bids, asks = book["bids"], book["asks"]
                return [(o["price"], o["size"]) for o in bids], [
                    (o["price"], o["size"]) for o in asks
                ]

    # Binance

    def _root(self) -> str:
        return "/fapi/v1" if self.venue == "binance_usdm" else "/api/v3"

    def _binance(self, path: str, **params: Any) -> Any:
        query = urllib.parse.urlencode({**params, "timestamp": _now_ms()})
        sign = self._code(query).hex()
        return self._ask(f"{path}?{query}&signature={sign}", {"X-MBX-APIKEY": self.member.key})

    def _open_binance(self) -> list[Open]:
        found = self._binance(f"{self._root()}/openOrders", symbol=self.symbol)
        names = ("orderId", "clientOrderId", "price", "origQty", "executedQty")
        return [_open(one, names) for one in found]

    def _position_binance(self) -> float:
        if self.venue == "binance_usdm":
            risk = self._binance("/fapi/v3/positionRisk", symbol=self.symbol)
            return sum(float(one["positionAmt"]) for one in risk)
        held = self._binance("/api/v3/account")["balances"]
        (base,) = (float(b["free"]) + float(b["locked"]) for b in held if b["asset"] == "BTC")
        return base - 10.0

    # OKX

    def _okx(self, path: str, body: str = "") -> Any:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
        method = "POST" if body else "GET"
        sign = base64.b64encode(self._code(f"{stamp}{method}{path}{body}")).decode()
        headers = {
            "OK-ACCESS-KEY": self.member.key, "OK-ACCESS-SIGN": sign,
            "OK-ACCESS-TIMESTAMP": stamp, "OK-ACCESS-PASSPHRASE": self.member.passphrase,
        }  # fmt: skip
        return self._ask(path, headers, body.encode() or None)["data"]

    def _unit(self) -> float:
        return UNITS.get(self.venue, 1.0)

    def _open_okx(self) -> list[Open]:
        found = self._okx(f"/api/v5/trade/orders-pending?instId={self.symbol}")
        names = ("ordId", "clOrdId", "px", "sz", "accFillSz")
        return [_open(one, names, self._unit()) for one in found]

    def _position_okx(self) -> float:
        if self.venue == "okx_spot":
            (account,) = self._okx("/api/v5/account/balance")
            return sum(float(d["cashBal"]) for d in account["details"] if d["ccy"] == "BTC") - 10
        held = self._okx(f"/api/v5/account/positions?instId={self.symbol}")
        return sum(float(one["pos"]) for one in held) * self._unit()

    # Bybit

    def _bybit(self, path: str, query: str) -> Any:
        stamp, window = str(_now_ms()), "5000"
        sign = self._code(f"{stamp}{self.member.key}{window}{query}").hex()
        headers = {
            "X-BAPI-API-KEY": self.member.key, "X-BAPI-TIMESTAMP": stamp,
            "X-BAPI-RECV-WINDOW": window, "X-BAPI-SIGN": sign,
        }  # fmt: skip
        return self._ask(f"{path}?{query}", headers)["result"]["list"]

    def _open_bybit(self) -> list[Open]:
        kind = "spot" if self.venue == "bybit_spot" else "linear"
        found = self._bybit("/v5/order/realtime", f"category={kind}&symbol={self.symbol}")
        names = ("orderId", "orderLinkId", "price", "qty", "cumExecQty")
        live = ("New", "PartiallyFilled", "Untriggered")
        return [_open(one, names) for one in found if one["orderStatus"] in live]

    def _position_bybit(self) -> float:
        if self.venue == "bybit_spot":
            (wallet,) = self._bybit("/v5/account/wallet-balance", "accountType=UNIFIED")
            held = (float(c["walletBalance"]) for c in wallet["coin"] if c["coin"] == "BTC")
            return sum(held) - 10.0
        held = self._bybit("/v5/position/list", f"category=linear&symbol={self.symbol}")
        signs = {"Buy": 1.0, "Sell": -1.0}
        return sum(signs.get(one["side"], 0.0) * float(one["size"]) for one in held)

    # Hyperliquid

    def _info(self, kind: str) -> Any:
        body = json.dumps({"type": kind, "user": self.member.key}).encode()
        return self._ask("/info", {"Content-Type": "application/json"}, body)

    def _open_hyperliquid(self) -> list[Open]:
        orders = []
        for one in self._info("openOrders"):
            whole, left = float(one["origSz"]), float(one["sz"])
            orders.append(
                Open(
                    str(one["oid"]), one["cloid"] or "", float(one["limitPx"]), whole, whole - left
                )
            )
        return orders

    def _position_hyperliquid(self) -> float:
        held = self._info("clearinghouseState")["assetPositions"]
        return sum(float(one["position"]["szi"]) for one in held)

    # dYdX

    def _whose(self) -> str:
        return f"address={self.member.key}&subaccountNumber=0"

    def _open_dydx(self) -> list[Open]:
        states = "status=OPEN,BEST_EFFORT_OPENED"
        found = self._ask(f"/v4/orders?{self._whose()}&ticker={self.symbol}&{states}", {})
        names = ("id", "clientId", "price", "size", "totalFilled")
        return [_open(one, names) for one in found]

    def _position_dydx(self) -> float:
        held = self._ask(f"/v4/perpetualPositions?{self._whose()}", {})["positions"]
        return sum(float(one["size"]) for one in held)

    def _code(self, text: str) -> bytes:
        return hmac.new(self.member.secret.encode(), text.encode(), hashlib.sha256).digest()

    def _ask(self, path: str, headers: dict[str, str], body: bytes | None = None) -> Any:
        request = urllib.request.Request(self.url + path, data=body, headers=headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)


def _now_ms() -> int:
    return int(time.time() * 1_000)


def _open(one: dict[str, Any], names: tuple[str, str, str, str, str], unit: float = 1.0) -> Open:
    venue_id, client_id, price, qty, filled = (one[name] for name in names)
    base = float(qty) * unit
    return Open(str(venue_id), str(client_id), float(price), base, float(filled or 0) * unit)
