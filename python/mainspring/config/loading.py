"""From file, environment and command line to one checked configuration that knows its origins.

A later source wins over an earlier one, key by key: the defaults, the file, variables such as
``MAINSPRING_RUN__EVERY=5ms``, and ``run.every=5ms`` of the command line.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, SecretStr, ValidationError

from mainspring.config import keyring
from mainspring.config.faults import (
    HIDDEN,
    ConfigFaults,
    Fault,
    dotted,
    faults_of,
    is_secret,
    unknown_key,
)
from mainspring.config.places import Key
from mainspring.config.reading import Text, read_file
from mainspring.config.sections import Config
from mainspring.config.strategy_params import Note, translate

FILE_NAMES = ("mainspring.toml", "mainspring.json")
PREFIX = "MAINSPRING_"

Source = Literal["default", "file", "environment", "command line", "keyring"]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value comes from.

    Attributes:
        source: which of the sources.
        where: the file, the variable or the word; empty for a default.
        line: of the file, None where it is not known or there is none.
    """

    source: Source
    where: str = ""
    line: int | None = None

    def __str__(self) -> str:
        if self.source == "default":
            return "default"
        return f"{self.where}:{self.line}" if self.line is not None else self.where


DEFAULT = Origin("default")


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of the configuration with its value, hidden where it is a secret."""

    key: str
    value: Any
    origin: Origin


@dataclass(frozen=True)
class Loaded:
    """A configuration and where each of its values comes from.

    Attributes:
        config: the checked configuration.
        origins: of the keys that were set; the others have their defaults.
        notes: keys of a component configuration that were translated or mean nothing here.
        file: that was read, None without one.
        words: of the command line.
        digest: of the file as it was read.
    """

    config: Config
    origins: Mapping[Key, Origin]
    notes: Sequence[Note] = ()
    file: Path | None = None
    words: Sequence[str] = ()
    digest: bytes = b""

    def settings(self) -> Iterator[Setting]:
        """Every key in the order of the schema; secrets hidden."""
        for key, value in _leaves(self.config, ()):
            yield Setting(dotted(key), shown(key, value), self.origin(key))

    def origin(self, key: Key) -> Origin:
        """Where the value of a key comes from."""
        for depth in range(len(key), 0, -1):
            if key[:depth] in self.origins:
                return self.origins[key[:depth]]
        below = [found for k, found in self.origins.items() if k[: len(key)] == key]
        return below[0] if below else DEFAULT


@dataclass
class _Layers:
    tree: dict[str, Any] = field(default_factory=dict)
    origins: dict[Key, Origin] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    places: dict[Key, tuple[str, int | None]] = field(default_factory=dict)
    """Where in the file items of lists stand, which are not set one by one."""

    def put(self, key: Key, value: Any, origin: Origin) -> None:
        """Sets a leaf, in place of what an earlier source said."""
        at = self.tree
        for part in key[:-1]:
            inner = at.get(str(part))
            if not isinstance(inner, dict):
                inner = at[str(part)] = {}
            at = inner
        at[str(key[-1])] = value
        for known in [k for k in self.origins if k[: len(key)] == key]:
            del self.origins[known]
        self.origins[key] = origin

    def refuse(self, origin: Origin, key: Key, what: str, fix: str = "") -> None:
        self.faults.append(Fault(origin.where, origin.line, dotted(key), what, fix))


def load(
    path: Path | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    words: Sequence[str] = (),
) -> Loaded:
    """The configuration in `path`, or in the file of this folder, or the defaults.

    Args:
        path: `mainspring.toml`, else `mainspring.json`, of this folder without it, where there is
            one. Paths in the file are relative to it.
        environ: variables; the process's without it.
        words: `key=value` of the command line, such as ``run.every=5ms``.

    Raises:
        NotFoundError: `path` is given and not there.
        ConfigFaults: something is wrong; every fault is named with its place.
    """
    layers = _Layers()
    file = path or next((Path(name) for name in FILE_NAMES if Path(name).is_file()), None)
    notes: Sequence[Note] = ()
    digest = b""
    if file is not None:
        text = read_file(file)
        notes, digest = _put_file(layers, text), text.digest
    _put_environment(layers, os.environ if environ is None else environ)
    _put_words(layers, words)
    config = _validated(layers)
    if file is not None:
        config = _relative_to(config, file.parent, layers.origins)
    return Loaded(config, layers.origins, notes, file, tuple(words), digest)


def load_config(path: Path | None) -> Config:
    """As `load`, without the origins."""
    return load(path).config


def _put_file(layers: _Layers, text: Text) -> Sequence[Note]:
    where = str(text.file)
    tree, lines, notes = translate(text)
    layers.places = {key: (where, line) for key, line in lines.items()}
    for key, value in _branches(tree, ()):
        origin = Origin("file", where, lines.get(key))
        if _holds_secret(key, value):
            layers.refuse(origin, key, *_not_in_a_file(key))
        else:
            layers.put(key, value, origin)
    return notes


def _not_in_a_file(key: Key) -> tuple[str, str]:
    names = [str(part) for part in key[1:]] if key[0] == "credentials" else []
    venue, secret = names if len(names) == 2 else ("VENUE", "secret")
    fix = (
        "delete it there, consider it known to others, and set "
        f"{PREFIX}CREDENTIALS__{venue.upper()}__{secret.upper()} or, in the keyring, "
        f"`keyring set mainspring {venue}.{secret}`"
    )
    return "a secret is never read from a file", fix


def _holds_secret(key: Key, value: Any) -> bool:
    if is_secret(key):
        return True
    if isinstance(value, dict):
        return any(_holds_secret((*key, k), v) for k, v in value.items())
    if isinstance(value, list):
        return any(_holds_secret((*key, i), v) for i, v in enumerate(value))
    return False


def _branches(tree: Mapping[str, Any], above: Key) -> Iterator[tuple[Key, Any]]:
    """The keys that are set one by one; the value of a parameter is one, whatever it is."""
    for name, value in tree.items():
        key = (*above, name)
        free = key[0] == "parameters" and len(key) > 1
        if isinstance(value, dict) and value and not free:
            yield from _branches(value, key)
        else:
            yield key, value


def _put_environment(layers: _Layers, environ: Mapping[str, str]) -> None:
    for variable in sorted(environ):
        if not variable.upper().startswith(PREFIX):
            continue
        names = variable[len(PREFIX) :].lower().split("__")
        if len(names) == 1 and names[0] not in Config.model_fields:
            continue  # a variable of another part, such as MAINSPRING_HOME
        _put_text(layers, tuple(names), environ[variable], Origin("environment", variable))
    for venue, name, secret in keyring.credentials(environ):
        key = ("credentials", venue, name)
        if key not in layers.origins:
            origin = Origin("keyring", f"keyring mainspring {venue}.{name}")
            layers.put(key, secret, origin)


def _put_words(layers: _Layers, words: Sequence[str]) -> None:
    for word in words:
        name, equals, text = word.partition("=")
        origin = Origin("command line", f"--set {name}")
        section, *names = name.strip().split(".")
        # Behind the key may be names of venues and instruments, which are as they are.
        key = (section, *(part.replace("-", "_") for part in names[:1]), *names[1:])
        if not equals or not all(key):
            layers.refuse(origin, (), f"{name!r} is not key=value", "write --set run.every=5ms")
        elif is_secret(key):
            layers.refuse(
                origin,
                key,
                "a secret is never read from the command line, where others can see it",
                _not_in_a_file(key)[1],
            )
        else:
            _put_text(layers, key, text, origin)


def _put_text(layers: _Layers, key: Key, text: str, origin: Origin) -> None:
    """A value that comes as text: JSON where a table or a list is wanted, or a free value."""
    section = str(key[0])
    if section not in Config.model_fields:
        layers.refuse(origin, key, *unknown_key((section,), Config))
        return
    value: Any = text
    if len(key) == 1 or section == "parameters" or text.lstrip()[:1] in ("[", "{"):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            if len(key) == 1:
                layers.refuse(origin, key, "is a section: give a JSON object, or one of its keys")
                return
    if len(key) == 1 and isinstance(value, dict):
        for name, inner in value.items():
            layers.put((section, name), inner, origin)
    else:
        layers.put(key, value, origin)


def _validated(layers: _Layers) -> Config:
    where = {key: (found.where, found.line) for key, found in layers.origins.items()}
    for key, place in layers.places.items():
        above = (found for depth in range(len(key)) if (found := layers.origins.get(key[:depth])))
        if any(found.source == "file" for found in above):
            where.setdefault(key, place)
    faults = list(layers.faults)
    try:
        config = Config.model_validate(layers.tree)
    except ValidationError as error:
        faults += faults_of(error, Config, where)
    except RecursionError:
        faults.append(Fault("the configuration", None, "", "is nested too deep"))
    if faults:
        raise ConfigFaults(faults)
    return config


def _relative_to(config: Config, folder: Path, origins: Mapping[Key, Origin]) -> Config:
    """Paths of the file as seen from here."""

    def from_file(*key: str) -> bool:
        found = origins.get(key)
        return found is None or found.source in ("file", "environment")

    run, store = config.run, config.store
    if run.strategy and from_file("run", "strategy") and ".py" in run.strategy:
        place, colon, name = run.strategy.partition(":")
        run.strategy = f"{folder / place}{colon}{name}" if place.endswith(".py") else run.strategy
    run.data = [str(folder / one) if (folder / one).exists() else one for one in run.data]
    if from_file("run", "out"):
        run.out = folder / run.out
    if from_file("store", "path"):
        store.path = folder / store.path
    return config


def _leaves(model: BaseModel, above: Key) -> Iterator[tuple[Key, Any]]:
    for name in type(model).model_fields:
        value = getattr(model, name)
        key = (*above, name)
        if isinstance(value, BaseModel):
            yield from _leaves(value, key)
        elif isinstance(value, dict):
            for inner, item in value.items():
                if isinstance(item, BaseModel):
                    yield from _leaves(item, (*key, inner))
                else:
                    yield (*key, inner), item
        else:
            yield key, value


def shown(key: Key, value: Any) -> Any:
    """A value as it may be shown: plain, and hidden where it is a secret."""
    if value is not None and (isinstance(value, SecretStr) or is_secret(key)):
        return HIDDEN
    if isinstance(value, list):
        return [shown(key, one) for one in value]
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_none=True)
    return str(value) if isinstance(value, (Path, Decimal)) else value
