"""What is wrong with a configuration: where, which key, what, and how to put it right."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from mainspring.config.places import Key
from mainspring.errors import ConfigError

_SECRET = re.compile(
    r"(^|_)(api_?key|access_?key|private_?key|secret|passw(or)?d|passphrase|token|mnemonic|seed_phrase)"
    r"s?(_|$)",
    re.IGNORECASE,
)
HIDDEN = "**********"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong.

    Attributes:
        where: the file, the variable or the flag that said it.
        line: of the file, None where it is not known or there is none.
        key: dotted, empty for the whole.
        what: what is wrong.
        fix: what to do about it, empty where `what` says it.
    """

    where: str
    line: int | None
    key: str
    what: str
    fix: str = ""

    def __str__(self) -> str:
        place = f"{self.where}:{self.line}" if self.line is not None else self.where
        said = ": ".join(part for part in (place, self.key, self.what) if part)
        return f"{said}; {self.fix}" if self.fix else said


class ConfigFaults(ConfigError):  # noqa: N818 - names what it carries
    """A configuration that cannot be used; every fault is in `faults` and in the message."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n  ".join(map(str, faults)))
        self.faults = tuple(faults)


def dotted(key: Key) -> str:
    """A key as people write it: ``run.data[0]``."""
    text = ""
    for part in key:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def is_secret(key: Key) -> bool:
    """Whether a key's value must not be in a file nor be shown."""
    names = [part for part in key if isinstance(part, str)]
    return bool(names) and (names[0] == "credentials" or bool(_SECRET.search(names[-1])))


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` is most likely meant to be."""
    near = difflib.get_close_matches(name.lower(), list(known), n=1, cutoff=0.6)
    return near[0] if near else None


def faults_of(
    error: ValidationError, root: type[BaseModel], where: Mapping[Key, tuple[str, int | None]]
) -> list[Fault]:
    """The faults that validation found. `where` says where each key was set."""
    found = []
    for one in error.errors(include_url=False):
        key = tuple(one["loc"])
        if len(key) > 2 and key[-1] == "[key]":
            key = key[:-1]  # the name is wrong, not the value
        place, line = _nearest_place(key, where)
        what, fix = _said(key, dict(one), root)
        found.append(Fault(place, line, dotted(key), what, fix))
    return list(dict.fromkeys(found))


def _nearest_place(key: Key, where: Mapping[Key, tuple[str, int | None]]) -> tuple[str, int | None]:
    for depth in range(len(key), 0, -1):
        if key[:depth] in where:
            return where[key[:depth]]
    below = (place for other, place in where.items() if other[: len(key)] == key)
    return next(below, ("the configuration", None))


def _said(key: Key, one: Mapping[str, Any], root: type[BaseModel]) -> tuple[str, str]:
    if one["type"] == "extra_forbidden":
        return unknown_key(key, root)
    if one["type"] in ("model_type", "model_attributes_type"):
        return "is a section, not a value", f"write its keys below [{dotted(key)}]"
    message = str(one["msg"]).removeprefix("Value error, ")
    given = one.get("input")
    if is_secret(key):
        return message, ""
    if one["type"] == "literal_error" and isinstance(given, str):
        near = nearest(given, re.findall(r"'([^']+)'", str(one.get("ctx", {}).get("expected", ""))))
        return f"{message}, not {given!r}", f"did you mean {near!r}?" if near else ""
    if isinstance(given, (str, int, float, bool)) and repr(given) not in message:
        message = f"{message}, not {_short(given)}"
    return message, ""


def unknown_key(key: Key, root: type[BaseModel]) -> tuple[str, str]:
    """What is said of a key that there is not."""
    known = _names_at(root, key[:-1])
    name = str(key[-1])
    near = nearest(name, known)
    what = "there is no such key" if len(key) > 1 else "there is no such section"
    if near:
        return what, f"did you mean {dotted((*key[:-1], near))}?"
    homes = [
        section
        for section in root.model_fields
        if len(key) > 1 and name in _names_at(root, (section,))
    ]
    if homes:
        return what, f"there is {homes[0]}.{name}"
    return what, f"there are {', '.join(known)}" if known else ""


def _names_at(root: type[BaseModel], key: Key) -> list[str]:
    """The keys that there can be at a place: none where any name is allowed."""
    kind: Any = root
    for part in key:
        if _is_model(kind):
            field = kind.model_fields.get(str(part))
            kind = _there(field.annotation) if field is not None else None
        elif get_origin(kind) is dict:
            kind = _there(get_args(kind)[1])
        else:
            return []
    return list(kind.model_fields) if _is_model(kind) else []


def _there(kind: Any) -> Any:
    """The section behind an annotation that allows for none."""
    if get_origin(kind) is dict:
        return kind
    return next((one for one in get_args(kind) if _is_model(one)), kind)


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
