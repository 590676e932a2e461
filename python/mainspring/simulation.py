"""Deterministic simulation: a session whose venue, network, clock and disk fail, under one seed.

One seed is one run, the same on every machine. At every step invariants are checked: money is
conserved, the position limit holds at the venue, no order waits for an answer without a word; and
at the end orders and position agree with the venue's, and the state that recovery finds in the
journal is the state.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path

from mainspring.errors import InvalidValue, StorageError

STEPS = 2_000
"""Market messages with faults in one seed."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened in one seed.

    Attributes:
        seed: The seed.
        events: Inputs and outputs journaled.
        lives: Processes started: one, and one more after every kill and every full disk.
        orders: Requests sent about orders.
        fills: Fills at the venue.
        parents: Parent orders begun.
        faults: How often each fault fired.
        violation: The first invariant that did not hold, and when; None when all held.
    """

    seed: int
    events: int
    lives: int
    orders: int
    fills: int
    parents: int
    faults: dict[str, int]
    violation: str | None


def simulate(seed: int, *, steps: int = STEPS) -> Outcome:
    """Runs one seed.

    Raises:
        InvalidValue: `seed` is not a whole number of 64 bits, or `steps` is not positive.
    """
    from mainspring import _core

    _check(seed, steps)
    return Outcome(**json.loads(_core.simulate(seed, steps)))


def simulate_all(seeds: Iterable[int], *, steps: int = STEPS) -> Iterator[Outcome]:
    """Runs seeds one after another."""
    for seed in seeds:
        yield simulate(seed, steps=steps)


def write_journal(folder: str | PathLike[str], seed: int = 1, *, steps: int = STEPS) -> int:
    """Writes the journal of one seed to disk, to try readers of journals on; returns its length.

    Args:
        folder: where to; it is made, and must be empty.
        seed: the seed.
        steps: market messages with faults; a quiet end follows.

    Raises:
        InvalidValue: `seed` or `steps` cannot be.
        StorageError: the folder is not empty, or cannot be written.
    """
    from mainspring import _core

    _check(seed, steps)
    if Path(folder).is_dir() and any(Path(folder).iterdir()):
        raise StorageError(f"{fspath(folder)} is not empty: a journal needs a folder of its own")
    return _core.simulate_journal(fspath(folder), seed, steps)


def _check(seed: int, steps: int) -> None:
    if not 0 <= seed < 2**64:
        raise InvalidValue(f"seed {seed}: give a whole number from 0 to 2^64 - 1")
    if not 1 <= steps < 2**32:
        raise InvalidValue(f"{steps} steps: give a positive number")
