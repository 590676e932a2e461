"""The bus: subscribers that each read the records in their own time.

A subscriber is a callable in a thread of its own, with a cursor of its own on the source. Nothing
is shared between subscribers and nothing waits for them: a slow one falls behind, one that raises
is counted, and neither the engine nor another subscriber notices.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Self

from mainspring.errors import InvalidValue, MainspringError, NotFoundError
from mainspring.events.decoding import TYPES, Decoder
from mainspring.events.sources import Cursor, Missing, Record, Source, records_of
from mainspring.events.terms import RiskTerms
from mainspring.events.types import Event, Gap

Subscriber = Callable[[Event], object]

BATCH = 512
"""Records that a subscriber reads at once."""

PATIENCE_S = 0.2
"""How long a subscriber waits for records before it looks whether it is to stop."""

FIRST_LOOK_S = 0.01
"""Between two looks whether an empty source has its first record."""

MAX_FAILURES = 100
"""Failures in a row after which a subscriber is given up."""


class Subscription:
    """A subscriber and how far it is. Made by `Bus.subscribe`."""

    def __init__(
        self,
        name: str,
        subscriber: Subscriber,
        source: Source,
        begin: Callable[[], tuple[Cursor, Decoder]],
        types: frozenset[str] | None,
        after: int,
    ) -> None:
        self.name = name
        self.position = 0
        """Sequence of the last record that it is through with."""
        self.delivered = 0
        """Events that it took without an error."""
        self.failures = 0
        """Events at which it raised."""
        self.gaps = 0
        """How often it was too slow for the source."""
        self.last_error: BaseException | None = None
        self._subscriber = subscriber
        self._source = source
        self._begin = begin
        self._types = types
        self._after = after
        self._in_a_row = 0
        self._stopping = threading.Event()
        self._progress = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=f"events-{name}", daemon=True)

    @property
    def alive(self) -> bool:
        """Whether it is being told of events: not after it was closed, given up, or at the end."""
        return self._thread.is_alive()

    @property
    def given_up(self) -> bool:
        """Whether it failed too often in a row."""
        return self._in_a_row >= MAX_FAILURES

    def close(self, timeout_s: float | None = 5.0) -> bool:
        """Ends it; waits for the event that it is at. False when that takes longer."""
        self._stopping.set()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def wait(self, sequence: int, timeout_s: float = 10.0) -> bool:
        """Waits until it is through with the record `sequence`, or ended; False if that is late."""
        with self._progress:
            return self._progress.wait_for(
                lambda: self.position >= sequence or not self._thread.is_alive(), timeout_s
            )

    def start(self) -> None:
        """Begins to tell it of events."""
        self._thread.start()

    def _run(self) -> None:
        try:
            # Which instruments there are is known with the first record.
            while self._source.newest == 0 and not self._source.finished:
                if self._stopping.wait(FIRST_LOOK_S):
                    return
            self._cursor, self._decoder = self._begin()
            while not self._stopping.is_set() and not self.given_up:
                batch = self._cursor.read(BATCH, PATIENCE_S)
                through = self._through(batch)
                with self._progress:
                    if through:
                        self.position = max(self._cursor.position, self.position)
                    self._progress.notify_all()
                if not batch and self._is_at_the_end():
                    break
        except Exception as error:
            # The source itself failed: a damaged journal ends this reader, not the process.
            self.last_error = error
        finally:
            with self._progress:
                self._progress.notify_all()

    def _through(self, batch: Sequence[Record | Missing]) -> bool:
        """Tells of the events of a batch; false where it stopped on the way."""
        for record in batch:
            if self._stopping.is_set() or self.given_up:
                return False
            if self.position == 0 and isinstance(record, Record):
                self._tell_what_is_gone(record)
            self._take(self._with_snapshot(record, self._decoder.decode(record)))
            if isinstance(record, Missing) and record.next < record.expected:
                self._begin_again(record.next - 1)
                return False
            at = record.next - 1 if isinstance(record, Missing) else record.sequence
            self.position = max(at, 1)
        return True

    def _is_at_the_end(self) -> bool:
        return self._source.finished and self._cursor.position >= self._source.newest

    def _begin_again(self, last_true: int) -> None:
        """Records behind `last_true` were cut away: what is remembered of them must go."""
        self._cursor, self._decoder = self._begin()
        self._after = last_true
        self.position = 0

    def _tell_what_is_gone(self, first: Record) -> None:
        """A subscriber that asks for more than the source still has is told so."""
        if 0 < self._after < first.sequence - 1:
            gone = Missing(self._after + 1, first.sequence)
            self._take(self._with_snapshot(gone, self._decoder.decode(gone)))

    def _with_snapshot(self, record: Record | Missing, events: Sequence[Event]) -> Sequence[Event]:
        """A gap with the state behind it, so that its reader need not begin from nothing."""
        if not isinstance(record, Missing):
            return events
        try:
            snapshot = self._source.snapshot()
        except MainspringError as error:
            # The gap itself must be told, whatever the state is.
            self.last_error = error
            return events
        return [replace(one, snapshot=snapshot) if isinstance(one, Gap) else one for one in events]

    def _take(self, events: Sequence[Event]) -> None:
        for event in events:
            gap = isinstance(event, Gap)
            self.gaps += gap
            if event.sequence <= self._after and not gap:
                continue
            if self._types is not None and event.name not in self._types and not gap:
                continue
            try:
                self._subscriber(event)
            except Exception as error:
                self.failures += 1
                self._in_a_row += 1
                self.last_error = error
                if self.given_up:
                    return
            else:
                self.delivered += 1
                self._in_a_row = 0


class Bus:
    """Typed events of a source, past and to come.

    Args:
        source: a journal, the log of a run, or memory.
        history: how many events are kept for questions.
        terms: for margin and position states; those of the source without it.
    """

    def __init__(
        self, source: Source, *, history: int = 1_000, terms: RiskTerms | None = None
    ) -> None:
        if history < 1:
            raise InvalidValue(f"a history of {history} events; give 1 or more")
        self._source = source
        self._terms = terms
        self._subscriptions: list[Subscription] = []
        self._lock = threading.Lock()
        self._history: deque[Event] = deque(maxlen=history)
        self._total = 0
        self._keeper: Subscription | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Begins to keep the history. Subscribers do not need it."""
        if self._keeper is None:
            self._keeper = self.subscribe(self._keep, name="history")

    def close(self) -> None:
        """Ends every subscription. One that does not return dies with the process."""
        with self._lock:
            open_ones, self._subscriptions = self._subscriptions, []
        for one in open_ones:
            one.close(timeout_s=0.0)
        for one in open_ones:
            one.close(timeout_s=1.0)
        self._keeper = None

    def subscribe(
        self,
        subscriber: Subscriber,
        *,
        types: Sequence[type[Event]] | None = None,
        after: int | None = 0,
        name: str | None = None,
    ) -> Subscription:
        """Tells `subscriber` of events, in order, from a thread of its own.

        Args:
            subscriber: called with each event; what it returns counts for nothing.
            types: only these; `Gap` comes in any case.
            after: only events of records after this sequence: 0 for all that are still there, None
                for what comes from now on.
            name: in counts and thread names; the subscriber's own without it.
        """
        wanted = frozenset(kind.name for kind in types) if types is not None else None
        begin = self._source.newest if after is None else after
        label = name or str(getattr(subscriber, "__name__", type(subscriber).__name__))

        def from_the_start() -> tuple[Cursor, Decoder]:
            # What an event says of before and after needs the records from the beginning.
            terms = self._terms or RiskTerms.of(self._source.config)
            decoder = Decoder(self._source.instruments, terms)
            return self._source.cursor(types=TYPES), decoder

        made = Subscription(label, subscriber, self._source, from_the_start, wanted, begin)
        with self._lock:
            self._subscriptions = [one for one in self._subscriptions if one.alive] + [made]
        made.start()
        return made

    def subscriptions(self) -> list[Subscription]:
        """Those that are open."""
        with self._lock:
            return [one for one in self._subscriptions if one.alive]

    def lag(self, subscription: Subscription) -> int:
        """How many records a subscription is behind."""
        return max(self._source.newest - subscription.position, 0)

    def wait(self, sequence: int | None = None, timeout_s: float = 10.0) -> bool:
        """Waits until the history has the record `sequence`, or all that is there now."""
        if self._keeper is None:
            raise NotFoundError("the bus was not started: it keeps no history")
        return self._keeper.wait(self._source.newest if sequence is None else sequence, timeout_s)

    @property
    def total(self) -> int:
        """How many events the history has seen, those that it has forgotten included."""
        return self._total

    def history(
        self,
        last: int | None = None,
        *,
        types: Sequence[type[Event]] | None = None,
        since_ns: int | None = None,
        until_ns: int | None = None,
        order_id: int | None = None,
        correlation: int | None = None,
    ) -> list[Event]:
        """Past events in order, as far back as they are kept.

        Args:
            last: at most so many, the newest.
            types: only these.
            since_ns: from this time on.
            until_ns: before this time.
            order_id: about this order.
            correlation: that began with this record.
        """
        with self._lock:
            kept = list(self._history)
        found = list(
            select(
                kept,
                types=types,
                since_ns=since_ns,
                until_ns=until_ns,
                order_id=order_id,
                correlation=correlation,
            )
        )
        return found if last is None else found[len(found) - min(last, len(found)) :]

    def _keep(self, event: Event) -> None:
        with self._lock:
            self._history.append(event)
            self._total += 1


