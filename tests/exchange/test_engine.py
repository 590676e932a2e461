"""The matching engine through its Python face."""

from __future__ import annotations

from decimal import Decimal

import pytest
from mainspring.data.instruments import instrument
from mainspring.errors import InvalidValue, NotFoundError
from mainspring.exchange import Exchange

SPOT = instrument(
    "BTCUSDT",
    tick="0.1",
    lot="0.001",
    base="BTC",
    quote="USDT",
    maker_fee="0.001",
    taker_fee="0.001",
)
PERPETUAL = instrument(
    "BTCUSD_PERP",
    tick="0.1",
    lot="0.001",
    kind="linear_perpetual",
    base="BTC",
    quote="USDC",
    margin_tiers=[{"notional_cap": None, "maintenance_rate": "0.01", "max_leverage": 50}],
)


def two_members() -> tuple[Exchange, int, int]:
    exchange = Exchange([SPOT, PERPETUAL])
    funds = {"BTC": 1, "USDT": 10_000, "USDC": 100}
    return exchange, exchange.open_account(funds), exchange.open_account(funds)


def test_a_trade_moves_money_and_takes_fees() -> None:
    exchange, seller, buyer = two_members()
    ask, said = exchange.submit(seller, "BTCUSDT", "sell", "0.5", 100)
    assert [event.kind for event in said] == ["accepted", "rested"]
    assert exchange.balance(seller, "BTC").locked == Decimal("0.5")
    assert exchange.book("BTCUSDT") == ([], [(Decimal(100), Decimal("0.5"))])

    _, said = exchange.submit(buyer, "BTCUSDT", "buy", "0.2")
    fills = [event for event in said if event.kind == "filled"]
    assert [(fill.order, fill.maker, fill.price, fill.quantity) for fill in fills] == [
        (ask, True, Decimal(100), Decimal("0.2")),
        (fills[1].order, False, Decimal(100), Decimal("0.2")),
    ]
    assert fills[1].fee == Decimal("0.02")
    assert exchange.balance(buyer, "USDT").wallet == 10_000 - 20 - Decimal("0.02")
    assert exchange.balance(buyer, "BTC").wallet == Decimal("1.2")
    assert exchange.balance(seller, "USDT").wallet == 10_000 + 20 - Decimal("0.02")


def test_what_cannot_be_paid_for_is_refused() -> None:
    exchange, member, _ = two_members()
    _, said = exchange.submit(member, "BTCUSDT", "buy", 101, 100)
    assert [(event.kind, event.reason) for event in said] == [("rejected", "insufficient_margin")]
    _, said = exchange.submit(member, "BTCUSDT", "sell", "1.001", 100)
    assert said[0].reason == "insufficient_margin"


def test_orders_of_one_account_do_not_trade_with_each_other() -> None:
    exchange, member, _ = two_members()
    resting, _ = exchange.submit(member, "BTCUSDT", "sell", "0.5", 100)
    incoming, said = exchange.submit(
        member, "BTCUSDT", "buy", "0.5", 100, self_trade="cancel_oldest"
    )
    assert [(e.kind, e.order, e.reason) for e in said if e.kind != "accepted"] == [
        ("cancelled", resting, "self_trade"),
        ("rested", incoming, None),
    ]


def test_a_losing_position_is_liquidated_and_funding_moves_between_sides() -> None:
    exchange, maker, taker = two_members()
    exchange.submit(maker, "BTCUSD_PERP", "sell", 20, 50)
    exchange.submit(taker, "BTCUSD_PERP", "buy", 20, 50)
    assert exchange.position(taker, "BTCUSD_PERP") == 20
    exchange.set_mark("BTCUSD_PERP", 50)
    said = exchange.settle_funding("BTCUSD_PERP", "0.0001")
    assert {(event.account, event.realised) for event in said} == {
        (taker, Decimal("-0.1")),
        (maker, Decimal("0.1")),
    }
    exchange.submit(maker, "BTCUSD_PERP", "buy", 20, 45)
    said = exchange.set_mark("BTCUSD_PERP", "45.4")
    assert said[0].kind == "liquidation"
    assert exchange.position(taker, "BTCUSD_PERP") == 0


def test_a_halt_refuses_orders_and_keeps_cancels() -> None:
    exchange, member, _ = two_members()
    order, _ = exchange.submit(member, "BTCUSDT", "buy", 1, 100)
    exchange.set_status("BTCUSDT", "halted")
    _, said = exchange.submit(member, "BTCUSDT", "buy", 1, 100)
    assert said[0].reason == "halted"
    assert exchange.cancel(member, "BTCUSDT", order)[0].kind == "cancelled"


def test_values_off_the_grid_and_unknown_markets_are_errors() -> None:
    exchange, member, _ = two_members()
    with pytest.raises(InvalidValue, match=r"multiple of 0\.1"):
        exchange.submit(member, "BTCUSDT", "buy", 1, "100.05")
    with pytest.raises(NotFoundError, match="no market 'X'"):
        exchange.cancel(member, "X", 1)
    with pytest.raises(NotFoundError, match="EUR"):
        exchange.open_account({"EUR": 1})
