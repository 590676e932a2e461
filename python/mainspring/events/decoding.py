"""From records to events.

A record says what is now; an event says what changed. So the decoder remembers what was: the state
of each order, each position, the last sample of each market. It is a function of the records alone,
and its memory is bounded: orders that ended are forgotten after a while.
"""

from __future__ import annotations

import copy
import json
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from mainspring.events import types as t
from mainspring.events.sources import Missing, Record
from mainspring.events.terms import POSITION_STATES, RiskTerms
from mainspring.events.units import Units

REMEMBERED_ORDERS = 16_384
"""Orders that ended and whose late fills are still put to the right beginning."""

MARGIN_THRESHOLD = Decimal("0.2")
"""A warning is told when less than this share of the used margin is available."""

ENDED = frozenset({"risk_rejected", "filled", "cancelled", "rejected", "expired"})
"""States that an order does not leave."""


@dataclass(slots=True)
class _Order:
    correlation: int
    created_ns: int
    state: str
    instrument: int
    strategy: int
    is_buy: bool
    terms: tuple[int, int, int] = (0, 0, 0)
    told: bool = False


class Decoder:
    """Turns the records of one journal or log, in order, into events.

    Args:
        instruments: as the source has them.
        terms: for margin and position states; those events are left out without it.
    """

    def __init__(
        self, instruments: Sequence[Mapping[str, Any]] = (), terms: RiskTerms | None = None
    ) -> None:
        self.units = Units(instruments)
        self._terms = terms
        self._orders: OrderedDict[int, _Order] = OrderedDict()
        self._ended = 0
        self._positions: dict[tuple[int, int], int] = {}
        self._states: dict[int, str] = {}
        self._mids: dict[int, Decimal] = {}
        self._touches: dict[int, tuple[int | None, int | None]] = {}
        self._warned = False
        self._input = (0, 0)

    def copy(self) -> Decoder:
        """One that goes on from here by itself."""
        return copy.deepcopy(self)

    def decode(self, record: Record | Missing) -> list[t.Event]:
        """The events of a record, in order; none for most."""
        if isinstance(record, Missing):
            return [self._gap(record)]
        self._note_input(record)
        handler = _HANDLERS.get(record.name)
        if handler is None:
            return []
        found = list(handler(self, record, self._head(record)))
        return [_numbered(event, part) for part, event in enumerate(found)]

    def _gap(self, missing: Missing) -> t.Gap:
        return t.Gap(
            sequence=missing.next, time_ns=0, first=missing.expected, last=missing.next - 1
        )

    def _note_input(self, record: Record) -> None:
        """What an input's own beginning is: that of the order it is about, or itself."""
        if record.cause != record.sequence:
            return
        root = record.sequence
        if record.name in ("report", "answer"):
            known = self._orders.get(record.fields["order_id"])
            root = known.correlation if known is not None else root
        elif record.name == "wishes":
            root = record.fields.get("decided") or root
        self._input = (record.sequence, root)

    def _head(self, record: Record) -> dict[str, int]:
        source, root = self._input
        cause = record.cause
        return {
            "sequence": record.sequence,
            "time_ns": record.time_ns,
            "cause": cause,
            "correlation": (root if cause == source else cause) or record.sequence,
        }

    def _of_order(self, record: Record, head: dict[str, int]) -> tuple[_Order, dict[str, Any]]:
        """What is known of the order of a record, and what its events have in common."""
        said = record.fields
        number = said["order_id"]
        known = self._orders.get(number)
        if known is None:
            known = self._orders[number] = _Order(
                head["correlation"],
                record.time_ns,
                "created",
                said["instrument"],
                said["strategy"],
                said["side"] == "buy",
            )
        head["correlation"] = known.correlation
        about = {
            **head,
            "order_id": number,
            "instrument": known.instrument,
            "symbol": self.units.symbol(known.instrument),
            "strategy": known.strategy,
            "is_buy": known.is_buy,
        }
        return known, about

    def _created(self, record: Record, known: _Order, about: dict[str, Any]) -> t.OrderCreated:
        said = record.fields
        known.told = True
        known.terms = (said["price_ticks"], said["qty_lots"], 0)
        return t.OrderCreated(
            **about,
            order_type=said.get("order_type", ""),
            size=self.units.size(known.instrument, said["qty_lots"]),
            price=self._price(known.instrument, said["price_ticks"]),
            qty_lots=said["qty_lots"],
            price_ticks=said["price_ticks"],
        )

    def _price(self, instrument: int, ticks: int) -> float | None:
        """Orders without a price have zero ticks."""
        return self.units.price(instrument, ticks) if ticks else None

    def _on_new_order(self, record: Record, head: dict[str, int]) -> Iterator[t.Event]:
        known, about = self._of_order(record, head)
        if not known.told:
            yield self._created(record, known, about)

    def _on_order(self, record: Record, head: dict[str, int]) -> Iterator[t.Event]:
        known, about = self._of_order(record, head)
        if not known.told:
            yield self._created(record, known, about)
        said = record.fields
        state, reason = said["state"], said["reason"] or ""
        terms = (said["price_ticks"], said["qty_lots"], said["filled_lots"])
        if (state, terms) == (known.state, known.terms):
            return
        old, known.state, known.terms = known.state, state, terms
        yield t.OrderChanged(
            **about,
            old=old,
            new=state,
            reason=reason,
            filled_lots=terms[2],
            qty_lots=terms[1],
            price_ticks=terms[0],
        )
        if state != old and state in ENDED:
            yield from _ending(about, state, reason, terms[2])
            self._forget_old(about["order_id"])

    def _forget_old(self, ended: int) -> None:
        """Ended orders go to the end of the line; the oldest beyond the bound are forgotten."""
        self._orders.move_to_end(ended)
        self._ended += 1
        if self._ended <= REMEMBERED_ORDERS:
            return
        oldest = next((n for n, one in self._orders.items() if one.state in ENDED), None)
        if oldest is not None:
            del self._orders[oldest]
            self._ended -= 1

    def _on_fill(self, record: Record, head: dict[str, int]) -> Iterator[t.Event]:
        known, about = self._of_order(record, head)
        said = record.fields
        yield t.OrderFilled(
            **about,
            size=self.units.size(known.instrument, said["qty_lots"]),
            price=self._price(known.instrument, said["price_ticks"]),
            qty_lots=said["qty_lots"],
            price_ticks=said["price_ticks"],
            maker=said["maker"],
            fee=Decimal(said["fee"]),
            realised=Decimal(said["realised"]),
            position_lots=said["position_lots"],
            exch_ns=said["exch_ns"],
        )
        yield from self._moved(head, known.strategy, known.instrument, said["position_lots"])

    def _moved(
        self, head: dict[str, int], strategy: int, instrument: int, lots: int
    ) -> Iterator[t.Event]:
        old = self._positions.get((strategy, instrument), 0)
        if lots == old:
            return
        self._positions[strategy, instrument] = lots
        symbol, size = self.units.symbol(instrument), self.units.size
        yield t.PositionChanged(
            **head,
            instrument=instrument,
            symbol=symbol,
            strategy=strategy,
            old=size(instrument, old),
            new=size(instrument, lots),
            old_lots=old,
            new_lots=lots,
        )
        if self._terms is None or self._terms.max_position is None:
            return
        net = size(instrument, self._net_lots(instrument))
        before = self._states.get(instrument, POSITION_STATES[0])
        after = self._terms.state(Decimal(str(net)))
        if before != after:
            self._states[instrument] = after
            yield t.PositionStateChanged(
                **head, instrument=instrument, symbol=symbol, old=before, new=after, position=net
            )

    def _net_lots(self, instrument: int) -> int:
        return sum(lots for (_, one), lots in self._positions.items() if one == instrument)

    def _on_position(self, record: Record, head: dict[str, int]) -> Iterator[t.Event]:
        said = record.fields
        instrument = said["instrument"]
        touch = (said["bid_ticks"], said["ask_ticks"])
        if touch != self._touches.get(instrument):
            self._touches[instrument] = touch
            yield self._market(head, instrument, *touch)
        yield from self._moved(head, said["strategy"], instrument, said["position_lots"])

    def _market(
        self, head: dict[str, int], instrument: int, bid: int | None, ask: int | None
    ) -> t.MarketDataUpdated:
        price = self.units.price
        mid = spread_bps = None
        if bid is not None and ask is not None:
            if instrument < len(self.units):
                self._mids[instrument] = self.units.mid(instrument, bid, ask)
            mid = price(instrument, (bid + ask) / 2)
            spread_bps = 20_000 * (ask - bid) / (ask + bid) if ask + bid else None
        return t.MarketDataUpdated(
            **head,
            instrument=instrument,
            symbol=self.units.symbol(instrument),
            best_bid=None if bid is None else price(instrument, bid),
            best_ask=None if ask is None else price(instrument, ask),
            mid=mid,
            spread_bps=spread_bps,
        )

    def _on_equity(self, record: Record, head: dict[str, Any]) -> Iterator[t.Event]:
        said = record.fields
        parts = ("equity", "realised", "unrealised", "fees", "funding")
        account: dict[str, Any] = {part: Decimal(said[part]) for part in parts}
        yield t.EquityUpdated(**head, **account)
        if self._terms is None or self._terms.leverage is None:
            return
        used = (
            sum(
                (
                    abs(self.units.value(instrument, self._net_lots(instrument), mid))
                    for instrument, mid in self._mids.items()
                ),
                Decimal(0),
            )
            / self._terms.leverage
        )
        available = max(account["equity"] * (1 - self._terms.buffer) - used, Decimal(0))
        yield t.RiskMetricsUpdated(
            **head, equity=account["equity"], margin_used=used, margin_available=available
        )
        threshold = used * MARGIN_THRESHOLD
        if available < threshold and not self._warned:
            yield t.MarginWarning(**head, available=available, used=used, threshold=threshold)
        self._warned = available < threshold

    def _on_event(self, record: Record, head: dict[str, int]) -> Iterator[t.Event]:
        said = record.fields
        kind = str(said.get("event", ""))
        if kind == "order_stuck":
            yield self._stuck(record, head)
        elif kind == "order_anomaly":
            yield self._anomaly(record, head)
        elif kind == "halted":
            yield t.TradingHalted(**head, reason=str(said.get("text") or said.get("cause", "")))
        elif kind == "strategy_stopped":
            yield t.StrategyStopped(
                **head, strategy=said["strategy"], reason=str(said.get("cause", ""))
            )
        elif kind == "foreign_order":
            yield t.ForeignOrderFound(**head, venue_order=said["venue_order"])
        elif kind == "order_adopted":
            yield t.OrderAdopted(
                **head,
                order_id=said["order"],
                venue_order=said["venue_order"],
                strategy=said["strategy"],
            )
        elif kind == "foreign_fill":
            instrument = said["instrument"]
            yield t.ForeignFill(
                **head,
                venue_order=said["venue_order"],
                instrument=instrument,
                symbol=self.units.symbol(instrument),
                side=said["side"],
                price_ticks=said["price"],
                qty_lots=said["qty"],
            )
        elif kind == "position_mismatch":
            instrument = said["instrument"]
            yield t.PositionMismatch(
                **head,
                instrument=instrument,
                symbol=self.units.symbol(instrument),
                ours_lots=said["ours"],
                theirs_lots=said["theirs"],
            )
        else:
            yield t.EngineEvent(**head, kind=kind, details=json.dumps(dict(said), sort_keys=True))

    def _anomaly(self, record: Record, head: dict[str, int]) -> t.OrderAnomaly:
        said = record.fields
        known = self._orders.get(said["order"])
        if known is not None:
            head["correlation"] = known.correlation
        return t.OrderAnomaly(
            **head, order_id=said["order"], what=str(said["what"]), text=str(said["text"])
        )

    def _stuck(self, record: Record, head: dict[str, int]) -> t.OrderStuck:
        number = int(record.fields["order"])
        known = self._orders.get(number)
        if known is not None:
            head["correlation"] = known.correlation
        return t.OrderStuck(
            **head,
            order_id=number,
            state=known.state if known is not None else "unknown",
            duration_s=(record.time_ns - known.created_ns) / 1e9 if known is not None else 0.0,
            attempts=int(record.fields["attempts"]),
        )

    def _on_command(self, record: Record, head: dict[str, int]) -> Iterator[t.Event]:
        said = record.fields
        name = str(said.get("command", ""))
        reason = str(said.get("cause") or said.get("reason") or "")
        yield t.CommandGiven(**head, command=name, reason=reason)
        if name == "kill":
            yield t.TradingHalted(**head, reason=reason)
        elif name == "rearm":
            yield t.TradingRearmed(**head, reason=reason)
        if name == "flatten" or (name == "kill" and said.get("flatten")):
            for instrument in sorted({one for _, one in self._positions}):
                net = self._net_lots(instrument)
                if net:
                    yield t.EmergencyLiquidation(
                        **head,
                        instrument=instrument,
                        symbol=self.units.symbol(instrument),
                        position=self.units.size(instrument, net),
                        reason=reason or name,
                    )

    def _on_link(self, record: Record, head: dict[str, int]) -> Iterator[t.Event]:
        said = record.fields
        yield t.ConnectionChanged(**head, venue=said["venue_index"], up=said["up"])

    def _on_funding(self, record: Record, head: dict[str, int]) -> Iterator[t.Event]:
        instrument = record.fields["instrument"]
        yield t.FundingSettled(
            **head,
            instrument=instrument,
            symbol=self.units.symbol(instrument),
            rate=float(record.fields["rate"]),
        )

    def _on_start(self, record: Record, head: dict[str, int]) -> Iterator[t.Event]:
        yield t.SessionStarted(**head, resumed=record.name == "resume")

    def _on_stop(self, record: Record, head: dict[str, int]) -> Iterator[t.Event]:
        yield t.SessionStopped(**head, cancelled=bool(record.fields.get("cancel")))

    def _on_notice(self, record: Record, head: dict[str, int]) -> Iterator[t.Event]:
        yield t.Notice(**head, text=str(record.fields["text"]))


