"""The matching engine and its accounts, in this process."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from mainspring import _core
from mainspring.data.instruments import Instrument, Number
from mainspring.errors import InvalidValue, NotFoundError

Side = Literal["buy", "sell"]
OrderType = Literal[
    "limit", "market", "stop", "stop_limit", "take_profit", "trailing_stop", "iceberg", "pegged"
]
TimeInForce = Literal["gtc", "ioc", "fok", "gtd"]
SelfTrade = Literal["cancel_newest", "cancel_oldest", "cancel_both"]
Status = Literal["open", "post_only", "halted", "closed"]

_QUANTA = Decimal(10) ** 18
_POST_ONLY, _REDUCE_ONLY = 1, 2


@dataclass(frozen=True, slots=True)
class Event:
    """Something the exchange said.

    Attributes:
        kind: `accepted`, `rejected`, `rested`, `filled`, `cancelled`, `cancel_rejected`, `amended`,
            `amend_rejected`, `triggered`, `trigger_rejected`, `funding` or `liquidation`.
        account: whom it concerns.
        symbol: in which market.
        time_ns: when, as told to the exchange.
        order: the order's id; 0 where it is not about an order.
        side: the order's side.
        price: of the fill; else the order's limit or trigger price, None without one.
        quantity: of the fill.
        left: what is open of the order; for a cancelled one what was.
        reason: why it was refused or cancelled.
        trade: number of the trade in its market.
        counterparty: the order on the other side of a fill.
        maker: whether the order of a fill was resting.
        fee: of the fill, in the settlement currency; negative is a rebate.
        realised: profit that the fill realised, before fees; for funding what was received.
    """

    kind: str
    account: int
    symbol: str
    time_ns: int = 0
    order: int = 0
    side: str | None = None
    price: Decimal | None = None
    quantity: Decimal | None = None
    left: Decimal | None = None
    reason: str | None = None
    trade: int | None = None
    counterparty: int | None = None
    maker: bool | None = None
    fee: Decimal | None = None
    realised: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Balance:
    """Where an account stands in one currency.

    Attributes:
        wallet: what it has.
        locked: what open spot orders hold of it.
        unrealised: profit of open positions at their marks.
        margin: initial margin of positions and open orders.
        maintenance: margin under which positions are liquidated.
        available: what new orders can use.
    """

    wallet: Decimal
    locked: Decimal
    unrealised: Decimal
    margin: Decimal
    maintenance: Decimal
    available: Decimal


class Exchange:
    """Markets in price-time priority, with accounts, margin, fees, funding and liquidation.

    It has no clock: `now_ns` is what the caller says, and only orders with an expiry look at it.
    The same calls give the same events. Prices and quantities must lie on the instrument's grid.

    Args:
        instruments: what is traded; each symbol once.
        reserved_orders: open orders of a market that fit before memory is asked for.
    """

    def __init__(self, instruments: Sequence[Instrument], *, reserved_orders: int = 4096) -> None:
        self._instruments = {one.symbol: one for one in instruments}
        if len(self._instruments) != len(instruments):
            raise InvalidValue("an exchange lists each symbol once")
        self._ids = {symbol: at for at, symbol in enumerate(self._instruments)}
        self._symbols = list(self._instruments)
        documents = json.dumps([one.to_dict() for one in instruments])
        self._core = _core.Exchange(documents, reserved_orders)

    def open_account(self, deposits: Mapping[str, Number]) -> int:
        """Opens an account with these deposits and returns its number.

        Raises:
            InvalidValue: a deposit is negative.
            NotFoundError: a currency is not used by any instrument.
        """
        return self._core.open_account([(name, str(amount)) for name, amount in deposits.items()])

    def submit(
        self,
        account: int,
        symbol: str,
        side: Side,
        quantity: Number,
        price: Number | None = None,
        *,
        order_type: OrderType | None = None,
        time_in_force: TimeInForce = "gtc",
        post_only: bool = False,
        reduce_only: bool = False,
        trigger: Number | None = None,
        offset: Number | None = None,
        display: Number | None = None,
        expire_ns: int = 0,
        oco: int = 0,
        self_trade: SelfTrade | None = "cancel_newest",
        trigger_by: Literal["last_trade", "mark"] = "last_trade",
        now_ns: int = 0,
    ) -> tuple[int, list[Event]]:
        """Sends an order; returns its id and what followed from it.

        Args:
            account: whose.
            symbol: of the market.
            side: `buy` or `sell`.
            quantity: whole quantity.
            price: limit price.
            order_type: its sort; limit with a price and market without when not given.
            time_in_force: how long it lives.
            post_only: refuse it when it would take.
            reduce_only: only shrink a position.
            trigger: price that sets off a stop or a take-profit.
            offset: distance of a trailing stop, or of a peg behind its side's best price.
            display: what an iceberg shows at a time.
            expire_ns: when a `gtd` order ends.
            oco: the other leg of a pair, open already: a fill of one cancels the other.
            self_trade: which order gives way to one of the same account; None lets them trade.
            trigger_by: the price that triggers look at.
            now_ns: the time.

        Raises:
            InvalidValue: price or quantity is not on the grid.
            NotFoundError: there is no such market.
        """
        one = self._instrument(symbol)
        chosen = order_type or ("market" if price is None else "limit")
        terms = {
            "instrument": self._ids[symbol],
            "side": side,
            "order_type": chosen,
            "time_in_force": time_in_force,
            "flags": _POST_ONLY * post_only | _REDUCE_ONLY * reduce_only,
            "price": _count(price or 0, one.tick, "price"),
            "qty": _count(quantity, one.lot, "quantity"),
            "trigger": _count(trigger or 0, one.tick, "trigger"),
            "offset": _count(offset or 0, one.tick, "offset"),
            "display": _count(display or 0, one.lot, "display"),
            "expire_ns": expire_ns,
            "oco": oco,
        }
        by_mark = trigger_by == "mark"
        order, said = self._core.submit(account, json.dumps(terms), self_trade, by_mark, now_ns)
        return order, self._events(said)

    def cancel(self, account: int, symbol: str, order: int, *, now_ns: int = 0) -> list[Event]:
        """Cancels an order."""
        return self._events(self._core.cancel(self._id(symbol), order, account, now_ns))

    def amend(
        self,
        account: int,
        symbol: str,
        order: int,
        *,
        price: Number,
        quantity: Number,
        now_ns: int = 0,
    ) -> list[Event]:
        """Sets price (for an armed order its trigger) and whole quantity of an order.

        Less at the same price keeps the place in the queue; anything else goes to the back.
        """
        one = self._instrument(symbol)
        ticks, lots = _count(price, one.tick, "price"), _count(quantity, one.lot, "quantity")
        said = self._core.amend(self._ids[symbol], order, account, ticks, lots, now_ns)
        return self._events(said)

    def set_status(self, symbol: str, status: Status, *, now_ns: int = 0) -> list[Event]:
        """Opens, restricts or halts a market; opening sets off triggers reached meanwhile."""
        return self._events(self._core.set_status(self._id(symbol), status, now_ns))

    def set_mark(self, symbol: str, price: Number, *, now_ns: int = 0) -> list[Event]:
        """Sets the mark price: positions are valued, triggers fire, accounts are liquidated."""
        ticks = Decimal(str(price)) / self._instrument(symbol).tick
        mark = int((ticks * 10**9).to_integral_value())
        return self._events(self._core.set_mark(self._ids[symbol], mark, now_ns))

    def settle_funding(self, symbol: str, rate: Number, *, now_ns: int = 0) -> list[Event]:
        """Settles funding at the mark: longs pay shorts `position x mark x rate`."""
        units = int((Decimal(str(rate)) * 10**9).to_integral_value())
        return self._events(self._core.settle_funding(self._id(symbol), units, now_ns))

    def advance(self, now_ns: int) -> list[Event]:
        """Lets time pass: orders that are good till then leave."""
        return self._events(self._core.advance(now_ns))

    def set_leverage(self, account: int, symbol: str, leverage: int) -> None:
        """Sets the leverage of new orders; the tier of a position bounds it further."""
        self._core.set_leverage(account, self._id(symbol), leverage)

    def book(
        self, symbol: str, depth: int = 10
    ) -> tuple[list[tuple[Decimal, Decimal]], list[tuple[Decimal, Decimal]]]:
        """Bids and asks as members see them, best first: price and shown quantity."""
        one = self._instrument(symbol)
        sides = (self._core.levels(self._ids[symbol], ask, depth) for ask in (False, True))
        bids, asks = ([(t * one.tick, q * one.lot) for t, q in levels] for levels in sides)
        return bids, asks

    def position(self, account: int, symbol: str) -> Decimal:
        """The account's position; for spot what it bought less what it sold."""
        return self._core.position(account, self._id(symbol)) * self._instruments[symbol].lot

    def balance(self, account: int, currency: str) -> Balance:
        """Where the account stands in a currency."""
        return Balance(*(value / _QUANTA for value in self._core.balance(account, currency)))

    def _instrument(self, symbol: str) -> Instrument:
        if symbol not in self._instruments:
            known = ", ".join(self._symbols)
            raise NotFoundError(f"no market {symbol!r} on this exchange; there are {known}")
        return self._instruments[symbol]

    def _id(self, symbol: str) -> int:
        self._instrument(symbol)
        return self._ids[symbol]

    def _events(self, said: str) -> list[Event]:
        return [self._event(one) for one in json.loads(said)]

    def _event(self, said: dict[str, Any]) -> Event:
        one = self._instruments[self._symbols[said["instrument"]]]
        money = {
            name: Decimal(said[name]) / _QUANTA for name in ("fee", "realised") if name in said
        }
        if "received" in said:
            money["realised"] = Decimal(said["received"]) / _QUANTA
        return Event(
            kind=said["kind"],
            account=said["account"],
            symbol=one.symbol,
            time_ns=said.get("time_ns", 0),
            order=said.get("order", 0),
            side=said.get("side"),
            price=said["price"] * one.tick if said.get("price") else None,
            quantity=said["qty"] * one.lot if "qty" in said else None,
            left=said["left"] * one.lot if "left" in said else None,
            reason=said.get("reason"),
            trade=said.get("trade"),
            counterparty=said.get("counterparty"),
            maker=said.get("maker"),
            **money,
        )


def _count(value: Number, step: Decimal, what: str) -> int:
    count = Decimal(str(value)) / step
    if count != count.to_integral_value():
        raise InvalidValue(f"{what} {value}: must be a multiple of {step}")
    return int(count)
