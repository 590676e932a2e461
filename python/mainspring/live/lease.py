"""A lease on a session: another process cancels what it left once it gives no sign of life.

The session renews its lease by the time of a file in its folder, from a thread that looks whether
the kernel's thread goes round; an end in order removes the file. The watcher is a process of its
own, which outlives the session: spot venues have no countdown, and nothing inside a process that
was killed can cancel.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mainspring.errors import ConfigError, MainspringError
from mainspring.live.venue import LiveVenue

LEASE_FILE = "LEASE"
"""The sign of life in a session's folder."""

LEAST_S = 1.0
"""The shortest lease: the session renews five times a second."""

_CLEAR_S = 5.0
_PAUSE_S = 2.0
_BEGIN_S = 120.0
_ARMED = "armed"


@dataclass(frozen=True, slots=True)
class Place:
    """A venue as the watcher needs it: the engine's form, and the secrets beside it."""

    venue: dict[str, Any]
    secrets: tuple[bytes | None, bytes | None, bytes | None]

    @classmethod
    def of(cls, venue: LiveVenue, tag: int) -> Place:
        """A venue that a session with this tag trades on."""
        return cls(venue.to_engine(tag), venue.credentials.parts())


@dataclass(frozen=True, slots=True)
class Cleared:
    """What was done at a venue.

    Attributes:
        venue: Its name.
        cancelled: Orders of the session that were cancelled.
        left: Its orders that the venue still listed when it was last asked; None when it never
            answered.
        others: Orders of others in the symbols, which stay.
        notes: What went wrong on the way.
    """

    venue: str
    cancelled: int
    left: int | None
    others: int
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LeaseEnd:
    """How a lease ended.

    Attributes:
        why: `ended` when the session ended in order, `expired` when it gave no sign of life and
            what it left was cancelled, `never_begun` when there was no sign of life at all.
        cleared: What was done at each venue.
    """

    why: Literal["ended", "expired", "never_begun"]
    cleared: tuple[Cleared, ...] = ()


def watch(
    folder: Path,
    places: Sequence[Place],
    after_s: float,
    *,
    fresh: bool = False,
    say: Callable[[str], None] = print,
) -> LeaseEnd:
    """Watches a session until it ends, and cancels what it left when its lease expires.

    A session that hangs and comes back is watched on.

    Args:
        folder: The session's folder.
        places: Its venues.
        after_s: The lease: how long the session may give no sign of life.
        fresh: The session has yet to begin: a sign of life that is there already is an older one's.
        say: Takes a line for people.
    """
    from mainspring import _core

    sign = _Sign(folder / LEASE_FILE, after_s, fresh=fresh)
    given_up = False
    while True:
        state = sign.look()
        if state == "gone":
            return LeaseEnd("ended")
        if state == "never":
            return LeaseEnd("never_begun")
        if state == "expired":
            say(f"no sign of life for {after_s:g} s: its orders are cancelled")
            cleared = clear(places, say, until=sign.is_renewed)
            if not _core.is_being_written(folder):
                return LeaseEnd("expired", cleared)
            sign.wait_for_life()
            given_up = True
        elif given_up and sign.is_alive:
            say("it gives signs of life again: watched on")
            given_up = False
        time.sleep(min(0.2, after_s / 10))


class _Sign:
    """The sign of life: seen by when its file was last renewed, by our own clock."""

    def __init__(self, path: Path, after_s: float, *, fresh: bool) -> None:
        self._path, self._after_s, self._fresh = path, after_s, fresh
        self._begun = self._changed = time.monotonic()
        self._last = self._time() if fresh else None
        self._alive = not fresh
        self._seen = False

    def _time(self) -> int | None:
        try:
            return self._path.stat().st_mtime_ns
        except OSError:
            return None

    def look(self) -> Literal["alive", "gone", "never", "expired", "waiting"]:
        now, renewed = time.monotonic(), self._time()
        if renewed != self._last:
            self._last, self._changed = renewed, now
            if renewed is None and self._seen:
                return "gone"
            self._seen = self._alive = renewed is not None
            return "alive"
        if not self._seen:
            over = self._fresh and now - self._begun > _BEGIN_S
            return "never" if over else "waiting"
        expired = self._alive and now - self._changed > self._after_s
        return "expired" if expired else "alive"

    @property
    def is_alive(self) -> bool:
        """Whether there was a sign of life since the last one was given up."""
        return self._alive

    def is_renewed(self) -> bool:
        """Whether there was a sign of life since the last look."""
        return self._time() != self._last

    def wait_for_life(self) -> None:
        """Nothing expires before the session gave another sign of life."""
        self._alive = False


