"""The smart order router over levels that you have at hand; inside a strategy use `m.route`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Literal

from mainspring import _core
from mainspring._core import Route
from mainspring.errors import ConfigError

Number = str | float | Decimal
Levels = Sequence[tuple[Number, Number]]

_MAX_DECIMALS = 12
"""Prices and quantities are counted in units of at least 10^-12."""

_MAX_COUNT = 1 << 62


@dataclass(frozen=True)
class RouteVenue:
    """What a venue offers, charges and allows.

    Attributes:
        levels: (price, quantity) of the side that is taken, best first.
        fee: taker fee as a fraction of the value; negative is a rebate.
        fixed_fee: fee for each order, in quote.
        lot: smallest step of a quantity; the finest of all quantities without it.
        min_qty: smallest order.
        max_qty: largest order.
        min_notional: smallest order value, in quote.
        orders_left: orders that the venue's rate limit leaves; with none it is left out.
    """

    levels: Levels
    fee: Number = 0.0
    fixed_fee: Number = 0.0
    lot: Number | None = None
    min_qty: Number = 0.0
    max_qty: Number | None = None
    min_notional: Number = 0.0
    orders_left: int | None = None


def route(
    side: Literal["buy", "sell"],
    qty: Number,
    venues: Mapping[str, RouteVenue],
    *,
    limit: Number | None = None,
    max_orders: int | None = None,
) -> Route:
    """Splits a quantity over venues: the most of it, and that at the least cost with fees.

    Levels of all venues are taken in order of their price with fees, ``p (1 + fee)`` for a buyer
    and ``p (1 - fee)`` for a seller, equal ones in the order of the venues: optimal, because each
    venue's cost is convex in its quantity. Fixed fees, smallest orders and the bound of orders
    break that: which venues take part is then found by branch and bound, exact unless
    `Route.is_optimal` says that the search was cut short.

    Args:
        side: ``"buy"`` or ``"sell"``.
        qty: quantity.
        venues: at most 16, by name.
        limit: the worst price with fees that is taken.
        max_orders: most venues that take part.

    Raises:
        ConfigError: for a number that cannot be used.
        CapacityError: for more than 16 venues.
    """
    prices = [price for venue in venues.values() for price, _ in venue.levels]
    quantities = [qty] + [size for venue in venues.values() for _, size in venue.levels]
    for venue in venues.values():
        given = (venue.lot, venue.min_qty, venue.max_qty)
        quantities.extend(value for value in given if value is not None)
    tick = _Unit.of(prices)
    lot = _Unit.of(quantities)
    return _core.route_levels(
        side,
        lot.count(qty),
        [_venue(name, venue, tick, lot) for name, venue in venues.items()],
        price_decimals=tick.decimals,
        qty_decimals=lot.decimals,
        limit_nanoticks=None if limit is None else int(_exact(limit).scaleb(tick.decimals + 9)),
        max_orders=(1 << 32) - 1 if max_orders is None else max_orders,
    )


_VenueArgs = tuple[str, list[tuple[int, int]], int, int, int, int, int, int, int]


def _venue(name: str, venue: RouteVenue, tick: _Unit, lot: _Unit) -> _VenueArgs:
    value_decimals = tick.decimals + lot.decimals
    return (
        name,
        [(tick.count(price), lot.count(size)) for price, size in venue.levels],
        int(_exact(venue.fee).scaleb(9)),
        int(_exact(venue.fixed_fee).scaleb(value_decimals + 9)),
        1 if venue.lot is None else lot.count(venue.lot),
        lot.count(venue.min_qty),
        0 if venue.max_qty is None else lot.count(venue.max_qty),
        -int(-_exact(venue.min_notional).scaleb(value_decimals) // 1),
        (1 << 32) - 1 if venue.orders_left is None else venue.orders_left,
    )


@dataclass(frozen=True)
class _Unit:
    """A decimal unit in which all of some numbers are whole."""

    decimals: int

    @classmethod
    def of(cls, values: Sequence[Number]) -> _Unit:
        exponents = [int(_exact(value).normalize().as_tuple().exponent) for value in values]
        decimals = max([0, *(-exponent for exponent in exponents)])
        if decimals > _MAX_DECIMALS:
            raise ConfigError(
                f"a price or quantity with {decimals} decimals; round to {_MAX_DECIMALS}"
            )
        return cls(decimals)

    def count(self, value: Number) -> int:
        count = int(_exact(value).scaleb(self.decimals))
        if abs(count) > _MAX_COUNT:
            raise ConfigError(f"{value} is too large beside the finest of the numbers")
        return count


def _exact(value: Number) -> Decimal:
    """A float as the shortest decimal that reads as it."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise ConfigError(f"{value!r} is not a number") from None
    if not number.is_finite():
        raise ConfigError(f"{value!r} is not a finite number")
    return number