def replay(
    source: Source,
    *,
    types: Sequence[type[Event]] | None = None,
    since_ns: int | None = None,
    until_ns: int | None = None,
    order_id: int | None = None,
    correlation: int | None = None,
    terms: RiskTerms | None = None,
) -> Iterator[Event]:
    """Every event that the source has now, in order; as `Bus.history`, without its bound."""
    decoder = Decoder(source.instruments, terms or RiskTerms.of(source.config))
    events = (
        event for record in records_of(source, types=TYPES) for event in decoder.decode(record)
    )
    return select(
        events,
        types=types,
        since_ns=since_ns,
        until_ns=until_ns,
        order_id=order_id,
        correlation=correlation,
    )


def select(
    events: Iterator[Event] | Sequence[Event],
    *,
    types: Sequence[type[Event]] | None = None,
    since_ns: int | None = None,
    until_ns: int | None = None,
    order_id: int | None = None,
    correlation: int | None = None,
) -> Iterator[Event]:
    """The events that all conditions hold for."""
    wanted = tuple(types) if types is not None else (Event,)
    for event in events:
        if not isinstance(event, wanted):
            continue
        if since_ns is not None and event.time_ns < since_ns:
            continue
        if until_ns is not None and event.time_ns >= until_ns:
            continue
        if order_id is not None and event.order != order_id:
            continue
        if correlation is not None and event.correlation != correlation:
            continue
        yield event
