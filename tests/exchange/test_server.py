"""The exchange as a venue, by hand-made requests: no client library knows what it should refuse."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from mainspring.errors import InvalidValue, StorageError
from mainspring.exchange import Faults, Limits, Member, VenueServer

KEY, SECRET = "simulator-key", "simulator-secret"


@dataclass
class Answer:
    status: int
    body: Any
    headers: dict[str, str]


def ask(server: VenueServer, method: str, path: str, key: str | None = None, **more: Any) -> Answer:
    request = urllib.request.Request(server.url + path, method=method, **more)
    if key:
        request.add_header("X-MBX-APIKEY", key)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            text, status, headers = answer.read(), answer.status, dict(answer.headers)
    except urllib.error.HTTPError as error:
        text, status, headers = error.read(), error.code, dict(error.headers)
    return Answer(status, json.loads(text) if text else None, headers)


def signed(server: VenueServer, method: str, path: str, key: str = KEY, **params: Any) -> Answer:
    params = {"timestamp": int(time.time() * 1000), **params}
    query = urllib.parse.urlencode(params)
    signature = hmac.new(SECRET.encode(), query.encode(), hashlib.sha256).hexdigest()
    return ask(server, method, f"{path}?{query}&signature={signature}", key)


@pytest.fixture(scope="module")
def server() -> Iterator[VenueServer]:
    with VenueServer(markets=["btcusdt"], warm_up_s=10) as running:
        yield running


def limit(server: VenueServer, path: str = "/api/v3/order", **changes: Any) -> Answer:
    terms = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    return signed(
        server, "POST", path, **{**terms, "quantity": "0.01", "price": "50000", **changes}
    )


@pytest.mark.parametrize("root", ["/api/v3", "/fapi/v1"])
def test_an_order_lives_and_is_cancelled(server: VenueServer, root: str) -> None:
    placed = limit(server, f"{root}/order", newClientOrderId=f"life{root[1]}")
    assert (placed.status, placed.body["status"]) == (200, "NEW")
    order = placed.body["orderId"]
    found = signed(server, "GET", f"{root}/order", symbol="BTCUSDT", orderId=order)
    assert found.body["clientOrderId"] == f"life{root[1]}"
    again = limit(server, f"{root}/order", newClientOrderId=f"life{root[1]}")
    assert again.body["code"] == (-2010 if root == "/api/v3" else -4116)
    gone = signed(server, "DELETE", f"{root}/order", symbol="BTCUSDT", orderId=order)
    assert gone.body["status"] == "CANCELED"
    late = signed(server, "DELETE", f"{root}/order", symbol="BTCUSDT", orderId=order)
    assert (late.status, late.body["code"]) == (400, -2011)


REFUSED = {
    "filter of price": ("/api/v3/order", {"price": "50000.05"}, -1013),
    "filter of quantity": ("/api/v3/order", {"quantity": "0.0105"}, -1013),
    "filter of value": ("/api/v3/order", {"price": "100"}, -1013),
    "unknown symbol": ("/api/v3/order", {"symbol": "NOPE"}, -1121),
    "no side": ("/api/v3/order", {"side": ""}, -1102),
    "bad side": ("/api/v3/order", {"side": "HOLD"}, -1117),
    "bad type": ("/api/v3/order", {"type": "MAGIC"}, -1116),
    "bad time in force": ("/api/v3/order", {"timeInForce": "FOREVER"}, -1115),
    "no money": ("/api/v3/order", {"quantity": "1000"}, -2010),
    "would take": ("/api/v3/order", {"type": "LIMIT_MAKER", "price": "99000"}, -2010),
    "tick of a future": ("/fapi/v1/order", {"price": "50000.05"}, -4014),
    "lot of a future": ("/fapi/v1/order", {"quantity": "0.0105"}, -1111),
    "value of a future": ("/fapi/v1/order", {"price": "100"}, -4164),
    "no margin": ("/fapi/v1/order", {"quantity": "1000"}, -2019),
    "post-only of a future": (
        "/fapi/v1/order",
        {"timeInForce": "GTX", "price": "99000"},
        -5022,
    ),
    "nothing to reduce": ("/fapi/v1/order", {"reduceOnly": "true"}, -2022),
    "stop at the old path": ("/fapi/v1/order", {"type": "STOP_MARKET"}, -4120),
    "hedge mode": ("/fapi/v1/order", {"positionSide": "LONG"}, -4061),
}


@pytest.mark.parametrize("name", REFUSED)
def test_orders_are_refused_with_the_venues_codes(server: VenueServer, name: str) -> None:
    path, changes, code = REFUSED[name]
    answer = limit(server, path, **changes)
    assert (answer.status, answer.body["code"]) == (400, code)


def test_requests_must_be_proven(server: VenueServer) -> None:
    path = "/api/v3/account"
    assert ask(server, "GET", path).body["code"] == -2014
    assert signed(server, "GET", path, key="nobody").body["code"] == -2015
    stamp = int(time.time() * 1000)
    unsigned = ask(server, "GET", f"{path}?timestamp={stamp}", KEY)
    assert unsigned.body["code"] == -1102
    forged = ask(server, "GET", f"{path}?timestamp={stamp}&signature={'0' * 64}", KEY)
    assert forged.body["code"] == -1022
    assert signed(server, "GET", path, timestamp=stamp - 6_000).body["code"] == -1021
    assert signed(server, "GET", path, timestamp=stamp + 5_000).body["code"] == -1021
    assert signed(server, "GET", path, timestamp=stamp - 6_000, recvWindow=20_000).status == 200
    assert signed(server, "GET", path, recvWindow=60_001).body["code"] == -1131


def test_money_is_locked_and_comes_back(server: VenueServer) -> None:
    def usdt() -> dict[str, str]:
        balances = signed(server, "GET", "/api/v3/account").body["balances"]
        return next(balance for balance in balances if balance["asset"] == "USDT")

    before = usdt()
    order = limit(server, quantity="0.1", price="40000").body["orderId"]
    held = usdt()
    assert float(held["locked"]) - float(before["locked"]) == pytest.approx(4_004)
    signed(server, "DELETE", "/api/v3/order", symbol="BTCUSDT", orderId=order)
    assert usdt() == before


def test_replacing_says_which_half_failed(server: VenueServer) -> None:
    order = limit(server).body["orderId"]
    terms = {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "0.01",
        "cancelReplaceMode": "STOP_ON_FAILURE",
        "cancelOrderId": order,
    }
    partly = signed(server, "POST", "/api/v3/order/cancelReplace", price="50000.05", **terms)
    assert (partly.status, partly.body["code"]) == (409, -2021)
    assert partly.body["data"]["cancelResult"] == "SUCCESS"
    whole = signed(server, "POST", "/api/v3/order/cancelReplace", price="50000", **terms)
    assert (whole.status, whole.body["code"]) == (400, -2022)
    assert whole.body["data"]["newOrderResult"] == "NOT_ATTEMPTED"


def test_an_amend_keeps_the_order(server: VenueServer) -> None:
    order = limit(server, quantity="0.02").body["orderId"]
    path, names = "/api/v3/order/amend/keepPriority", {"symbol": "BTCUSDT", "orderId": order}
    amended = signed(server, "PUT", path, newQty="0.01", **names)
    assert float(amended.body["amendedOrder"]["qty"]) == 0.01
    assert signed(server, "PUT", path, newQty="0.05", **names).body["code"] == -2038
    future = limit(server, "/fapi/v1/order").body["orderId"]
    names = {"symbol": "BTCUSDT", "orderId": future, "side": "BUY"}
    moved = signed(server, "PUT", "/fapi/v1/order", price="49000", quantity="0.02", **names)
    assert (moved.body["price"], moved.body["origQty"]) == ("49000", "0.02")
    signed(server, "DELETE", "/fapi/v1/allOpenOrders", symbol="BTCUSDT")
    signed(server, "DELETE", "/api/v3/openOrders", symbol="BTCUSDT")


def test_listen_keys_are_gone_from_spot_and_there_for_futures(server: VenueServer) -> None:
    assert ask(server, "POST", "/api/v3/userDataStream", KEY).status == 410
    made = ask(server, "POST", "/fapi/v1/listenKey", KEY).body["listenKey"]
    assert ask(server, "PUT", "/fapi/v1/listenKey", KEY).body["listenKey"] == made


def test_limits_are_told_and_kept() -> None:
    limits = Limits(spot_weight=60, spot_orders=2)
    with VenueServer(markets=["btcusdt"], warm_up_s=1, limits=limits) as server:
        orders = [limit(server) for _ in range(3)]
        counts = [order.headers.get("x-mbx-order-count-10s") for order in orders]
        assert [order.status for order in orders[:2]] == [200, 200]
        assert counts[:2] in (["1", "2"], ["1", "1"])
        if counts[1] == "2" and orders[2].status == 429:
            assert orders[2].body["code"] == -1015
        answers = [ask(server, "GET", "/api/v3/exchangeInfo") for _ in range(4)]
        refused = [answer for answer in answers if answer.status == 429]
        assert refused
        assert refused[0].body["code"] == -1003
        assert 0 < int(refused[0].headers["retry-after"]) <= 60


def test_faults_come_when_they_are_asked_for() -> None:
    with VenueServer(markets=["btcusdt"], warm_up_s=1) as server:
        server.set_faults(unknown_outcome=1.0)
        lost = limit(server, newClientOrderId="lost")
        assert (lost.status, lost.body["code"]) == (503, -1007)
        server.set_faults(Faults())
        names = {"symbol": "BTCUSDT", "origClientOrderId": "lost"}
        assert signed(server, "GET", "/api/v3/order", **names).body["status"] == "NEW"
        server.set_faults(too_many_requests=1.0)
        assert ask(server, "GET", "/api/v3/time").status == 429
        server.set_faults(Faults(banned=1.0))
        assert ask(server, "GET", "/api/v3/time").status == 418
        server.set_faults(Faults(maintenance=True))
        assert ask(server, "GET", "/api/v3/time").status == 503
        server.set_faults(Faults(clock_skew_ms=60_000))
        assert ask(server, "GET", "/api/v3/time").body["serverTime"] > time.time() * 1000 + 50_000
        assert signed(server, "GET", "/api/v3/account").body["code"] == -1021
        server.set_faults(Faults(latency_ms=300))
        began = time.monotonic()
        ask(server, "GET", "/api/v3/ping")
        assert time.monotonic() - began > 0.25


def test_members_are_told_apart() -> None:
    members = [Member(), Member(key="other", secret=SECRET, spot={"USDT": "5"}, usdm={})]
    with VenueServer(markets=["btcusdt"], warm_up_s=1, members=members) as server:
        order = limit(server).body["orderId"]
        names = {"symbol": "BTCUSDT", "orderId": order}
        assert signed(server, "GET", "/api/v3/order", "other", **names).body["code"] == -2013
        assert signed(server, "DELETE", "/api/v3/order", "other", **names).body["code"] == -2011
        assert SECRET not in repr(members[0])


def test_a_server_stops_and_frees_its_port() -> None:
    server = VenueServer(markets=["btcusdt"], warm_up_s=0)
    port = server.port
    with pytest.raises(StorageError):
        VenueServer(markets=["btcusdt"], port=port, warm_up_s=0)
    server.stop()
    assert not server.is_running
    VenueServer(markets=["btcusdt"], port=port, warm_up_s=0).stop()
    with pytest.raises(InvalidValue, match="there are binance"):
        VenueServer("kraken")  # type: ignore[arg-type]
