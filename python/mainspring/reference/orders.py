"""Our side of an order: its states, and how each event moves it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

from mainspring.reference.vocabulary import (
    CancelReason,
    EventKind,
    OrderTerms,
    RejectReason,
    VenueEvent,
)


class OrderState(IntEnum):
    """Where an order stands."""

    CREATED = 0
    RISK_REJECTED = 1
    SUBMITTED = 2
    OPEN = 3
    PARTIALLY_FILLED = 4
    PENDING_CANCEL = 5
    PENDING_REPLACE = 6
    FILLED = 7
    CANCELLED = 8
    REJECTED = 9
    EXPIRED = 10
    UNKNOWN = 11


TERMINAL = frozenset(
    {
        OrderState.RISK_REJECTED,
        OrderState.FILLED,
        OrderState.CANCELLED,
        OrderState.REJECTED,
        OrderState.EXPIRED,
    }
)


class IllegalEventError(Exception):
    """An event that cannot happen to an order in its state."""


@dataclass
class Order:
    """An order of ours as far as we know it."""

    id: int
    strategy: int
    terms: OrderTerms
    purpose: str = "explicit"
    state: OrderState = OrderState.CREATED
    filled: int = 0
    fill_value: int = 0
    acknowledged: bool = False
    triggered: bool = False
    pending: tuple[int, int] | None = None
    """Price and total quantity of a change that is on its way."""

    @property
    def is_terminal(self) -> bool:
        """Whether it is over."""
        return self.state in TERMINAL

    @property
    def remaining(self) -> int:
        """What has not traded."""
        return self.terms.qty - self.filled

    @property
    def fillable(self) -> int:
        """The most that may still trade: a larger quantity may already stand at the venue."""
        asked = self.pending[1] if self.pending else 0
        return max(self.terms.qty, asked) - self.filled

    def submit(self) -> None:
        """It goes to the venue."""
        self._require(OrderState.CREATED)
        self.state = OrderState.SUBMITTED

    def request_cancel(self) -> None:
        """A cancel goes to the venue."""
        self._require(
            OrderState.SUBMITTED,
            OrderState.OPEN,
            OrderState.PARTIALLY_FILLED,
            OrderState.PENDING_REPLACE,
            OrderState.UNKNOWN,
        )
        self.state = OrderState.PENDING_CANCEL

    def request_replace(self, price: int, qty: int) -> None:
        """A change goes to the venue."""
        self._require(OrderState.SUBMITTED, OrderState.OPEN, OrderState.PARTIALLY_FILLED)
        self.pending = (price, qty)
        self.state = OrderState.PENDING_REPLACE

    def apply(self, event: VenueEvent) -> bool:
        """Applies a statement of the venue; returns whether it said something new.

        Raises:
            IllegalEventError: When it cannot happen in this state.
        """
        handlers = {
            EventKind.ACCEPTED: self._accepted,
            EventKind.REJECTED: self._rejected,
            EventKind.FILLED: self._filled,
            EventKind.CANCELLED: self._cancelled,
            EventKind.CANCEL_REJECTED: self._cancel_rejected,
            EventKind.AMENDED: self._amended,
            EventKind.AMEND_REJECTED: self._amend_rejected,
            EventKind.TRIGGERED: self._triggered,
        }
        if self.state in (OrderState.CREATED, OrderState.RISK_REJECTED):
            raise self._illegal(event)
        return handlers[event.kind](event)

    def _accepted(self, event: VenueEvent) -> bool:
        if self.state is OrderState.REJECTED:
            raise self._illegal(event)
        news = not self.acknowledged
        self.acknowledged = True
        if self.state in (OrderState.SUBMITTED, OrderState.UNKNOWN):
            self.state = self._standing()
            news = True
        return news

    def _rejected(self, event: VenueEvent) -> bool:
        if self.state is OrderState.REJECTED:
            return False
        if self.is_terminal or self.filled:
            raise self._illegal(event)
        self.pending = None
        self.state = OrderState.REJECTED
        return True

    def _filled(self, event: VenueEvent) -> bool:
        if self.state in (OrderState.FILLED, OrderState.REJECTED):
            raise self._illegal(event)
        if not 0 < event.qty <= self.fillable:
            raise IllegalEventError(f"order {self.id}: a fill of {event.qty} lots is impossible")
        self.acknowledged = True
        self.filled += event.qty
        self.fill_value += event.price * event.qty
        if self.is_terminal:
            return True
        if self.fillable == 0:
            self.state = OrderState.FILLED
        elif self.state in (OrderState.SUBMITTED, OrderState.OPEN):
            self.state = OrderState.PARTIALLY_FILLED
        return True

    def _cancelled(self, event: VenueEvent) -> bool:
        if self.state in (OrderState.CANCELLED, OrderState.EXPIRED):
            return False
        if self.is_terminal:
            raise self._illegal(event)
        expired = event.reason == CancelReason.EXPIRED
        self.state = OrderState.EXPIRED if expired else OrderState.CANCELLED
        return True

    def _cancel_rejected(self, event: VenueEvent) -> bool:
        if self.is_terminal:
            return True
        gone = event.reason == RejectReason.UNKNOWN_ORDER
        if self.state is OrderState.PENDING_CANCEL:
            self.state = OrderState.UNKNOWN if gone else self._standing()
        elif gone:
            self.state = OrderState.UNKNOWN
        elif self.state is OrderState.SUBMITTED:
            raise self._illegal(event)
        return True

    def _amended(self, event: VenueEvent) -> bool:
        if self.state is OrderState.REJECTED:
            raise self._illegal(event)
        if self.is_terminal:
            return True
        self.acknowledged = True
        self.pending = None
        self.terms = replace(self.terms, price=event.price, qty=event.qty)
        if self.filled >= event.qty:
            self.state = OrderState.FILLED
        elif self.state is not OrderState.PENDING_CANCEL:
            self.state = self._standing()
        return True

    def _amend_rejected(self, event: VenueEvent) -> bool:
        if self.is_terminal:
            return True
        gone = event.reason == RejectReason.UNKNOWN_ORDER
        if self.state is OrderState.SUBMITTED and not gone:
            raise self._illegal(event)
        complete = self.filled >= self.terms.qty
        self.pending = None
        waits = (OrderState.PENDING_REPLACE, OrderState.PENDING_CANCEL, OrderState.UNKNOWN)
        if complete and self.state in waits:
            self.state = OrderState.FILLED
        elif self.state is OrderState.PENDING_REPLACE:
            self.state = OrderState.UNKNOWN if gone else self._standing()
        elif gone and self.state not in waits:
            self.state = OrderState.UNKNOWN
        return True

    def _triggered(self, event: VenueEvent) -> bool:
        if self.state is OrderState.REJECTED:
            raise self._illegal(event)
        news = not self.triggered
        self.triggered = True
        self.acknowledged = True
        if self.state is OrderState.SUBMITTED:
            self.state = self._standing()
        return news

    def _standing(self) -> OrderState:
        """What the order is when the request that was just answered no longer counts."""
        if self.pending is not None:
            return OrderState.PENDING_REPLACE
        if self.filled > 0:
            return OrderState.PARTIALLY_FILLED
        return OrderState.OPEN if self.acknowledged else OrderState.SUBMITTED

    def _require(self, *states: OrderState) -> None:
        if self.state not in states:
            raise IllegalEventError(f"order {self.id} is {self.state.name.lower()}")

    def _illegal(self, event: VenueEvent) -> IllegalEventError:
        return IllegalEventError(
            f"order {self.id}: {event.kind.name.lower()} cannot happen to an order that is "
            f"{self.state.name.lower()}"
        )
