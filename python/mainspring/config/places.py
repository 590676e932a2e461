"""On which line of a TOML or JSON text each key stands.

The parsers of the standard library do not tell. These scanners run after them, on text that is
known to be well formed, so that they need not judge it.
"""

from __future__ import annotations

import re
import tomllib
from json.decoder import scanstring  # type: ignore[attr-defined]

Key = tuple[str | int, ...]
"""A place in the file: names of tables and keys, and indices of lists."""

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR_END = re.compile(r"[,\]}\n\r#]")
_JSON_SCALAR = re.compile(r"[^,\]}\s]+")


def toml_places(text: str) -> dict[Key, int]:
    """The line, from 1, of every table, key and list item of a TOML text."""
    return _Toml(text).scan()


def json_places(text: str) -> tuple[dict[Key, int], Key | None]:
    """The same of a JSON text, and the first key that its object has twice."""
    scanner = _Json(text)
    scanner.value((), scanner.skip(0))
    return scanner.places, scanner.doubled


class _Lines:
    def __init__(self, text: str) -> None:
        self.text = text
        self.places: dict[Key, int] = {}
        self._at = 0
        self._line = 1

    def note(self, key: Key, at: int) -> None:
        """Keys are noted in the order of the text, so that lines are counted once."""
        self._line += self.text.count("\n", self._at, at)
        self._at = at
        self.places.setdefault(key, self._line)


class _Toml(_Lines):
    def scan(self) -> dict[Key, int]:
        at = 0
        table: Key = ()
        counts: dict[Key, int] = {}
        while (at := self._blank(at)) < len(self.text):
            if self.text[at] == "[":
                table, at = self._header(at, counts)
            else:
                at = self._pair(table, at)
        return self.places

    def _header(self, at: int, counts: dict[Key, int]) -> tuple[Key, int]:
        """`[a.b]` or `[[a.b]]`; a name that is a list of tables stands for its last one."""
        several = self.text.startswith("[[", at)
        names, end = self._names(at + 1 + several)
        key: Key = ()
        for index, name in enumerate(names):
            key = (*key, name)
            last = index == len(names) - 1
            if several and last:
                counts[key] = counts.get(key, 0) + 1
            if key in counts:
                key = (*key, counts[key] - 1)
        self.note(key, at)
        return key, self.text.index("]", end) + 1 + several

    def _pair(self, table: Key, at: int) -> int:
        names, end = self._names(at)
        key = (*table, *names)
        for depth in range(len(table) + 1, len(key) + 1):
            self.note(key[:depth], at)
        return self._value(key, self._space(self.text.index("=", end) + 1))

    def _names(self, at: int) -> tuple[tuple[str, ...], int]:
        names = []
        while True:
            at = self._space(at)
            name, at = self._name(at)
            names.append(name)
            at = self._space(at)
            if self.text[at : at + 1] != ".":
                return tuple(names), at
            at += 1

    def _name(self, at: int) -> tuple[str, int]:
        if self.text[at] in "\"'":
            end = self._string(at)
            return next(iter(tomllib.loads(f"{self.text[at:end]} = 0"))), end
        found = _BARE.match(self.text, at)
        end = found.end() if found else at + 1
        return self.text[at:end], end

    def _value(self, key: Key, at: int) -> int:
        first = self.text[at]
        if first in "\"'":
            return self._string(at)
        if first == "[":
            return self._list(key, at + 1)
        if first == "{":
            return self._inline(key, at + 1)
        found = _SCALAR_END.search(self.text, at)
        return found.start() if found else len(self.text)

    def _list(self, key: Key, at: int) -> int:
        index = 0
        while self.text[at := self._blank(at)] != "]":
            if self.text[at] == ",":
                at += 1
                continue
            self.note((*key, index), at)
            at, index = self._value((*key, index), at), index + 1
        return at + 1

    def _inline(self, key: Key, at: int) -> int:
        while self.text[at := self._blank(at)] != "}":
            at = at + 1 if self.text[at] == "," else self._pair(key, at)
        return at + 1

    def _string(self, at: int) -> int:
        quote = self.text[at]
        if self.text.startswith(quote * 3, at):
            return self._long_string(quote, at + 3)
        end = at + 1
        while self.text[end] != quote:
            end += 2 if quote == '"' and self.text[end] == "\\" else 1
        return end + 1

    def _long_string(self, quote: str, at: int) -> int:
        while not self.text.startswith(quote * 3, at):
            at += 2 if quote == '"' and self.text[at] == "\\" else 1
        at += 3
        # Up to two quotes may stand right before the closing three.
        while self.text.startswith(quote, at):
            at += 1
        return at

    def _space(self, at: int) -> int:
        while self.text[at : at + 1] in (" ", "\t"):
            at += 1
        return at

    def _blank(self, at: int) -> int:
        """Past spaces, line ends and comments."""
        while at < len(self.text):
            if self.text[at] == "#":
                end = self.text.find("\n", at)
                at = len(self.text) if end < 0 else end
            elif self.text[at] in " \t\r\n":
                at += 1
            else:
                break
        return at


class _Json(_Lines):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.doubled: Key | None = None

    def skip(self, at: int) -> int:
        while self.text[at : at + 1] in (" ", "\t", "\r", "\n"):
            at += 1
        return at

    def value(self, key: Key, at: int) -> int:
        first = self.text[at]
        if first == '"':
            return int(scanstring(self.text, at + 1)[1])
        if first == "{":
            return self._object(key, at + 1)
        if first == "[":
            return self._list(key, at + 1)
        found = _JSON_SCALAR.match(self.text, at)
        return found.end() if found else len(self.text)

    def _object(self, key: Key, at: int) -> int:
        while self.text[at := self.skip(at)] != "}":
            if self.text[at] == ",":
                at += 1
                continue
            name, end = scanstring(self.text, at + 1)
            if (*key, name) in self.places and self.doubled is None:
                self.doubled = (*key, name)
            self.note((*key, name), at)
            at = self.value((*key, name), self.skip(self.text.index(":", end) + 1))
        return at + 1

    def _list(self, key: Key, at: int) -> int:
        index = 0
        while self.text[at := self.skip(at)] != "]":
            if self.text[at] == ",":
                at += 1
                continue
            self.note((*key, index), at)
            at, index = self.value((*key, index), at), index + 1
        return at + 1
