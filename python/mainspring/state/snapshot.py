"""What a session looks like between two of its inputs: plain values that do not change."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from mainspring.events.terms import RiskTerms
from mainspring.events.units import Units

__all__ = ["Account", "MarketData", "OpenOrder", "Position", "RiskMetrics", "RiskTerms", "Snapshot"]


@dataclass(frozen=True, slots=True)
class MarketData:
    """One instrument as the engine sees it.

    Attributes:
        symbol: its symbol.
        venue: its venue.
        timestamp: logical time of the last change, ns.
        usable: whether the book can be believed; without it there are no prices.
        trading: whether the venue trades it.
        bids: best bids, price and quantity, best first.
        asks: best asks.
        features: what the engine computes, by name; NaN where there is no value.
    """

    symbol: str
    venue: str
    timestamp: int
    usable: bool
    trading: bool
    bids: tuple[tuple[float, float], ...]
    asks: tuple[tuple[float, float], ...]
    features: Mapping[str, float]

    @property
    def best_bid(self) -> float | None:
        """The best bid price."""
        return self.bids[0][0] if self.bids else None

    @property
    def best_ask(self) -> float | None:
        """The best ask price."""
        return self.asks[0][0] if self.asks else None

    @property
    def mid_price(self) -> float | None:
        """The mean of the best prices."""
        bid, ask = self.best_bid, self.best_ask
        return None if bid is None or ask is None else (bid + ask) / 2

    @property
    def spread_bps(self) -> float | None:
        """Best ask less best bid, in basis points of the mid."""
        bid, ask, mid = self.best_bid, self.best_ask, self.mid_price
        return None if bid is None or ask is None or not mid else 1e4 * (ask - bid) / mid

    @property
    def imbalance(self) -> float | None:
        """Sizes of the best levels, (bid - ask) / (bid + ask), in [-1, 1]."""
        if not self.bids or not self.asks:
            return None
        bid, ask = self.bids[0][1], self.asks[0][1]
        return (bid - ask) / (bid + ask) if bid + ask else None

    @property
    def volatility_bps(self) -> float | None:
        """The volatility feature per square root of a second, in basis points, where it is on."""
        found = [v for name, v in self.features.items() if name.startswith("ewma_volatility")]
        return 1e4 * found[0] if found and not math.isnan(found[0]) else None


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """An order that is not over. Prices and quantities are exact."""

    order_id: int
    symbol: str
    venue: str
    strategy: int
    is_buy: bool
    order_type: str
    state: str
    price: Decimal | None
    size: Decimal
    filled: Decimal
    created_at: int
    updated_at: int

    @property
    def remaining_size(self) -> Decimal:
        """What may still trade."""
        return self.size - self.filled


@dataclass(frozen=True, slots=True)
class Position:
    """What a strategy holds of an instrument, and what that earned, in the settlement currency.

    `value` is what it is worth at the mid, at its entry where there is none; signed as the size.
    """

    symbol: str
    venue: str
    strategy: int
    size: Decimal
    entry_price: float | None
    value: Decimal
    realised: Decimal
    unrealised: Decimal
    fees: Decimal
    funding: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class Account:
    """The money in one currency."""

    equity: Decimal
    cash: Decimal
    deposits: Decimal
    realised: Decimal
    unrealised: Decimal
    fees: Decimal
    funding: Decimal


@dataclass(frozen=True, slots=True)
class RiskMetrics:
    """Margin of all positions that are settled in one currency.

    Attributes:
        currency: the settlement currency.
        position_value: sum of the absolute values of the net positions at their mids.
        account_equity: what the account is worth.
        margin_used: initial margin of the positions.
        margin_available: equity without the buffer, less what is used; not negative.
        maintenance_margin_ratio: maintenance margin over the value of the positions.
        liquidation_distance: 1 is safe, 0 is liquidation: equity above the maintenance margin as a
            share of what the positions use, at most 1.
        max_position_size: the limit in each instrument, None without one.
        timestamp: logical time, ns.
    """

    currency: str
    position_value: Decimal
    account_equity: Decimal
    margin_used: Decimal
    margin_available: Decimal
    maintenance_margin_ratio: Decimal
    liquidation_distance: Decimal
    max_position_size: Decimal | None
    timestamp: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state as of one record, between two inputs.

    Attributes:
        sequence: of the last record that is in it.
        timestamp: logical time, ns.
        halted: whether trading is halted.
        strategies: their names, and why they were stopped where they were.
        open_orders: by their ids.
        positions: of each strategy in each instrument that it has traded.
        market_data: by symbol; the first venue's where several have one.
        accounts: by currency.
        connections: of the venues, by name.
        counters: what went by that should be looked at, by name.
    """

    sequence: int
    timestamp: int
    halted: bool
    strategies: Mapping[str, str | None]
    open_orders: Mapping[int, OpenOrder]
    positions: tuple[Position, ...]
    market_data: Mapping[str, MarketData]
    accounts: Mapping[str, Account]
    connections: Mapping[str, bool]
    counters: Mapping[str, int]

    @property
    def total_buy_remaining(self) -> Decimal:
        """What open buys may still trade."""
        return self._remaining(is_buy=True)

    @property
    def total_sell_remaining(self) -> Decimal:
        """What open sells may still trade."""
        return self._remaining(is_buy=False)

    def _remaining(self, *, is_buy: bool) -> Decimal:
        orders = self.open_orders.values()
        return sum((one.remaining_size for one in orders if one.is_buy is is_buy), Decimal(0))

    def position(self, symbol: str) -> Decimal:
        """The net position in a symbol, of all strategies and venues."""
        return sum((one.size for one in self.positions if one.symbol == symbol), Decimal(0))

    def risk_metrics(self, currency: str, terms: RiskTerms) -> RiskMetrics:
        """Margin in one currency, by the mids of the instruments."""
        net: dict[tuple[str, str], Decimal] = {}
        for one in self.positions:
            if one.currency == currency:
                place = (one.symbol, one.venue)
                net[place] = net.get(place, Decimal(0)) + one.value
        value = sum(map(abs, net.values()), Decimal(0))
        account = self.accounts.get(currency)
        equity = account.equity if account is not None else Decimal(0)
        used = value / (terms.leverage or 1)
        maintenance = value * terms.maintenance_ratio
        available = max(equity * (1 - terms.buffer) - used, Decimal(0))
        distance = Decimal(1)
        if used:
            distance = max(min((equity - maintenance) / used, Decimal(1)), Decimal(0))
        return RiskMetrics(
            currency=currency,
            position_value=value,
            account_equity=equity,
            margin_used=used,
            margin_available=available,
            maintenance_margin_ratio=terms.maintenance_ratio,
            liquidation_distance=distance,
            max_position_size=terms.max_position,
            timestamp=self.timestamp,
        )


