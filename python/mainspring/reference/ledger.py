"""The ledger: cash, positions, profit, fees and funding as exact integers.

Average cost. A position keeps `cost`, the exact sum of price x quantity of what is open. Closing a
part takes its share of the cost out, rounded half to even, so that closing all leaves nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from mainspring.reference.vocabulary import (
    QUANTA_PER_UNIT,
    RATE_UNITS,
    Instrument,
    InstrumentKind,
    Side,
    divide_half_even,
)

MAX_STEPS = 4
"""From one currency to another, at most."""


def value(instrument: Instrument, price: Fraction | int, lots: int) -> int:
    """Signed value of a quantity at a price in ticks, in quanta, rounded half to even."""
    if instrument.kind is InstrumentKind.INVERSE:
        worth = lots * Fraction(instrument.lot) * Fraction(instrument.multiplier)
        return round(worth * QUANTA_PER_UNIT / (Fraction(price) * Fraction(instrument.tick)))
    return round(Fraction(price) * lots * instrument.tick_value)


def proportional(notional: int, rate: int) -> tuple[int, int]:
    """`notional x rate` (10^-9) in whole quanta, and what rounding left in 10^-9 quanta."""
    exact = notional * rate
    amount = divide_half_even(exact, RATE_UNITS)
    return amount, exact - amount * RATE_UNITS


def rate_units(rate: str) -> int:
    """A rate given as decimal text, in units of 10^-9."""
    units = Fraction(rate) * RATE_UNITS
    if units.denominator != 1:
        raise ValueError(f"rate {rate} has more than 9 decimals")
    return int(units)


@dataclass
class Position:
    """A position and what it earned; money in quanta.

    Attributes:
        lots: Signed quantity.
        cost: Of what is open, signed like `lots`: ticks x lots, or quanta for an inverse contract.
        realised: Profit before fees.
        fees: Paid; negative for a rebate.
        funding: Received; negative when paid.
    """

    lots: int = 0
    cost: int = 0
    realised: int = 0
    fees: int = 0
    funding: int = 0

    def fill(self, instrument: Instrument, side: Side, price: int, qty: int) -> int:
        """Closes what is open on the other side, opens the rest; returns the realised profit."""
        closing = min(qty, abs(self.lots)) if self.lots * side.sign < 0 else 0
        realised = 0
        if closing:
            taken = divide_half_even(self.cost * closing, abs(self.lots))
            paid = _cost(instrument, price, closing * side.sign)
            self.cost -= taken
            self.lots += closing * side.sign
            # Bought cheap and sold dear is a gain; in base terms it is the other way round.
            if instrument.kind is InstrumentKind.INVERSE:
                realised = taken + paid
            else:
                realised = -(taken + paid) * instrument.tick_value
        opening = (qty - closing) * side.sign
        if opening:
            self.cost += _cost(instrument, price, opening)
            self.lots += opening
        self.realised += realised
        return realised

    def unrealised(self, instrument: Instrument, mark: Fraction | int) -> int:
        """What closing at `mark` ticks would gain."""
        if instrument.kind is InstrumentKind.INVERSE:
            return self.cost - value(instrument, mark, self.lots)
        return round((Fraction(mark) * self.lots - self.cost) * instrument.tick_value)


def _cost(instrument: Instrument, price: int, signed_lots: int) -> int:
    if instrument.kind is InstrumentKind.INVERSE:
        return value(instrument, price, signed_lots)
    return price * signed_lots


@dataclass
class Totals:
    """One currency: our cash and everybody else's account with us, in quanta."""

    cash: int = 0
    market: int = 0
    fee_income: int = 0
    funding_pool: int = 0
    outside: int = 0
    residual: int = 0
    """Left by rounding, in 10^-9 quanta."""


