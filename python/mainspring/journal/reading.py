"""Readers of a session's journal."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mainspring import _core
from mainspring.data.times import TimeArg, to_ns
from mainspring.errors import InvalidValue, MismatchError

if TYPE_CHECKING:
    from mainspring.orders import OrderHistory

BATCH = 1_024
"""Records that are decoded at once."""

KINDS: dict[str, bool] = {name: is_input for _, name, is_input in _core.journal_kinds()}
"""Every type of record, and whether it is an input: something that came from outside."""


class Record(NamedTuple):
    """One committed record.

    Attributes:
        name: its type, one of `KINDS`.
        sequence: its place in the journal, from 1 without holes.
        time_ns: logical time, nanoseconds since 1970 UTC.
        cause: sequence of the input that it follows from; its own for an input.
        fields: what it says. Prices and quantities are given as counts (`price_ticks`, `qty_lots`)
            and, where the instrument is known, as exact decimal text (`price`, `qty`); money is
            exact decimal text in units of its currency.
    """

    name: str
    sequence: int
    time_ns: int
    cause: int
    fields: dict[str, Any]


class Gap(NamedTuple):
    """Records that a reader cannot have: they were archived, removed, or cut away by a recovery.

    Attributes:
        expected: sequence of the record that should have come.
        next: sequence of the one that comes. Lower than `expected` after a recovery cut damaged
            records away: what was read of them counts for nothing.
    """

    expected: int
    next: int


@dataclass(frozen=True, slots=True)
class Sources:
    """What the newest records of a journal were made with.

    Attributes:
        config: the session's configuration.
        instruments: the instruments, in the order of their ids.
        code: names of the strategies, and hashes of their code.
        models: hashes of the models.
    """

    config: dict[str, Any]
    instruments: list[dict[str, Any]]
    code: dict[str, Any]
    models: dict[str, Any]


class Cursor:
    """A reader with its own place, used from one thread.

    It sees committed records only, and follows the journal from file to file.

    Args:
        path: the journal's folder.
        after: sequence behind which reading begins; None for the oldest record that is there, -1
            for only what comes from now on.
        types: types of records that are wanted; all without it. Others are passed over without
            being decoded.

    Raises:
        NotFoundError: there is no journal, or no such type of record.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        after: int | None = None,
        *,
        types: Iterable[str] | None = None,
    ) -> None:
        wanted = None if types is None else list(types)
        self._reader = _core.JournalReader(fspath(path), after, wanted)

    @property
    def position(self) -> int:
        """Sequence of the last record that was read or passed over; 0 before the first."""
        return max(self._reader.next_sequence - 1, 0)

    def read(self, limit: int = BATCH, timeout: float = 0.0) -> list[Record | Gap]:
        """What comes next, at most `limit`; waits up to `timeout` seconds for the first.

        Returns:
            Nothing when nothing came in time. With `types`, also when only others came.

        Raises:
            MismatchError: the journal is damaged at this place; the message names file and offset.
        """
        found = self._reader.read(limit, timeout)
        return [Gap(item[1], item[2]) if item[0] is None else Record(*item) for item in found]