def parse(text: str, units: Units) -> Snapshot:
    """A snapshot from the engine's JSON; `units` are those of the session's instruments."""
    told = json.loads(text)
    markets = [_market(one) for one in told["markets"]]
    places = {(one.symbol, one.venue): (i, one) for i, one in enumerate(markets)}
    return Snapshot(
        sequence=told["sequence"],
        timestamp=told["time_ns"],
        halted=told["halted"],
        strategies={one["name"]: one["stopped"] for one in told["strategies"]},
        open_orders={one["order_id"]: _order(one) for one in told["orders"]},
        positions=tuple(_position(one, units, places) for one in told["positions"]),
        market_data={one.symbol: one for one in reversed(markets)},
        accounts={name: _account(one) for name, one in told["money"].items()},
        connections={one["name"]: one["up"] for one in told["links"]},
        counters=told["counters"],
    )


def _market(told: Mapping[str, Any]) -> MarketData:
    features = {k: math.nan if v is None else v for k, v in told["features"].items()}
    return MarketData(
        symbol=told["symbol"],
        venue=told["venue"],
        timestamp=told["updated_ns"],
        usable=told["usable"],
        trading=told["trading"],
        bids=tuple((price, qty) for price, qty in told["bids"]),
        asks=tuple((price, qty) for price, qty in told["asks"]),
        features=features,
    )


def _order(told: Mapping[str, Any]) -> OpenOrder:
    return OpenOrder(
        order_id=told["order_id"],
        symbol=told["symbol"],
        venue=told["venue"],
        strategy=told["strategy"],
        is_buy=told["side"] == "buy",
        order_type=told["order_type"],
        state=told["state"],
        price=Decimal(told["price"]) if told["price_ticks"] else None,
        size=Decimal(told["qty"]),
        filled=Decimal(told["filled"]),
        created_at=told["created_ns"],
        updated_at=told["updated_ns"],
    )


def _position(
    told: Mapping[str, Any], units: Units, places: Mapping[tuple[str, str], tuple[int, MarketData]]
) -> Position:
    instrument, market = places[told["symbol"], told["venue"]]
    price = market.mid_price if market.mid_price is not None else told["entry_price"]
    lots = told["position_lots"]
    value = units.value(instrument, lots, Decimal(repr(price))) if lots and price else Decimal(0)
    money = {k: Decimal(told[k]) for k in ("realised", "unrealised", "fees", "funding")}
    return Position(
        symbol=told["symbol"],
        venue=told["venue"],
        strategy=told["strategy"],
        size=Decimal(told["position"]),
        entry_price=told["entry_price"],
        value=value,
        currency=told["currency"],
        **money,
    )


def _account(told: Mapping[str, Any]) -> Account:
    return Account(**{name: Decimal(told[name]) for name in Account.__dataclass_fields__})
