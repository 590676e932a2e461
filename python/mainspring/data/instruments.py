"""Instruments: what is traded, on which price grid, in which lot."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, get_args

from mainspring import _core
from mainspring.errors import InvalidValue

Kind = Literal["spot", "linear_perpetual", "inverse_perpetual", "linear_future", "inverse_future"]
Number = str | int | float | Decimal

_QUOTES = ("USDT", "USDC", "FDUSD", "BUSD", "TUSD", "USD", "EUR", "GBP", "JPY", "BTC", "ETH", "BNB")


@dataclass(frozen=True, slots=True)
class Instrument:
    """A definition as event files hold it. Make one with `instrument(...)`.

    Attributes:
        symbol: the venue's symbol.
        venue: the venue.
        kind: spot, perpetual or future, linear or inverse.
        base: base currency.
        quote: quote currency.
        tick: finest price increment.
        lot: quantity of one lot.
        multiplier: base per contract (linear), quote per contract (inverse), 1 for spot.
        min_qty: smallest order.
        max_qty: largest order, None for no bound.
        min_notional: smallest order value in quote.
        maker_fee: fraction of notional, negative for a rebate.
        taker_fee: fraction of notional.
        grids: versions of the price grid, oldest first, as plain data.
        margin_tiers: maintenance margin brackets, smallest first, as plain data.
    """

    symbol: str
    venue: str
    kind: Kind
    base: str
    quote: str
    tick: Decimal
    lot: Decimal
    multiplier: Decimal
    min_qty: Decimal
    max_qty: Decimal | None
    min_notional: Decimal
    maker_fee: Decimal
    taker_fee: Decimal
    grids: tuple[Mapping[str, Any], ...]
    margin_tiers: tuple[Mapping[str, Any], ...]

    @classmethod
    def from_dict(cls, definition: Mapping[str, Any]) -> Instrument:
        """The instrument of a definition in the engine's form.

        Raises:
            InvalidValue: the parts do not fit together.
        """
        return cls._of(json.loads(_core.instrument_json(json.dumps(definition))))

    @classmethod
    def from_json(cls, text: str) -> Instrument:
        """As `from_dict`, from JSON text."""
        return cls._of(json.loads(_core.instrument_json(text)))

    @classmethod
    def _of(cls, full: Mapping[str, Any]) -> Instrument:
        lot = Decimal(full["lot"])
        return cls(
            symbol=full["symbol"],
            venue=full["venue"],
            kind=full["kind"],
            base=full["base"],
            quote=full["quote"],
            tick=Decimal(full["grids"][0]["tick"]),
            lot=lot,
            multiplier=Decimal(full["multiplier"]),
            min_qty=full["min_qty"] * lot,
            max_qty=full["max_qty"] * lot if full["max_qty"] else None,
            min_notional=Decimal(full["min_notional"]),
            maker_fee=Decimal(full["maker_fee"]),
            taker_fee=Decimal(full["taker_fee"]),
            grids=tuple(full["grids"]),
            margin_tiers=tuple(full["margin_tiers"]),
        )

    def to_dict(self) -> dict[str, Any]:
        """The definition in the engine's form: decimals as text, order sizes in lots."""
        return {
            "symbol": self.symbol,
            "venue": self.venue,
            "kind": self.kind,
            "base": self.base,
            "quote": self.quote,
            "grids": [dict(grid) for grid in self.grids],
            "lot": _text(self.lot),
            "multiplier": _text(self.multiplier),
            "min_qty": int(self.min_qty / self.lot),
            "max_qty": 0 if self.max_qty is None else int(self.max_qty / self.lot),
            "min_notional": _text(self.min_notional),
            "maker_fee": _text(self.maker_fee),
            "taker_fee": _text(self.taker_fee),
            "margin_tiers": [dict(tier) for tier in self.margin_tiers],
        }

    def to_json(self) -> str:
        """`to_dict` as JSON text."""
        return json.dumps(self.to_dict())

    @property
    def settle(self) -> str:
        """The currency of profit and fees."""
        return self.base if self.kind.startswith("inverse") else self.quote


