"""Reads a configuration file into a tree of plain values, with the line of each key."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from mainspring.config.faults import ConfigFaults, Fault, dotted
from mainspring.config.places import Key, json_places, toml_places
from mainspring.errors import NotFoundError

MAX_BYTES = 1 << 20
MAX_DEPTH = 32


@dataclass(frozen=True, slots=True)
class Text:
    """A file as it was read.

    Attributes:
        file: where it is.
        tree: its tables and values.
        lines: the line of each key.
        digest: of its bytes.
    """

    file: Path
    tree: dict[str, Any]
    lines: dict[Key, int]
    digest: bytes = b""


def read_file(file: Path) -> Text:
    """Reads TOML, or JSON where the name ends in `.json`.

    Raises:
        NotFoundError: it is not there.
        ConfigFaults: it cannot be read, or is not well formed.
    """
    if not file.exists():
        raise NotFoundError(f"no configuration file {file}")
    if not file.is_file():
        _refuse(file, "is not a file", "name the file itself")
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        _refuse(file, f"cannot be read: {error.strerror}", "check its permissions")
    return read_text(file, data)


def read_text(file: Path, data: bytes) -> Text:
    """The content of a file; `file` names its form and is shown in errors.

    Raises:
        ConfigFaults: it is not well formed, too long, or nested too deep.
    """
    if len(data) > MAX_BYTES:
        _refuse(file, f"has more than {MAX_BYTES} bytes", "a configuration is shorter than that")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        _refuse(file, f"is not UTF-8 at byte {error.start}", "save it as UTF-8")
    try:
        tree, lines = _json(file, text) if file.suffix == ".json" else _toml(file, text)
    except RecursionError:
        _refuse(file, "is nested too deep", f"at most {MAX_DEPTH} levels are read")
    if _depth(tree) > MAX_DEPTH:
        _refuse(file, "is nested too deep", f"at most {MAX_DEPTH} levels are read")
    return Text(file, tree, lines, digest_of(data))


def digest_of(data: bytes) -> bytes:
    """What tells one content of a file from another."""
    return hashlib.sha256(data).digest()


def _toml(file: Path, text: str) -> tuple[dict[str, Any], dict[Key, int]]:
    try:
        tree = tomllib.loads(text)
    except ValueError as error:
        found = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
        _refuse(file, f"is not TOML: {error}", line=int(found[1]) if found else None)
    # The scanner counts `\n` alone, and TOML knows `\r\n` as well.
    return tree, toml_places(text)


def _json(file: Path, text: str) -> tuple[dict[str, Any], dict[Key, int]]:
    try:
        tree = json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        _refuse(file, f"is not JSON: {error.msg}", line=error.lineno)
    except ValueError as error:
        _refuse(file, f"is not JSON: {error}")
    if not isinstance(tree, dict):
        _refuse(file, "is not a JSON object", "write {...} around it")
    lines, doubled = json_places(text)
    if doubled is not None:
        fault = Fault(str(file), lines[doubled], dotted(doubled), "is there twice", "keep one")
        raise ConfigFaults([fault])
    return tree, lines


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number that a setting can have")


def _depth(value: Any) -> int:
    """How deep `value` is nested; without recursion, for it may be too deep for that."""
    deepest, level = 0, [value]
    while level and deepest <= MAX_DEPTH:
        deepest += 1
        level = [
            item
            for one in level
            if isinstance(one, (dict, list))
            for item in (one.values() if isinstance(one, dict) else one)
        ]
    return deepest


def _refuse(file: Path, what: str, fix: str = "", line: int | None = None) -> NoReturn:
    raise ConfigFaults([Fault(str(file), line, "", what, fix)])
