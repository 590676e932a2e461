"""Faults on demand, each seen by a client, set from Python and by command while it runs."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import fields
from statistics import median
from typing import Any

import pytest
from mainspring.cli import main
from mainspring.cli.exits import Exit
from mainspring.errors import InvalidValue, NotFoundError
from mainspring.exchange import Faults, VenueServer
from test_server import ask, limit, signed


@pytest.fixture(scope="module")
def server() -> Iterator[VenueServer]:
    with VenueServer(markets=["btcusdt"], warm_up_s=10) as running:
        yield running


@pytest.fixture(autouse=True)
def _no_faults(server: VenueServer) -> Iterator[None]:
    yield
    server.set_faults(Faults())


PING = "/api/v3/ping"


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [("too_many_requests", 429, -1003), ("banned", 418, -1003), ("server_error", 503, -1008)],
)
def test_requests_fail_as_asked(server: VenueServer, fault: str, status: int, code: int) -> None:
    server.set_faults(**{fault: 1.0})
    answer = ask(server, "GET", PING)
    assert (answer.status, answer.body["code"]) == (status, code)
    server.set_faults(**{fault: 0.0})
    assert ask(server, "GET", PING).status == 200


def test_maintenance_ends(server: VenueServer) -> None:
    server.set_faults(maintenance=True)
    assert {ask(server, "GET", PING).status for _ in range(5)} == {503}
    server.set_faults(maintenance=False)
    assert ask(server, "GET", PING).status == 200


def test_an_outcome_that_is_unknown_was_an_order(server: VenueServer) -> None:
    server.set_faults(unknown_outcome=1.0)
    answer = limit(server, newClientOrderId="lost")
    assert (answer.status, answer.body["code"]) == (503, -1007)
    server.set_faults(Faults())
    which: dict[str, Any] = {"symbol": "BTCUSDT", "origClientOrderId": "lost"}
    assert signed(server, "GET", "/api/v3/order", **which).body["status"] == "NEW"
    assert signed(server, "DELETE", "/api/v3/order", **which).body["status"] == "CANCELED"


def test_latency_has_a_median_and_a_spread(server: VenueServer) -> None:
    def waits(count: int) -> list[float]:
        times = []
        for _ in range(count):
            begun = time.perf_counter()
            ask(server, "GET", PING)
            times.append((time.perf_counter() - begun) * 1e3)
        return sorted(times)

    server.set_faults(latency_ms=20.0, latency_log_sd=0.5)
    slow = waits(30)
    assert median(slow) > 14
    assert slow[-1] > 1.4 * slow[0]


def test_the_clock_is_off(server: VenueServer) -> None:
    server.set_faults(clock_skew_ms=7_000)
    told = ask(server, "GET", "/api/v3/time").body["serverTime"]
    assert 6_000 < told - time.time() * 1e3 < 9_000
    assert signed(server, "GET", "/api/v3/account").body["code"] == -1021


@pytest.mark.parametrize("root", ["/api/v3", "/fapi/v1"])
def test_somebody_is_quicker(server: VenueServer, root: str) -> None:
    ask_price = ask(server, "GET", f"{root}/depth?symbol=BTCUSDT&limit=5").body["asks"][0][0]
    price = f"{float(ask_price) * 1.001:.1f}"
    server.set_faults(partial_fill=1.0)
    terms = {"price": price, "timeInForce": "IOC", "newOrderRespType": "RESULT"}
    placed = limit(server, f"{root}/order", quantity="0.02", **terms)
    assert float(placed.body["executedQty"]) == 0.01
    assert placed.body["status"] == "EXPIRED"


def test_a_member_is_liquidated(server: VenueServer) -> None:
    market = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.05"}
    signed(server, "POST", "/fapi/v1/order", **market)
    resting = limit(server, "/fapi/v1/order", newClientOrderId="rests")
    assert resting.body["status"] == "NEW"
    server.liquidate()
    (position,) = signed(server, "GET", "/fapi/v2/positionRisk", symbol="BTCUSDT").body
    assert float(position["positionAmt"]) == 0
    assert signed(server, "GET", "/fapi/v1/openOrders", symbol="BTCUSDT").body == []
    with pytest.raises(NotFoundError, match="no member"):
        server.liquidate("nobody")


def test_markets_are_halted_and_opened(server: VenueServer) -> None:
    server.halt()
    refused = limit(server)
    assert (refused.status, refused.body["code"]) == (400, -1013)
    server.open()
    placed = limit(server)
    assert placed.status == 200
    signed(server, "DELETE", "/api/v3/order", symbol="BTCUSDT", orderId=placed.body["orderId"])


def test_the_command_line_sets_faults_while_it_runs(server: VenueServer) -> None:
    assert main(["venue", "fault", str(server.port), "banned=1.0", "--quiet"]) == 0
    assert ask(server, "GET", PING).status == 418
    assert main(["venue", "fault", str(server.port), "--quiet"]) == 0
    assert ask(server, "GET", PING).status == 200


@pytest.mark.parametrize("fault", [field.name for field in fields(Faults)])
def test_every_fault_is_reached_from_the_command_line(server: VenueServer, fault: str) -> None:
    value = {"maintenance": "true", "user_gap": "true", "clock_skew_ms": "700"}.get(fault, "0.5")
    assert main(["venue", "fault", str(server.port), f"{fault}={value}", "--quiet"]) == 0
    told = ask(server, "GET", "/simulator/faults").body
    assert told[fault] == json.loads(value)
    assert [name for name in told if told[name] and name != fault] == []


def test_the_command_line_plans_faults_halts_and_liquidates(server: VenueServer) -> None:
    def venue(verb: str, *words: str) -> int:
        return main(["venue", verb, str(server.port), *words, "--quiet"])

    assert venue("fail", "too_many_requests", "--count", "2") == 0
    assert server.planned_faults == 2
    assert [limit(server).status for _ in range(2)] == [429, 429]
    assert server.planned_faults == 0
    assert venue("halt") == 0
    assert limit(server).status == 400
    assert venue("open") == 0
    market = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.05"}
    assert signed(server, "POST", "/fapi/v1/order", **market).status == 200
    assert venue("liquidate") == 0
    (position,) = signed(server, "GET", "/fapi/v2/positionRisk", symbol="BTCUSDT").body
    assert float(position["positionAmt"]) == 0
    assert venue("liquidate", "--member", "nobody") == Exit.USAGE
    assert main(["venue", "halt", "9", "--quiet"]) == Exit.ERROR


def test_faults_must_be_known() -> None:
    with pytest.raises(InvalidValue):
        VenueServer(faults=Faults(gap="often"))  # type: ignore[arg-type]
