"""The venue's own view of an account, by a client that has nothing to do with sessions."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

KEY, SECRET = "simulator-key", "simulator-secret"


class VenueSide:
    """A plain REST client of Binance for one of the two products."""

    def __init__(self, url: str, product: str, key: str = KEY, secret: str = SECRET) -> None:
        self.url = url
        self.key, self.secret = key, secret
        self.path = "/api/v3" if product == "binance" else "/fapi/v1"

    def ask(self, method: str, path: str, **params: Any) -> Any:
        params["timestamp"] = int(time.time() * 1_000)
        query = urllib.parse.urlencode(params)
        signature = hmac.new(self.secret.encode(), query.encode(), hashlib.sha256).hexdigest()
        request = urllib.request.Request(
            f"{self.url}{path}?{query}&signature={signature}",
            method=method,
            headers={"X-MBX-APIKEY": self.key},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def open_orders(self) -> list[dict[str, Any]]:
        return list(self.ask("GET", f"{self.path}/openOrders", symbol="BTCUSDT"))

    def place(self, side: str, price: str, quantity: str, life: str = "GTC") -> dict[str, Any]:
        return dict(
            self.ask(
                "POST", f"{self.path}/order", symbol="BTCUSDT", side=side, type="LIMIT",
                timeInForce=life, price=price, quantity=quantity,
            )
        )  # fmt: skip

    def position(self) -> float:
        """The position of futures, or what is held of the base beyond the deposit of ten."""
        if self.path == "/fapi/v1":
            risk = self.ask("GET", "/fapi/v3/positionRisk", symbol="BTCUSDT")
            return sum(float(one["positionAmt"]) for one in risk)
        account = self.ask("GET", "/api/v3/account")
        held = {b["asset"]: float(b["free"]) + float(b["locked"]) for b in account["balances"]}
        return held["BTC"] - 10.0
