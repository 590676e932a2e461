"""The life of an order: every state it was in, when and why, what traded, and how long it all took.

Derived from what a run or a session wrote down; keeping it costs nothing while orders are worked.
The states, and what every event does in each, are on the page "Order states" of the reference.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from os import PathLike
from typing import TYPE_CHECKING, Any

from mainspring import _core
from mainspring.errors import NotFoundError

if TYPE_CHECKING:
    from mainspring.backtesting.run import Run
    from mainspring.journal import Journal, Record

ENDS = frozenset({"risk_rejected", "filled", "cancelled", "rejected", "expired"})
"""States in which an order is over."""

_SHOWS_THE_VENUE_HAS_IT = frozenset({"open", "partially_filled", "filled"})


@dataclass(frozen=True, slots=True)
class Transition:
    """An order as it was from one moment on.

    Attributes:
        time_ns: When we knew, nanoseconds since 1970 UTC.
        state: The state from then on, such as ``open``.
        reason: Why, where something was refused or ended; empty else.
        price_ticks: Limit price in ticks.
        qty_lots: Total quantity in lots.
        filled_lots: What had traded of it, in lots.
        after_ns: Time since the transition before; 0 for the first.
    """

    time_ns: int
    state: str
    reason: str
    price_ticks: int
    qty_lots: int
    filled_lots: int
    after_ns: int


@dataclass(frozen=True, slots=True)
class OrderFill:
    """A part of an order that traded.

    Attributes:
        time_ns: When we knew.
        exch_ns: When the venue matched.
        price_ticks: Price in ticks.
        qty_lots: Quantity in lots.
        maker: Whether we were the maker.
        fee: In the settlement currency; positive is a cost.
    """

    time_ns: int
    exch_ns: int
    price_ticks: int
    qty_lots: int
    maker: bool
    fee: Decimal


@dataclass(frozen=True, slots=True)
class OrderHistory:
    """Everything that is written down of one order.

    Attributes:
        order_id: Our id.
        venue_order: The venue's id, where a session learnt it.
        parent_id: The parent order that it works for, where there is one.
        strategy: Name of the strategy.
        symbol: The instrument.
        venue: Its venue.
        side: ``buy`` or ``sell``.
        order_type: ``limit``, ``market``, ...; empty where it is not known.
        transitions: States in order of time.
        fills: What traded, in order of time.
        anomalies: Statements about it that could not be, and questions that were not answered:
            (time_ns, text).
    """

    order_id: int
    venue_order: int | None
    parent_id: int | None
    strategy: str
    symbol: str
    venue: str
    side: str
    order_type: str
    transitions: tuple[Transition, ...]
    fills: tuple[OrderFill, ...]
    anomalies: tuple[tuple[int, str], ...] = ()

    @property
    def state(self) -> str:
        """Where it stands at last."""
        return self.transitions[-1].state

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.state in ENDS

    @property
    def filled_lots(self) -> int:
        """What traded, in lots."""
        return self.transitions[-1].filled_lots

    @property
    def execution_status(self) -> str:
        """The state as services name it, such as ``EXECUTED``."""
        return execution_status(self.state, traded=self.filled_lots > 0)

    @property
    def lifecycle(self) -> str:
        """The state in the seven-state lifecycle, such as ``canceled``."""
        known = self.acknowledged_ns is not None
        return lifecycle(self.state, traded=self.filled_lots > 0, acknowledged=known)

    @property
    def created_ns(self) -> int:
        """When it was made."""
        return self.transitions[0].time_ns

    @property
    def acknowledged_ns(self) -> int | None:
        """When the venue first showed that it has the order: by word or by a fill."""
        shown = [t.time_ns for t in self.transitions if t.state in _SHOWS_THE_VENUE_HAS_IT]
        shown += [fill.time_ns for fill in self.fills]
        return min(shown, default=None)

    @property
    def acknowledge_latency_ns(self) -> int | None:
        """From sending the order to the first sign of the venue; None without one."""
        sent = self._first("submitted")
        heard = self.acknowledged_ns
        return None if sent is None or heard is None else heard - sent

    @property
    def first_fill_ns(self) -> int | None:
        """From making the order to its first fill; None without one."""
        return self.fills[0].time_ns - self.created_ns if self.fills else None

    @property
    def cancel_latency_ns(self) -> int | None:
        """From asking for the last cancel to the end of the order; None without either."""
        asked = [t.time_ns for t in self.transitions if t.state == "pending_cancel"]
        ended = self.ended_ns
        if not asked or ended is None:
            return None
        # States are repeated while a cancel is pending: the request is the first of its row.
        return ended - self._request_before(ended)

    @property
    def ended_ns(self) -> int | None:
        """When it was over; None while it is not."""
        return next((t.time_ns for t in self.transitions if t.state in ENDS), None)

    @property
    def lifetime_ns(self) -> int | None:
        """From making the order to its end; None while it is not over."""
        return None if self.ended_ns is None else self.ended_ns - self.created_ns

    def _first(self, state: str) -> int | None:
        return next((t.time_ns for t in self.transitions if t.state == state), None)

    def _request_before(self, end_ns: int) -> int:
        at, previous = end_ns, ""
        for transition in self.transitions:
            if transition.state == "pending_cancel" and previous != "pending_cancel":
                at = transition.time_ns
            previous = transition.state
        return at

    def __str__(self) -> str:
        from mainspring.backtesting.records import time_text

        names = [f"order {self.order_id} of {self.strategy}: {self.side} {self.symbol}"]
        if self.order_type:
            names[0] += f", {self.order_type}"
        for one in self.transitions:
            why = f" ({one.reason})" if one.reason else ""
            filled = f", {one.filled_lots} filled" if one.filled_lots else ""
            after = f"  +{one.after_ns / 1e6:.3f} ms" if one.after_ns else ""
            names.append(
                f"  {time_text(one.time_ns)}  {one.state}{why}  {one.qty_lots} lots at "
                f"{one.price_ticks} ticks{filled}{after}"
            )
        names += [f"  {time_text(at)}  ! {text}" for at, text in self.anomalies]
        return "\n".join(names)


def execution_status(state: str, *, traded: bool = False) -> str:
    """The name that services have for a state; `traded` says whether anything has.

    Raises:
        InvalidValue: There is no such state.
    """
    return _core.order_names(state, traded, True)[0]


def lifecycle(state: str, *, traded: bool = False, acknowledged: bool = True) -> str:
    """The name of a state in the seven-state lifecycle.

    Args:
        state: Such as ``open``.
        traded: Whether anything has traded.
        acknowledged: Whether the venue has shown that it has the order.

    Raises:
        InvalidValue: There is no such state.
    """
    return _core.order_names(state, traded, acknowledged)[1]


def history_of_run(run: Run, order_id: int) -> OrderHistory:
    """The life of an order in a run; see `Run.order_history`.

    Raises:
        NotFoundError: The run has no such order.
    """
    rows = _rows(run.orders, order_id)
    if not rows:
        raise NotFoundError(f"the run has no order {order_id}, or did not keep orders")
    first, codes = rows[0], run.codes
    instrument = run.instruments[first["instrument"]]
    return OrderHistory(
        order_id=order_id,
        venue_order=None,
        parent_id=None,
        strategy=run.strategies[first["strategy"]],
        symbol=str(instrument["symbol"]),
        venue=str(instrument["venue"]),
        side="buy" if first["side"] > 0 else "sell",
        order_type=codes["order_type"][str(first["order_type"])],
        transitions=_timed(
            {
                **{k: row[k] for k in ("time_ns", "price_ticks", "qty_lots", "filled_lots")},
                "state": codes["state"][str(row["state"])],
                "reason": codes["reason"].get(str(row["reason"]), str(row["reason"])),
            }
            for row in rows
        ),
        fills=tuple(
            OrderFill(
                time_ns=row["time_ns"],
                exch_ns=row["exch_ns"],
                price_ticks=row["price_ticks"],
                qty_lots=row["qty_lots"],
                maker=bool(row["maker"]),
                fee=Decimal(repr(row["fee"])),
            )
            for row in _rows(run.fills, order_id)
        ),
        anomalies=tuple(
            (at, text) for at, text in run.messages if text.startswith(f"order {order_id}: ")
        ),
    )


def history_of_journal(journal: Journal | str | PathLike[str], order_id: int) -> OrderHistory:
    """The life of an order in a session's journal; see `Journal.order_history`.

    Raises:
        NotFoundError: There is no journal, or the journal as far as it is kept has no such order.
        MismatchError: The journal is damaged.
    """
    from mainspring.journal import Journal, Record

    journal = journal if isinstance(journal, Journal) else Journal(journal)
    types = ("new_order", "order", "fill", "event", "open_orders")
    found: dict[str, list[Record]] = {name: [] for name in types}
    for record in journal.records(types=types):
        if isinstance(record, Record) and _is_about(record, order_id):
            found[record.name].append(record)
    if not found["order"]:
        raise NotFoundError(f"{journal.path}: the journal has no order {order_id}")
    made = found["new_order"][0].fields if found["new_order"] else {}
    first = found["order"][0].fields
    names: Sequence[Any] = journal.sources.code.get("strategies") or ()
    index = int(first["strategy"])
    return OrderHistory(
        order_id=order_id,
        venue_order=_venue_order(found["open_orders"], order_id),
        parent_id=made.get("parent_id"),
        strategy=str(names[index]) if index < len(names) else f"strategy {index}",
        symbol=str(first.get("symbol", "")),
        venue=str(first.get("venue", "")),
        side=str(first["side"]),
        order_type=str(made.get("order_type", "")),
        transitions=_timed(_transition(record) for record in found["order"]),
        fills=tuple(_fill(record) for record in found["fill"]),
        anomalies=tuple((record.time_ns, _event_text(record)) for record in found["event"]),
    )


def _rows(table: Any, order_id: int) -> list[dict[str, Any]]:
    columns = table.to_numpy()
    at = (columns["order_id"] == order_id).nonzero()[0]
    lists = {name: column[at].tolist() for name, column in columns.items()}
    return [{name: values[i] for name, values in lists.items()} for i in range(len(at))]


def _timed(rows: Iterable[dict[str, Any]]) -> tuple[Transition, ...]:
    transitions: list[Transition] = []
    for row in rows:
        after = row["time_ns"] - transitions[-1].time_ns if transitions else 0
        transitions.append(Transition(**row, after_ns=after))
    return tuple(transitions)


def _is_about(record: Record, order_id: int) -> bool:
    if record.name == "open_orders":
        return any(one.get("order_id") == order_id for one in record.fields.get("orders", ()))
    return order_id in (record.fields.get("order_id"), record.fields.get("order"))


def _venue_order(lists: Sequence[Record], order_id: int) -> int | None:
    for record in lists:
        for one in record.fields["orders"]:
            if one.get("order_id") == order_id and one.get("venue_order"):
                return int(one["venue_order"])
    return None


def _transition(record: Record) -> dict[str, Any]:
    said = record.fields
    return {
        "time_ns": record.time_ns,
        "state": said["state"],
        "reason": said["reason"] or "",
        "price_ticks": said["price_ticks"],
        "qty_lots": said["qty_lots"],
        "filled_lots": said["filled_lots"],
    }


def _fill(record: Record) -> OrderFill:
    said = record.fields
    return OrderFill(
        time_ns=record.time_ns,
        exch_ns=said["exch_ns"],
        price_ticks=said["price_ticks"],
        qty_lots=said["qty_lots"],
        maker=said["maker"],
        fee=Decimal(said["fee"]),
    )


def _event_text(record: Record) -> str:
    said = record.fields
    if said.get("event") == "order_stuck":
        return f"stuck: asked {said['attempts']} times without an answer"
    return str(said.get("text", said.get("event")))
