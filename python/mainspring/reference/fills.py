"""Fill models: how orders take, and how trades and crossing prices fill resting orders."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from mainspring.reference.vocabulary import (
    CancelReason,
    OrderType,
    Refused,
    RejectReason,
    Side,
    TimeInForce,
)

if TYPE_CHECKING:
    from mainspring.reference.venue import Venue, Working

SLIVER = 1e-9
"""What float error may not take from a whole lot."""


class FillModel(ABC):
    """The rules by which orders are filled."""

    @abstractmethod
    def check_entry(self, venue: Venue, order: Working) -> None:
        """Raises `Refused` for a post-only or fill-or-kill order that may not enter now."""

    @abstractmethod
    def take(self, venue: Venue, order: Working) -> None:
        """Lets an entering order take what it can."""

    @abstractmethod
    def trade(self, venue: Venue, taker: Side, price: int, qty: int) -> None:
        """A trade of the feed passes our resting orders on the maker's side."""

    @abstractmethod
    def cross(
        self, venue: Venue, theirs: Side, price: int, shown: int, best_before: int | None
    ) -> None:
        """A depth row set a level of side `theirs`, perhaps at or through our prices."""

    @abstractmethod
    def after_queue(self, order: Working) -> None:
        """The queue in front of an order moved with its level."""


class Mainspring(FillModel):
    """Trades and shown depth are shared out: nothing is filled twice."""

    def after_queue(self, order: Working) -> None:
        """There is never less than nothing in front."""
        order.place.front = max(order.place.front, 0.0)

    def check_entry(self, venue: Venue, order: Working) -> None:
        """See `FillModel`."""
        if order.terms.post_only:
            self._check_post_only(venue, order)
        if order.terms.time_in_force is TimeInForce.FOK and not self._can_fill(venue, order):
            raise Refused(RejectReason.FOK_NOT_FILLED)

    def _check_post_only(self, venue: Venue, order: Working) -> None:
        theirs, limit = order.terms.side.opposite, order.limit
        best, own = venue.book.best(theirs), venue.own_best(theirs)
        if limit is None or (best is not None and theirs.at_least(best, limit)):
            raise Refused(RejectReason.POST_ONLY_WOULD_TAKE)
        if own is not None and theirs.at_least(own, limit):
            raise Refused(RejectReason.SELF_TRADE)

    def _can_fill(self, venue: Venue, order: Working) -> bool:
        """Whether the levels within the limit, up to an order of our own, hold all of it."""
        theirs = order.terms.side.opposite
        own = venue.own_best(theirs)
        total = 0
        for price in venue.book.from_best(theirs):
            walled = own is not None and theirs.at_least(own, price)
            if walled or not _within(order, price):
                break
            total += venue.available(theirs, price)
        return total >= order.remaining

    def take(self, venue: Venue, order: Working) -> None:
        """Level by level, each its own fill, until it is filled, at its limit, or meets us."""
        theirs = order.terms.side.opposite
        while not order.done and venue.fillable(order) > 0:
            level = self._best_level(venue, order)
            own = next(iter(venue.resting(theirs)), None)
            if own is not None and _meets(own, theirs, level, order):
                if not self._prevent_self_trade(venue, order, own):
                    return
                continue
            if level is None:
                return
            qty = min(venue.fillable(order), venue.available(theirs, level))
            venue.take(theirs, level, qty)
            venue.fill(order, level, qty, maker=False)

    def _best_level(self, venue: Venue, order: Working) -> int | None:
        """The best price within the limit where something is left to take."""
        theirs = order.terms.side.opposite
        for price in venue.book.from_best(theirs):
            if not _within(order, price):
                return None
            if venue.available(theirs, price) > 0:
                return price
        return None

    def _prevent_self_trade(self, venue: Venue, order: Working, own: Working) -> bool:
        """Returns whether the incoming order goes on."""
        rule = venue.config.self_trade
        if rule in ("cancel_oldest", "cancel_both"):
            venue.cancel(own, CancelReason.SELF_TRADE)
        if rule == "cancel_oldest":
            return True
        venue.cancel(order, CancelReason.SELF_TRADE)
        return False

    def trade(self, venue: Venue, taker: Side, price: int, qty: int) -> None:
        """Better prices first, from the whole trade; then ours at its price, after their queue."""
        side = taker.opposite
        ours = venue.resting(side)
        given = self._through(venue, [o for o in ours if side.better(o.terms.price, price)], qty)
        for order in (o for o in ours if o.terms.price == price):
            if order.done:
                continue
            before = order.place.front
            order.place.trade(qty)
            order.place.front = max(0.0, before - qty)
            room = math.floor(max(0.0, qty - before) + SLIVER) - given
            lots = min(room, order.visible, venue.fillable(order))
            if lots > 0:
                given += lots
                _make(venue, order, lots)

    def cross(
        self, venue: Venue, theirs: Side, price: int, shown: int, best_before: int | None
    ) -> None:
        """What the level shows goes to our orders at its price or better, at our prices."""
        del best_before
        side = theirs.opposite
        ours = [o for o in venue.resting(side) if side.at_least(o.terms.price, price)]
        given = self._through(venue, ours, shown)
        if given > 0:
            venue.take(theirs, price, given)

    def _through(self, venue: Venue, ours: list[Working], qty: int) -> int:
        """Orders that the taker meets first; nothing of the feed is left in front of them."""
        given = 0
        for order in ours:
            if order.done:
                continue
            lots = min(venue.fillable(order), qty - given)
            if lots > 0:
                given += lots
                _make(venue, order, lots)
            order.place.front = 0.0
        return given


