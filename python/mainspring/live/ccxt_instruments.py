"""Markets of ccxt as instruments of this engine."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Any

from mainspring.data.instruments import Instrument, Kind, instrument
from mainspring.errors import ConfigError

_DECIMAL_PLACES, _TICK_SIZE = 2, 4


def instrument_of(venue: str, market: Mapping[str, Any], mode: int) -> Instrument:
    """Ccxt's market as an instrument.

    Raises:
        ConfigError: It is of a kind that this engine does not trade, or has no price grid.
    """
    symbol, precision, limits = market["symbol"], market["precision"], market["limits"]
    least = (limits.get("amount") or {}).get("min")
    lot = _step(symbol, precision.get("amount"), mode)
    return instrument(
        symbol,
        tick=_step(symbol, precision.get("price"), mode),
        lot=lot,
        kind=_kind(market),
        venue=venue,
        base=market["base"],
        quote=market["quote"],
        multiplier=Decimal(str(market.get("contractSize") or 1)),
        min_qty=None if not least else _up(Decimal(str(least)), lot),
        min_notional=Decimal(str((limits.get("cost") or {}).get("min") or 0)),
        maker_fee=Decimal(str(market.get("maker") or 0)),
        taker_fee=Decimal(str(market.get("taker") or 0)),
    )


def _up(value: Decimal, lot: Decimal) -> Decimal:
    return max(lot, (value / lot).to_integral_value(ROUND_CEILING) * lot)


def _step(symbol: str, value: Any, mode: int) -> Decimal:
    if value is not None and mode == _TICK_SIZE:
        return Decimal(str(value))
    if value is not None and mode == _DECIMAL_PLACES:
        return Decimal(1).scaleb(-int(value))
    raise ConfigError(f"{symbol}: ccxt names no fixed grid of prices and quantities")


_KINDS: dict[tuple[str, bool], Kind] = {
    ("swap", False): "linear_perpetual",
    ("swap", True): "inverse_perpetual",
    ("future", False): "linear_future",
    ("future", True): "inverse_future",
}


def _kind(market: Mapping[str, Any]) -> Kind:
    sort = str(market["type"])
    if sort == "spot":
        return "spot"
    kind = _KINDS.get((sort, bool(market.get("inverse"))))
    if kind is None:
        raise ConfigError(f"{market['symbol']}: this engine does not trade {sort}s")
    return kind