class Ledger:
    """Money and positions of all strategies."""

    def __init__(self, instruments: list[Instrument], deposits: dict[str, str]) -> None:
        self.instruments = instruments
        self.positions: dict[tuple[int, int], Position] = defaultdict(Position)
        self.net: dict[int, Position] = defaultdict(Position)
        self.totals: dict[str, Totals] = defaultdict(Totals)
        for currency, amount in deposits.items():
            quanta = int(Fraction(amount) * QUANTA_PER_UNIT)
            self.totals[currency].cash += quanta
            self.totals[currency].outside -= quanta

    def fill(
        self, strategy: int, index: int, side: Side, price: int, qty: int, maker: bool
    ) -> tuple[int, int]:
        """Books a fill; returns realised profit and fee."""
        instrument = self.instruments[index]
        position = self.positions[strategy, index]
        realised = position.fill(instrument, side, price, qty)
        self.net[index].fill(instrument, side, price, qty)
        rate = rate_units(instrument.maker_fee if maker else instrument.taker_fee)
        fee, residual = proportional(abs(value(instrument, price, qty)), rate)
        position.fees += fee
        self.net[index].fees += fee
        account = self.totals[instrument.settle]
        if instrument.kind is InstrumentKind.SPOT:
            # Spot delivers: quote goes one way, base the other.
            self._trade(instrument.quote, -value(instrument, price, qty * side.sign))
            lot = int(Fraction(instrument.lot) * QUANTA_PER_UNIT)
            self._trade(instrument.base, qty * side.sign * lot)
        else:
            self._trade(instrument.settle, realised)
        account.cash -= fee
        account.fee_income += fee
        account.residual += residual
        return realised, fee

    def funding(self, index: int, rate: int, mark: Fraction) -> None:
        """Every position pays `position x mark x rate`; a negative payment is received."""
        instrument = self.instruments[index]
        account = self.totals[instrument.settle]
        for (_, at), position in self.positions.items():
            if at != index or position.lots == 0:
                continue
            paid, residual = proportional(value(instrument, mark, position.lots), rate)
            position.funding -= paid
            self.net[index].funding -= paid
            account.cash -= paid
            account.funding_pool += paid
            account.residual += residual

    def _trade(self, currency: str, to_us: int) -> None:
        self.totals[currency].cash += to_us
        self.totals[currency].market -= to_us

    def rate(self, source: str, target: str, marks: Mapping[int, Fraction]) -> int | None:
        """Quanta of `target` for one of `source`, by marks in ticks.

        None where nothing connects them. An instrument between the two gives it, a spot one first;
        else the fewest steps, of two ways of one length the one over currencies that the
        instruments name first. Each step is rounded.
        """
        ways: list[tuple[str, ...]] = [(source,)]
        for _ in range(MAX_STEPS):
            for way in ways:
                steps = list(pairwise((*way, target)))
                rates = [self._direct_rate(*step, marks) for step in steps]
                known = [rate for rate in rates if rate is not None]
                if len(known) < len(rates):
                    continue
                product = known.pop()
                while known:
                    product = divide_half_even(known.pop() * product, QUANTA_PER_UNIT)
                return product
            ways = [(*w, c) for w in ways for c in self.currencies if c not in (*w, target)]
        return None

    @property
    def currencies(self) -> list[str]:
        """In the order in which instruments and then deposits name them."""
        named = [name for one in self.instruments for name in (one.base, one.quote)]
        return list(dict.fromkeys([*named, *self.totals]))

    def _direct_rate(self, source: str, target: str, marks: Mapping[int, Fraction]) -> int | None:
        spot_first = sorted(marks, key=lambda at: self.instruments[at].kind != InstrumentKind.SPOT)
        for at in spot_first:
            one = self.instruments[at]
            rate = round(marks[at] * Fraction(one.tick) * QUANTA_PER_UNIT)
            if (one.base, one.quote) == (source, target):
                return rate
            if (one.base, one.quote) == (target, source) and rate > 0:
                return divide_half_even(QUANTA_PER_UNIT**2, rate)
        return None

    def equity(self, currency: str, marks: Mapping[int, Fraction]) -> int:
        """What the account is worth in one currency.

        Deposits, realised and unrealised profit, fees and funding of each currency are converted
        and rounded by themselves.

        Raises:
            AssertionError: Where a currency in use cannot be valued.
        """
        total = 0
        for name in self.currencies:
            parts = self._parts(name, marks)
            if name == currency:
                total += sum(parts)
            elif any(parts):
                rate = self.rate(name, currency, marks)
                assert rate is not None, f"no rate from {name} to {currency}"
                total += sum(divide_half_even(part * rate, QUANTA_PER_UNIT) for part in parts)
        return total

    def _parts(self, currency: str, marks: Mapping[int, Fraction]) -> list[int]:
        """Deposits, realised, unrealised, fees (negative) and funding in a currency."""
        settled = [
            (at, p)
            for (_, at), p in self.positions.items()
            if self.instruments[at].settle == currency
        ]
        open_ = [
            Position(
                lots=sum(p.lots for index, p in settled if index == at),
                cost=sum(p.cost for index, p in settled if index == at),
            ).unrealised(self.instruments[at], marks[at])
            for at in sorted({at for at, _ in settled})
        ]
        return [
            -self.totals[currency].outside,
            sum(p.realised for _, p in settled),
            sum(open_),
            -sum(p.fees for _, p in settled),
            sum(p.funding for _, p in settled),
        ]

    def check(self) -> None:
        """Money is neither made nor lost.

        Raises:
            AssertionError: With the currency that does not balance.
        """
        for currency, t in self.totals.items():
            total = t.cash + t.market + t.fee_income + t.funding_pool + t.outside
            if total != 0:
                raise AssertionError(f"{currency}: {total} quanta from nowhere")