class HftNoPartial(FillModel):
    """The exchange model of hftbacktest 2.4.4 without partial fills, its faults included."""

    def after_queue(self, order: Working) -> None:
        """A place in front of the queue is an order that they owe a fill."""

    def _takes(self, venue: Venue, order: Working) -> bool:
        best = venue.book.best(order.terms.side.opposite)
        return best is not None and _within(order, best)

    def check_entry(self, venue: Venue, order: Working) -> None:
        """Looks at the feed's best alone."""
        takes = self._takes(venue, order)
        if takes and order.terms.post_only:
            raise Refused(RejectReason.POST_ONLY_WOULD_TAKE)
        if not takes and order.terms.time_in_force is TimeInForce.FOK:
            raise Refused(RejectReason.FOK_NOT_FILLED)

    def take(self, venue: Venue, order: Working) -> None:
        """Whole, at the best price, whatever is there."""
        best = venue.book.best(order.terms.side.opposite)
        lots = venue.fillable(order)
        if best is not None and _within(order, best) and lots > 0:
            venue.fill(order, best, lots, maker=False)

    def trade(self, venue: Venue, taker: Side, price: int, qty: int) -> None:
        """Every order sees the whole trade."""
        side = taker.opposite
        for order in venue.resting(side):
            ours = order.terms.price
            if order.done or side.better(price, ours):
                continue
            executable = True
            if ours == price:
                order.place.trade(qty)
                executable = math.floor(-order.place.front + 0.5) > 0
                if executable:
                    order.place.front = 0.0
            lots = venue.fillable(order)
            if executable and lots > 0:
                venue.fill(order, ours, lots, maker=True)

    def cross(
        self, venue: Venue, theirs: Side, price: int, shown: int, best_before: int | None
    ) -> None:
        """When the opposite best moves to our price or through it, whole, at our price."""
        del shown
        if best_before is not None and not theirs.better(price, best_before):
            return
        side = theirs.opposite
        for order in venue.resting(side):
            lots = venue.fillable(order)
            if not order.done and side.at_least(order.terms.price, price) and lots > 0:
                venue.fill(order, order.terms.price, lots, maker=True)


FILL_MODELS: dict[str, type[FillModel]] = {
    "mainspring": Mainspring,
    "hft_no_partial": HftNoPartial,
}


def _within(order: Working, price: int) -> bool:
    """Whether a price of the other side is within a taker's limit."""
    return order.limit is None or order.terms.side.opposite.at_least(price, order.limit)


def _meets(own: Working, theirs: Side, level: int | None, order: Working) -> bool:
    """Whether our own order is met before the level, or within the limit when none is left."""
    if level is None:
        return _within(order, own.terms.price)
    return theirs.at_least(own.terms.price, level)


def _make(venue: Venue, order: Working, qty: int) -> None:
    """A resting order fills as maker; an iceberg shows its next slice."""
    venue.fill(order, order.terms.price, qty, maker=True)
    if order.terms.order_type is not OrderType.ICEBERG or order.done:
        return
    order.slice_left -= qty
    if order.slice_left <= 0:
        venue.show_next_slice(order)