def clear(
    places: Sequence[Place],
    say: Callable[[str], None] = print,
    *,
    until: Callable[[], bool] = lambda: False,
) -> tuple[Cleared, ...]:
    """Cancels the session's orders at every venue, all of them at once, until none is listed.

    A venue that does not answer is asked again and again, for an hour, or `until` something: a
    session that is back places orders that nobody is to cancel.
    """
    with ThreadPoolExecutor(max_workers=max(1, len(places))) as pool:
        return tuple(pool.map(lambda place: _clear_one(place, say, until), places))


def _clear_one(place: Place, say: Callable[[str], None], is_enough: Callable[[], bool]) -> Cleared:
    from mainspring import _core

    name = str(place.venue["name"])
    cancelled: set[int] = set()
    until = time.monotonic() + 3_600
    while True:
        try:
            told = json.loads(_core.clear_venue(json.dumps(place.venue), place.secrets, _CLEAR_S))
        except MainspringError as error:
            told = {"cancelled": [], "left": None, "others": 0, "notes": [str(error)]}
        cancelled.update(told["cancelled"])
        done = Cleared(name, len(cancelled), told["left"], told["others"], tuple(told["notes"]))
        if done.left == 0 or time.monotonic() > until or is_enough():
            say(f"{name}: {done.cancelled} orders cancelled, {done.left} left")
            return done
        say(f"{name}: {done.left} orders left: {'; '.join(done.notes[-3:])}")
        time.sleep(_PAUSE_S)


def checked_lease(after_s: float) -> float:
    """A lease that can be kept.

    Raises:
        ConfigError: It is shorter than the session can renew it.
    """
    if after_s < LEAST_S:
        raise ConfigError(f"a lease of {after_s:g} s; give {LEAST_S:g} s or more")
    return after_s


def spawn(folder: Path, places: Sequence[Place], after_s: float) -> subprocess.Popen[str]:
    """Starts a watcher for a session that is about to begin, and waits until it watches.

    It has a session of its own, so that Ctrl-C and the end of this process do not reach it. Keys go
    through its standard input. What it says is in `lease.log` of the folder.

    Raises:
        ConfigError: It did not start.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lease.log").open("a") as log:
        child = subprocess.Popen(
            [sys.executable, "-c", f"from {__name__} import main; raise SystemExit(main())"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
            start_new_session=True,
        )  # fmt: skip
    assert child.stdin is not None
    assert child.stdout is not None
    with contextlib.suppress(BrokenPipeError), child.stdin as pipe:
        pipe.write(_message(folder, places, after_s))
    with child.stdout as pipe:
        armed = pipe.readline().strip()
    if armed != _ARMED:
        child.kill()
        child.wait()
        raise ConfigError(f"the watcher of the lease did not start: see {folder / 'lease.log'}")
    threading.Thread(target=child.wait, name="lease-reaper", daemon=True).start()
    return child


def _message(folder: Path, places: Sequence[Place], after_s: float) -> str:
    told = [
        {"venue": one.venue, "secrets": [part and part.decode() for part in one.secrets]}
        for one in places
    ]
    return json.dumps({"folder": str(folder.resolve()), "after_s": after_s, "places": told})


def main() -> int:
    """The watcher's process: what to watch comes by standard input."""
    told = json.loads(sys.stdin.read())
    places = [
        Place(one["venue"], tuple(part and part.encode() for part in one["secrets"]))
        for one in told["places"]
    ]
    folder = Path(told["folder"])
    print(_ARMED, flush=True)

    def say(line: str) -> None:
        print(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {line}", file=sys.stderr)
        sys.stderr.flush()

    end = watch(folder, places, told["after_s"], fresh=True, say=say)
    say(f"the lease is over: {end.why}")
    return 0 if all(one.left == 0 for one in end.cleared) else 1
