"""What ccxt can do at a venue, as the engine wants to know it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from mainspring.errors import ConfigError
from mainspring.live.ccxt_access import Access
from mainspring.live.ccxt_words import Ids, Words

Amends = Literal["in_place", "replaced"]

# How `edit_order` was seen to work; of other venues that has to be said.
_AMENDS: dict[str, Amends] = {"binance": "replaced", "binanceusdm": "in_place"}

# Where conditional orders were seen to stay among the others under one id, and whether ccxt wants
# to know what they are for or which way the price goes to them. Elsewhere venues keep them apart,
# and ccxt does not say what becomes of them.
Trigger = Literal["by_kind", "by_way"]
_STOPS: dict[tuple[str, bool], Trigger] = {
    ("binance", False): "by_kind",
    ("bybit", True): "by_way",
}

_NEEDED = ("createOrder", "cancelOrder", "fetchOpenOrders", "fetchMyTrades", "fetchBalance")
_MARKS = ("watchMarkPrice", "fetchMarkPrice", "watchFundingRate", "fetchFundingRate")
# ccxt tells how many new orders a request takes, and not how many cancels: no venue takes fewer.
_CANCELS = 10


def abilities(access: Access, amends: Amends | None, ids: Ids, *, countdown: bool) -> Words:
    """What ccxt can do for the symbols of a venue.

    Raises:
        ConfigError: Something is missing without which nobody should trade there, or that was asked
            for.
    """
    client, has = access.client, access.client.has
    lacks = [name for name in _NEEDED if not has.get(name)]
    if lacks:
        raise ConfigError(f"ccxt cannot trade on {client.id}: it has no {', '.join(lacks)} there")
    contracts = _are_contracts(access)
    if contracts and not has.get("fetchPositions"):
        raise ConfigError(f"ccxt tells no positions of {client.id}")
    if amends is not None and not has.get("editOrder"):
        raise ConfigError(f"ccxt changes no orders of {client.id}: leave `amends` out")
    if countdown and has.get("cancelAllOrdersAfter") is not True:
        raise ConfigError(f"ccxt has no countdown of {client.id}: leave `countdown` out")
    told = _features(client, access.symbols[0], "createOrder")
    lives = told.get("timeInForce") or {}
    by_price = told.get("marketBuyRequiresPrice") or client.options.get(
        "createMarketBuyOrderRequiresPrice"
    )
    known = amends or (_AMENDS.get(client.id) if has.get("editOrder") else None)
    places = _places(access)
    return {
        **market_abilities(access),
        "positions": contracts,
        "market_orders": has.get("createMarketOrder") is not False and not by_price,
        "ioc": lives.get("IOC", True) is not False,
        "fok": lives.get("FOK", True) is not False,
        "post_only": bool(lives.get("PO", has.get("createPostOnlyOrder"))),
        "reduce_only": contracts and has.get("createReduceOnlyOrder") is not False,
        "amends": known,
        "stops": trigger_of(client.id, contracts) is not None,
        "place_batch": places,
        # A venue's markets differ: where batches of orders are known, those of cancels are there.
        "cancel_batch": _CANCELS if places > 1 and has.get("cancelOrders") is True else 1,
        "cancel_all": has.get("cancelAllOrders") is True,
        "countdown": countdown,
        "ids": "text" if ids == "text" else "uuid",
    }


def trigger_of(exchange: str, contracts: bool) -> Trigger | None:
    """How ccxt is told of a trigger; None where conditional orders do not go by it."""
    return _STOPS.get((exchange, contracts))


def market_abilities(access: Access) -> Words:
    """What there is for somebody who hears the market and trades nothing."""
    markets, has = access.client.markets, access.client.has
    contracts = any(markets[symbol].get("contract") for symbol in access.symbols)
    return {
        "positions": False,
        "market_orders": False,
        "ioc": False,
        "fok": False,
        "post_only": False,
        "reduce_only": False,
        "amends": None,
        "stops": False,
        "place_batch": 1,
        "cancel_batch": 1,
        "cancel_all": False,
        "countdown": False,
        "marks": contracts and any(has.get(name) for name in _MARKS),
        "ids": "text",
    }


def _are_contracts(access: Access) -> bool:
    kinds = {bool(access.client.markets[one].get("contract")) for one in access.symbols}
    if len(kinds) > 1:
        raise ConfigError(
            f"{access.client.id}: give spot and contracts apart, each with a name of its own"
        )
    return kinds == {True}


def _places(access: Access) -> int:
    """Most new orders in one request; 1 where ccxt does not know of batches in these markets."""
    if access.client.has.get("createOrders") is not True:
        return 1
    told = [_features(access.client, symbol, "createOrders") for symbol in access.symbols]
    alone = len(access.symbols) > 1 and any(one.get("sameSymbolOnly") for one in told)
    return 1 if alone else max(1, min(int(one.get("max") or 1) for one in told))


def _features(client: Any, symbol: str, method: str) -> Mapping[str, Any]:
    """What ccxt says of a method in a market; nothing where it does not know."""
    ask = getattr(client, "feature_value", None)
    return (ask(symbol, method) if ask else None) or {}
