"""A follower of the journal that answers questions about the state from any thread."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from os import PathLike, fspath
from typing import Any, Self

from mainspring.errors import NotFoundError
from mainspring.events.units import Units
from mainspring.journal import Journal
from mainspring.state.snapshot import (
    MarketData,
    OpenOrder,
    Position,
    RiskMetrics,
    RiskTerms,
    Snapshot,
    parse,
)

BATCH = 512
"""Records that are followed before questions are looked at again."""

PATIENCE_S = 0.05
"""How long the follower waits for records before it looks for questions."""


class StateStore:
    """The state of a session as its journal tells it, in this process or another.

    One thread follows; every other asks and is given whole snapshots. A snapshot is made when
    somebody asks, always between two inputs, and serves all who ask until the next record.

    Args:
        journal: the folder of the journal; it must go back to its first record.
        terms: what margin is reckoned with; that of the session without it.

    Raises:
        NotFoundError: there is no journal.
    """

    def __init__(self, journal: str | PathLike[str], *, terms: RiskTerms | None = None) -> None:
        self._path = fspath(journal)
        self._journal = Journal(journal)
        self._terms = terms
        self._changed = threading.Condition()
        self._snapshot: Snapshot | None = None
        self._known: tuple[Any, Units] | None = None
        self._made = 0
        self._followed = 0
        self._asked = False
        self._failure: Exception | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="state-follower", daemon=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Begins to follow."""
        self._thread.start()

    def close(self) -> None:
        """Ends following."""
        self._stopping.set()
        self._thread.join()

    @property
    def sequence(self) -> int:
        """Sequence of the last record that was followed."""
        return self._followed

    def wait(self, sequence: int, timeout_s: float = 30.0) -> bool:
        """Waits until the record `sequence` is in the state; false when it is not in time.

        Raises:
            MismatchError: the journal cannot be followed.
        """
        with self._changed:
            done = self._changed.wait_for(
                lambda: self._followed >= sequence or self._failure is not None, timeout_s
            )
            self._check()
        return done

    def get_snapshot(self, timeout_s: float = 5.0) -> Snapshot:
        """The state now: one moment of it, whatever goes on meanwhile.

        Raises:
            TimeoutError: the journal has no record, or the follower is too busy.
            MismatchError: the journal cannot be followed.
        """
        with self._changed:
            if self._snapshot is None or self._snapshot.sequence != self._followed:
                before, self._asked = self._made, True
                self._changed.wait_for(
                    lambda: self._made > before or self._failure is not None, timeout_s
                )
                self._check()
                if self._made == before:
                    raise TimeoutError(f"{self._path}: no state within {timeout_s} s")
            assert self._snapshot is not None
            return self._snapshot

    def orders(self, *, is_buy: bool | None = None) -> list[OpenOrder]:
        """The open orders, oldest first; of one side when it is given."""
        orders = self.get_snapshot().open_orders.values()
        return [one for one in orders if is_buy is None or one.is_buy is is_buy]

    def order(self, order_id: int) -> OpenOrder | None:
        """An open order, None where it is over or unknown."""
        return self.get_snapshot().open_orders.get(order_id)

    def positions(self) -> tuple[Position, ...]:
        """What is held, by strategy and instrument."""
        return self.get_snapshot().positions

    def market_data(self) -> Mapping[str, MarketData]:
        """The instruments as the engine sees them, by symbol."""
        return self.get_snapshot().market_data

    def risk_metrics(self, currency: str) -> RiskMetrics:
        """Margin in one currency."""
        snapshot = self.get_snapshot()
        terms = self._terms or RiskTerms.of(self._journal.sources.config)
        return snapshot.risk_metrics(currency, terms)

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        from mainspring import _core

        try:
            # Made here, for it is used from one thread.
            follower = _core.JournalFollower(self._path)
            while not self._stopping.is_set():
                done = follower.advance(BATCH, 0.0 if self._asked else PATIENCE_S)
                # While nothing comes there is time to have the snapshot ready.
                stale = self._snapshot is None or self._snapshot.sequence != follower.sequence
                made = None
                if self._asked or (stale and done < BATCH):
                    text = follower.snapshot()
                    made = None if text is None else parse(text, self._units())
                self._publish(follower.sequence, made)
        except Exception as error:
            self._fail(error)
        else:
            self._fail(NotFoundError("the state is not followed any more: it was closed"))

    def _units(self) -> Units:
        instruments = self._journal.sources.instruments
        if self._known is None or self._known[0] != instruments:
            self._known = (instruments, Units(instruments))
        return self._known[1]

    def _publish(self, sequence: int, made: Snapshot | None) -> None:
        with self._changed:
            if made is None and sequence == self._followed:
                return
            self._followed = sequence
            if made is not None:
                self._snapshot = made
                self._made += 1
                self._asked = False
            self._changed.notify_all()

    def _fail(self, error: Exception) -> None:
        with self._changed:
            self._failure = error
            self._changed.notify_all()
