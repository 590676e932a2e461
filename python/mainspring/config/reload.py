"""What a changed configuration does to an engine that runs with the old one, key by key."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel

from mainspring.config.faults import dotted
from mainspring.config.limits import is_tighter
from mainspring.config.loading import Loaded, load, shown
from mainspring.config.places import Key
from mainspring.config.reading import digest_of
from mainspring.config.section import Reload, Section
from mainspring.config.sections import Config
from mainspring.errors import MainspringError

POLL_S = 1.0
"""How often a watched file is looked at."""


class Effect(StrEnum):
    """What becomes of a change."""

    NOW = "now"
    """It holds from the next event on."""
    NEXT_START = "next_start"
    """It holds when the engine is started anew."""
    REFUSED = "refused"
    """It does not hold, neither now nor at the next start of this engine."""


@dataclass(frozen=True, slots=True)
class Change:
    """One key whose value is another than the engine runs with.

    Attributes:
        key: dotted.
        before: the value it runs with, hidden where it is a secret.
        after: the value that is asked for.
        effect: what becomes of it.
        why: in words.
    """

    key: str
    before: Any
    after: Any
    effect: Effect
    why: str

    def __str__(self) -> str:
        change = f"{self.key}: {self.before} -> {self.after}"
        return f"{change}: {self.effect.replace('_', ' ')}, {self.why}"


class Engine(Protocol):
    """What applies changes to a running engine: the one interface between it and this module."""

    def apply(self, changes: Sequence[Change], config: Config) -> Sequence[Change]:
        """Takes up the changes whose effect is `Effect.NOW`, between two events, all or none.

        `config` is the running configuration with them in it. What it returns is the answer as it
        turned out: an effect may be worse than was planned, never better.
        """
        ...


def plan(old: Config, new: Config, *, reason: str | None = None) -> list[Change]:
    """The answer for each key that differs, in the order of the schema.

    A limit is tightened at once. Loosening one needs a `reason`, which the engine keeps in its
    journal; without one it is refused.
    """
    changes = []
    for key, before, after, rule in _differences(old, new):
        effect, why = _effect(key, rule, before, after, reason)
        changes.append(Change(dotted(key), shown(key, before), shown(key, after), effect, why))
    return changes


def running(old: Config, new: Config, changes: Sequence[Change]) -> Config:
    """`old` with the changes in it that hold now."""
    now = {change.key for change in changes if change.effect is Effect.NOW}
    tree = old.model_dump(mode="python", by_alias=True)
    for key, _, after, _ in _differences(old, new):
        if dotted(key) in now:
            _put(tree, key, after)
    return Config.model_validate(tree)


def _put(tree: dict[str, Any], key: Key, value: Any) -> None:
    """Sets a value at a place; absent where there is none to set."""
    for part in key[:-1]:
        inner = tree.get(str(part))
        if not isinstance(inner, dict):
            inner = tree[str(part)] = {}
        tree = inner
    if value is _ABSENT:
        tree.pop(str(key[-1]), None)
    else:
        tree[str(key[-1])] = value.model_dump() if isinstance(value, BaseModel) else value


class Watcher:
    """Looks at a configuration file and gives what changed to a running engine.

    The file is looked at every `poll_s` seconds, by its content, so that a file that was touched
    or replaced by its equal changes nothing. A file that cannot be used leaves the engine as it
    is; the error is told once.

    Args:
        loaded: what the engine runs with.
        engine: takes up what holds now.
        tell: called with the answers, or with the error of a file that cannot be used.
        reload: reads the file anew; as it was read before, without it.
    """

    def __init__(
        self,
        loaded: Loaded,
        engine: Engine,
        *,
        tell: Callable[[Sequence[Change] | MainspringError], None] = lambda _: None,
        poll_s: float = POLL_S,
        reload: Callable[[Path], Loaded] | None = None,
    ) -> None:
        if loaded.file is None:
            raise ValueError("there is no file to watch: the configuration was read without one")
        if poll_s <= 0:
            raise ValueError(f"poll_s is {poll_s}; give more than 0")
        self._file = loaded.file
        self._config = loaded.config
        self._engine = engine
        self._tell = tell
        self._poll_s = poll_s
        self._reload = reload or (lambda file: load(file, words=loaded.words))
        # As it was read: what changed since then is seen at the first look.
        self._seen: bytes | None = loaded.digest
        self._told: set[str] = set()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def config(self) -> Config:
        """The configuration that the engine runs with now."""
        return self._config

    def start(self) -> None:
        """Looks at the file from now on, in a thread of its own."""
        self._thread = threading.Thread(target=self._run, name="config-watcher", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stops looking, and waits until the last change is through."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def look(self, *, reason: str | None = None) -> Sequence[Change]:
        """Looks at the file once; the answers, empty where nothing changed.

        A `reason` allows limits to be loosened; it makes a file that was seen before be read again.
        """
        seen = _digest(self._file)
        if seen == self._seen and reason is None:
            return ()
        self._seen = seen
        try:
            new = self._reload(self._file).config
            answers = self._engine_applies(new, reason)
        except MainspringError as error:
            self._tell(error)
            return ()
        fresh = [one for one in answers if str(one) not in self._told]
        self._told = {str(one) for one in answers}
        if fresh:
            self._tell(fresh)
        return answers

    def _engine_applies(self, new: Config, reason: str | None) -> Sequence[Change]:
        planned = plan(self._config, new, reason=reason)
        after = running(self._config, new, planned)
        if not any(change.effect is Effect.NOW for change in planned):
            return planned
        answers = self._engine.apply(planned, after)
        self._config = running(self._config, new, answers)
        return answers

    def _run(self) -> None:
        while not self._stopping.wait(self._poll_s):
            self.look()


def _digest(file: Path) -> bytes | None:
    try:
        return digest_of(file.read_bytes())
    except OSError:
        return None


_ABSENT: Any = None
"""Stands for a key of a free table that is not there."""


def _differences(old: Config, new: Config) -> list[tuple[Key, Any, Any, Reload]]:
    return list(_between(old, new, ()))


def _between(old: Section, new: Section, above: Key) -> Iterator[tuple[Key, Any, Any, Reload]]:
    for name, field in type(old).model_fields.items():
        one = _rule(field.metadata, type(old).reload)
        yield from _pair(getattr(old, name), getattr(new, name), (*above, name), one)


def _pair(
    before: Any, after: Any, key: Key, rule: Reload
) -> Iterator[tuple[Key, Any, Any, Reload]]:
    """The keys that differ at or below a place."""
    if isinstance(before, Section) and isinstance(after, Section):
        yield from _between(before, after, key)
    elif isinstance(before, dict) and isinstance(after, dict):
        for name in (*before, *(name for name in after if name not in before)):
            yield from _pair(before.get(name), after.get(name), (*key, name), rule)
    elif before != after or type(before) is not type(after):
        yield key, before, after, rule


def _rule(metadata: Sequence[Any], default: Reload) -> Reload:
    return next((one for one in metadata if isinstance(one, Reload)), default)


def _effect(
    key: Key, rule: Reload, before: Any, after: Any, reason: str | None
) -> tuple[Effect, str]:
    if rule is Reload.NEXT_START:
        return Effect.NEXT_START, "it is read when the engine starts"
    if rule is Reload.NOW:
        return Effect.NOW, "from the next event on"
    if _allows_no_more(key, before, after):
        return Effect.NOW, "a tighter limit holds at once"
    if reason:
        return Effect.NOW, f"loosened because: {reason}"
    return Effect.REFUSED, "a limit is loosened only with a reason"


def _allows_no_more(key: Key, before: Any, after: Any) -> bool:
    """Whether a change of a limit is one that only tightens; a new branch is."""
    if before is None and isinstance(after, Section):
        return True
    return is_tighter(str(key[-1]), before, after)


def rules() -> Mapping[str, Reload]:
    """Each key of the schema, dotted, and when a change of it takes effect."""
    return dict(_rules(Config, ""))


def _rules(model: type[Section], above: str) -> Iterator[tuple[str, Reload]]:
    for name, field in model.model_fields.items():
        inner = field.annotation
        rule = _rule(field.metadata, model.reload)
        if isinstance(inner, type) and issubclass(inner, Section):
            yield from _rules(inner, f"{above}{name}.")
        elif model is Config:
            yield f"{name}.*", rule
        else:
            yield f"{above}{name}", rule