class Journal:
    """A journal on disk."""

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path)
        # Fails here and not at the first record when there is no journal.
        self.cursor()

    def __repr__(self) -> str:
        return f"Journal({str(self.path)!r})"

    def __iter__(self) -> Iterator[Record | Gap]:
        return self.records()

    def cursor(self, after: int | None = None, *, types: Iterable[str] | None = None) -> Cursor:
        """A reader of its own; see `Cursor`."""
        return Cursor(self.path, after, types=types)

    def records(
        self, after: int | None = None, *, types: Iterable[str] | None = None
    ) -> Iterator[Record | Gap]:
        """Every record behind `after` that is committed now, and gaps.

        Args:
            after: sequence behind which to begin; the oldest record without it.
            types: types of records that are wanted.

        Raises:
            MismatchError: the journal is damaged; what came before it was given.
        """
        cursor = self.cursor(after, types=types)
        while found := cursor.read():
            yield from found

    def tail(
        self,
        after: int | None = -1,
        *,
        types: Iterable[str] | None = None,
        timeout: float | None = None,
    ) -> Iterator[Record | Gap]:
        """Records as they are committed, in this process or another.

        Args:
            after: sequence behind which to begin; only what comes from now on without it, None for
                the oldest record that is there.
            types: types of records that are wanted.
            timeout: ends when nothing came for so many seconds; never without it.
        """
        cursor = self.cursor(after, types=types)
        while True:
            before = cursor.position
            found = cursor.read(timeout=3600.0 if timeout is None else timeout)
            yield from found
            if not found and timeout is not None and cursor.position == before:
                return

    def order_history(self, order_id: int) -> OrderHistory:
        """The life of an order: every state with its time and reason, its fills, its latencies.

        Raises:
            NotFoundError: the journal, as far as it is kept, has no such order.
            MismatchError: the journal is damaged.
        """
        from mainspring.orders import history_of_journal

        return history_of_journal(self, order_id)

    @property
    def sources(self) -> Sources:
        """What the newest records were made with."""
        return self._sources(oldest=False)

    @property
    def first_sources(self) -> Sources:
        """What the oldest records that are kept were made with."""
        return self._sources(oldest=True)

    def _sources(self, *, oldest: bool) -> Sources:
        texts = _core.journal_sources(self.path, oldest)
        config, instruments, code, models = (json.loads(text or "null") for text in texts)
        return Sources(config or {}, instruments or [], code or {}, models or {})

    def verify(self) -> dict[str, Any]:
        """Checks every byte; changes nothing, also while a session writes.

        Returns:
            Counts, the hash of the whole journal, and `findings`: each with `file`, `offset`,
            `what`, and whether it is `damage`.
        """
        found: dict[str, Any] = json.loads(_core.journal_verify(self.path))
        return found

    def state(self, at: TimeArg | None = None) -> dict[str, Any]:
        """Open orders, positions and money as of logical time `at`; as of the end without it.

        Raises:
            InvalidValue: `at` is no point in time.
            MismatchError: the journal does not go back to a beginning or a snapshot before `at`,
                or is damaged before `at`, so that what was then cannot be told.
        """
        until = None if at is None else to_ns(at)
        found: dict[str, Any] = json.loads(_core.journal_state(self.path, until))
        state: dict[str, Any] = found["state"]
        damage = [one for one in found["report"]["findings"] if one["damage"]]
        if damage and (until is None or until > state["time_ns"]):
            raise _damaged(damage[0], state)
        return state

    def recover(self, *, dry_run: bool = False) -> dict[str, Any]:
        """Brings the journal to its last good record, as a session does when it starts.

        What cannot be read is cut away and kept in the folder `damaged`; what its process had no
        time to seal is sealed.

        Args:
            dry_run: change nothing, only look.

        Returns:
            `report`: the snapshot it began with, records read, findings, bytes cut; and `state`, as
            of the last good record.

        Raises:
            MismatchError: a session is writing to it, or it cannot be recovered.
        """
        done = _core.journal_state(self.path) if dry_run else _core.journal_recover(self.path)
        found: dict[str, Any] = json.loads(done)
        return found


def _damaged(finding: dict[str, Any], state: dict[str, Any]) -> MismatchError:
    """What follows the last good record cannot be told."""
    place = f"{finding['file']}: offset {finding['offset']}: {finding['what']}"
    return MismatchError(
        f"{place}; the state is known up to record {state['sequence']}, at {state['time_ns']}: "
        "ask for a moment until then, or see it with `mainspring recover --dry-run`"
    )


def open(path: str | PathLike[str]) -> Journal:  # noqa: A001 - read as journal.open
    """The journal in a folder.

    Raises:
        NotFoundError: there is none.
    """
    return Journal(path)


def rehearse(path: str | PathLike[str], *, records: int = 10_000) -> Journal:
    """Writes the journal of a made-up session: a market maker, a synthetic market, a venue.

    For drills: damage it, recover it, tail it. The same on every machine, and no venue is asked.

    Args:
        path: a folder without a journal.
        records: how many records to write at least.

    Raises:
        InvalidValue: `records` is not positive, or the folder holds a journal.
    """
    if records < 1:
        raise InvalidValue(f"{records} records: give a positive number")
    if any(Path(path).glob("*.segment")):
        raise InvalidValue(f"{path} holds a journal already: name another folder")
    _core.write_bench_journal(fspath(path), records)
    return Journal(path)
