"""Reads the fenced blocks of a Markdown page, and what is said about them in the line before.

A block that is not run says why, in an HTML comment on the line before its fence:
`<!-- not run: needs a network -->`. A text block that shows what the block before it prints is
marked `<!-- prints -->`; there `...` stands for anything. A block with `title="name"` is a file of
that name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^(?P<indent> *)```(?P<language>[\w-]*)(?P<info>[^`]*)$")
TITLE = re.compile(r'title="([^"]+)"')
NOT_RUN = re.compile(r"<!--\s*not run:\s*(.+?)\s*-->")
PRINTS = re.compile(r"<!--\s*prints\s*-->")


@dataclass(frozen=True)
class Block:
    """A fenced block: `line` is the number of its first line of code."""

    page: Path
    line: int
    language: str
    code: str
    title: str | None
    not_run: str | None
    prints: bool


def blocks_of(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    lines = page.read_text(encoding="utf-8").splitlines()
    at = 0
    while at < len(lines):
        opening = FENCE.match(lines[at])
        if opening is None:
            at += 1
            continue
        end = next(i for i in range(at + 1, len(lines)) if lines[i].strip() == "```")
        indent = len(opening["indent"])
        said = _line_before(lines, at)
        title = TITLE.search(opening["info"])
        not_run = NOT_RUN.search(said)
        yield Block(
            page=page,
            line=at + 2,
            language=opening["language"],
            code="\n".join(line[indent:] for line in lines[at + 1 : end]) + "\n",
            title=title and title[1],
            not_run=not_run and not_run[1],
            prints=bool(PRINTS.search(said)),
        )
        at = end + 1


def _line_before(lines: list[str], at: int) -> str:
    above = (line for line in reversed(lines[:at]) if line.strip())
    return next(above, "")


def commands_of(code: str) -> Iterator[str]:
    """The commands of a console block: what follows `$ `, or every line where none has it."""
    joined = code.replace("\\\n", " ")
    lines = [line.strip() for line in joined.splitlines()]
    prompted = [line[2:] for line in lines if line.startswith("$ ")]
    yield from prompted or [line for line in lines if line and not line.startswith("#")]