def instrument(
    symbol: str,
    *,
    tick: Number,
    lot: Number = 1,
    kind: Kind = "spot",
    venue: str = "local",
    base: str | None = None,
    quote: str | None = None,
    multiplier: Number = 1,
    min_qty: Number | None = None,
    max_qty: Number | None = None,
    min_notional: Number = 0,
    maker_fee: Number = 0,
    taker_fee: Number = 0,
    price_tiers: Iterable[tuple[Number, Number]] | None = None,
    significant_digits: int | None = None,
    margin_tiers: Sequence[Mapping[str, Any]] = (),
) -> Instrument:
    """Defines an instrument.

    Args:
        symbol: the venue's symbol, such as ``BTCUSDT``.
        tick: finest price increment; floats mean their shortest decimal text.
        lot: quantity of one lot.
        kind: what sort of contract.
        venue: the venue's name.
        base: base currency; told from the symbol without it.
        quote: quote currency; told from the symbol without it.
        multiplier: contract size.
        min_qty: smallest order, a multiple of the lot; one lot without it.
        max_qty: largest order, a multiple of the lot; no bound without it.
        min_notional: smallest order value in quote.
        maker_fee: fraction of notional, negative for a rebate.
        taker_fee: fraction of notional.
        price_tiers: coarser steps from a price on: ``[(0, "0.01"), (1000, "0.05")]``.
        significant_digits: most digits a price may have; not together with tiers.
        margin_tiers: mappings of ``notional_cap`` (None for no bound), ``maintenance_rate`` and
            ``max_leverage``.

    Raises:
        InvalidValue: a value is no number, or the parts do not fit together.
    """
    if kind not in get_args(Kind):
        raise InvalidValue(f"instrument kind {kind!r}; there are {', '.join(get_args(Kind))}")
    known_base, known_quote = _currencies(symbol)
    tick_size, lot_size = _decimal("tick", tick), _decimal("lot", lot)
    return Instrument.from_dict(
        {
            "symbol": symbol,
            "venue": venue,
            "kind": kind,
            "base": base or known_base,
            "quote": quote or known_quote,
            "grids": [_grid(tick_size, price_tiers, significant_digits)],
            "lot": _text(lot_size),
            "multiplier": _text(_decimal("multiplier", multiplier)),
            "min_qty": 1 if min_qty is None else _count("min_qty", min_qty, lot_size),
            "max_qty": 0 if max_qty is None else _count("max_qty", max_qty, lot_size),
            "min_notional": _text(_decimal("min_notional", min_notional)),
            "maker_fee": _text(_decimal("maker_fee", maker_fee)),
            "taker_fee": _text(_decimal("taker_fee", taker_fee)),
            "margin_tiers": [_margin_tier(tier) for tier in margin_tiers],
        }
    )


def _grid(
    tick: Decimal,
    price_tiers: Iterable[tuple[Number, Number]] | None,
    significant_digits: int | None,
) -> dict[str, Any]:
    grid: dict[str, Any] = {"version": 0, "tick": _text(tick)}
    if price_tiers is not None and significant_digits is not None:
        raise InvalidValue("a price grid has tiers or significant digits, not both")
    if price_tiers is not None:
        steps = [
            [_count("price tier", start, tick), _count("step of a price tier", step, tick)]
            for start, step in price_tiers
        ]
        return {**grid, "rule": "tiers", "steps": steps}
    if significant_digits is not None:
        return {**grid, "rule": "significant_digits", "digits": significant_digits}
    return {**grid, "rule": "fixed"}


def _margin_tier(tier: Mapping[str, Any]) -> dict[str, Any]:
    cap = tier.get("notional_cap")
    return {
        "notional_cap": None if cap is None else _text(_decimal("notional_cap", cap)),
        "maintenance_rate": _text(_decimal("maintenance_rate", tier["maintenance_rate"])),
        "max_leverage": int(tier["max_leverage"]),
    }


def _currencies(symbol: str) -> tuple[str, str]:
    """Base and quote of a symbol such as BTCUSDT, BTC-USD or ETH/BTC; the best guess otherwise."""
    for separator in "-/_:":
        if separator in symbol:
            first, second = symbol.split(separator)[:2]
            return first.upper(), second.upper()
    for quote in _QUOTES:
        if symbol.upper().endswith(quote) and len(symbol) > len(quote):
            return symbol.upper().removesuffix(quote), quote
    return symbol.upper(), "USD"


def _count(name: str, value: Number, unit: Decimal) -> int:
    if unit <= 0:
        raise InvalidValue(f"tick and lot must be positive, not {unit}")
    count = _decimal(name, value) / unit
    if count != count.to_integral_value():
        raise InvalidValue(f"{name} {value} is not a whole number of {unit}")
    return int(count)


def _decimal(name: str, value: Number) -> Decimal:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise InvalidValue(f"{name} {value!r} is not a number") from None
    if not number.is_finite():
        raise InvalidValue(f"{name} {value!r} is not a finite number")
    return number


def _text(number: Decimal) -> str:
    return format(number, "f")