_Handler = Callable[[Decoder, Record, dict[str, int]], Iterator[t.Event]]

_HANDLERS: Mapping[str, _Handler] = {
    "new_order": Decoder._on_new_order,
    "order": Decoder._on_order,
    "fill": Decoder._on_fill,
    "position": Decoder._on_position,
    "equity": Decoder._on_equity,
    "event": Decoder._on_event,
    "command": Decoder._on_command,
    "link": Decoder._on_link,
    "funding": Decoder._on_funding,
    "start": Decoder._on_start,
    "resume": Decoder._on_start,
    "stop": Decoder._on_stop,
    "notice": Decoder._on_notice,
}

TYPES = frozenset(_HANDLERS) | {"report", "answer", "wishes"}
"""The types of records that a decoder looks at; the others need not be read."""


def _ending(about: dict[str, Any], state: str, reason: str, filled: int) -> Iterator[t.Event]:
    if state == "cancelled":
        yield t.OrderCanceled(**about, reason=reason, filled_lots=filled)
    elif state == "expired":
        yield t.OrderExpired(**about, filled_lots=filled)
    elif state in ("rejected", "risk_rejected"):
        yield t.OrderRejected(**about, reason=reason, by_risk=state == "risk_rejected")


def _numbered(event: t.Event, part: int) -> t.Event:
    if part:
        object.__setattr__(event, "part", part)  # it was made just now and nobody has it yet
    return event
