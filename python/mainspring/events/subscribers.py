"""Subscribers that most people want: one that writes a log, one that counts."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Mapping

from mainspring.events.types import (
    EmergencyLiquidation,
    Event,
    Gap,
    MarginWarning,
    OrderAnomaly,
    OrderRejected,
    OrderStuck,
    PositionMismatch,
    PositionStateChanged,
    StrategyStopped,
    TradingHalted,
)

LEVELS: Mapping[type[Event], int] = {
    EmergencyLiquidation: logging.CRITICAL,
    TradingHalted: logging.CRITICAL,
    PositionMismatch: logging.ERROR,
    StrategyStopped: logging.ERROR,
    OrderStuck: logging.ERROR,
    OrderAnomaly: logging.WARNING,
    MarginWarning: logging.WARNING,
    PositionStateChanged: logging.WARNING,
    OrderRejected: logging.WARNING,
    Gap: logging.WARNING,
}
"""How loud an event is; all others are `INFO`."""


class LogSubscriber:
    """Writes each event as one line; its fields are in the log record as `event`.

    Args:
        logger: `mainspring.events` without it.
    """

    __name__ = "log"

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._logger = logger or logging.getLogger("mainspring.events")

    def __call__(self, event: Event) -> None:
        """Writes the event."""
        level = LEVELS.get(type(event), logging.INFO)
        if self._logger.isEnabledFor(level):
            said = ", ".join(f"{name} {value}" for name, value in event.payload().items())
            text = f"{event.name} {event.sequence}.{event.part} at {event.time_ns}: {said}"
            self._logger.log(level, "%s", text, extra={"event": event.to_dict()})


class CounterSubscriber:
    """Counts events by type, and by what matters of some: states entered, reasons of refusals."""

    __name__ = "counters"

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.last_time_ns = 0

    def __call__(self, event: Event) -> None:
        """Counts the event."""
        names = [event.name]
        if isinstance(event, PositionStateChanged):
            names.append(f"{event.name}.{event.new}")
        elif isinstance(event, OrderRejected):
            names.append(f"{event.name}.{event.reason or 'unknown'}")
        with self._lock:
            self._counts.update(names)
            self.last_time_ns = max(self.last_time_ns, event.time_ns)

    def counts(self) -> dict[str, int]:
        """The counts until now."""
        with self._lock:
            return dict(self._counts)
