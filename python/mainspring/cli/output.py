"""What a verb prints: one JSON document, or text for people, and progress on long work."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from cyclopts import Group, Parameter

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

PLAIN_LINE_EVERY_S = 2.0
"""How often progress is printed when stderr is not a terminal."""

MEASURED_FROM_S = 0.5
"""How long the rate since the first news is not taken yet."""

_OUTPUT = Group("Output", sort_key=99)


@Parameter(name="*", group=_OUTPUT, show_default=False)
@dataclass
class Output:
    """The flags that every verb has, and the printing that obeys them."""

    json: bool = False
    """Print one JSON document on stdout and nothing else there."""
    quiet: bool = False
    """No progress and no prose; errors still show."""
    debug: bool = False
    """Show the traceback of an error."""

    def result(self, document: Mapping[str, Any] | Sequence[Any], text: Callable[[], Any]) -> None:
        """Prints the verb's result: `document` as JSON, or what `text()` makes (str or rich)."""
        if self.json:
            sys.stdout.write(json.dumps(_plain(document), allow_nan=False) + "\n")
        elif not self.quiet:
            self.show(text())

    def show(self, what: Any) -> None:
        """Prints text or a rich renderable on stdout, unless --json or --quiet."""
        if self.json or self.quiet:
            return
        if isinstance(what, str):
            sys.stdout.write(what if what.endswith("\n") else what + "\n")
            return
        from rich.console import Console

        Console(soft_wrap=not sys.stdout.isatty()).print(what)

    def note(self, text: str) -> None:
        """Says something beside the result, on stderr."""
        if not self.quiet:
            sys.stderr.write(text + "\n")

    def warn(self, text: str) -> None:
        """Says what went wrong without being the end; also with --quiet."""
        sys.stderr.write(f"mainspring: {text}\n")

    def progress(self, doing: str, total: int | None = None, unit: str = "events") -> ProgressBar:
        """A progress bar; use it as a context manager and call `.update(done, total)`."""
        return ProgressBar(doing, total, unit, shown=not self.quiet)


class ProgressBar:
    """Work done so far, its rate and the time it still takes.

    Rich draws it on a terminal; elsewhere a plain line comes every two seconds, the first one only
    after that, so that short work prints nothing.
    """

    def __init__(self, doing: str, total: int | None, unit: str, *, shown: bool) -> None:
        self.doing, self.total, self.unit = doing, total, unit
        self._shown = shown
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._first: tuple[int, float] | None = None
        self._started = self._last_line = time.monotonic()

    def __enter__(self) -> Self:
        self._started = self._last_line = time.monotonic()
        if self._shown and sys.stderr.isatty():
            self._bar = _rich_bar(self.unit)
            self._task = self._bar.add_task(self.doing, total=self.total, rate="")
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, done: int, total: int | None = None) -> None:
        """Tells how much is done (not how much more)."""
        self.total = total if total is not None else self.total
        now = time.monotonic()
        rate = self._rate(done, now)
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=done, total=self.total, rate=_amount(rate))
        elif self._shown and now - self._last_line >= PLAIN_LINE_EVERY_S:
            self._last_line = now
            sys.stderr.write(self._line(done, rate) + "\n")

    def _rate(self, done: int, now: float) -> float:
        """Per second since the first news: what came before it (compiling, a survey) is apart.

        The first news itself is measured from the start.
        """
        if self._first is None:
            self._first = (done, now)
        begun, at = self._first
        if done > begun and now - at > MEASURED_FROM_S:
            return (done - begun) / (now - at)
        return done / max(now - self._started, 1e-9)

    def _line(self, done: int, rate: float) -> str:
        unit = self.unit.removesuffix("s") if done == 1 else self.unit
        line = f"{self.doing}: {done:,} {unit}, {_amount(rate)} {self.unit}/s"
        if not self.total:
            return line
        left = (self.total - done) / rate if rate > 0 else math.inf
        share = 100 * done / self.total
        return f"{line}, {share:.0f} %" + (f", {left:.0f} s left" if math.isfinite(left) else "")


def _amount(rate: float) -> str:
    """A rate with as many digits as say something: 0.25, 3.1, 1,200."""
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"


def _rich_bar(unit: str) -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[rate]} " + f"{unit}/s"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def _plain(value: Any) -> Any:
    """`value` as JSON knows it: NaN and infinities as null, numpy scalars as plain ones."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, bool) or value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if hasattr(value, "item"):
        return _plain(value.item())
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    return str(value)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Any:
    """A rich table of text cells; numbers are right-aligned."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(title=title or None, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for index, name in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[index], (int, float)) for row in rows)
        made.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        # Text, so that brackets are shown and not taken for markup.
        made.add_row(*(Text(cell(value), overflow="fold") for value in row))
    return made


def cell(value: Any) -> str:
    """One value as a person reads it."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.2f}" if abs(value) >= 100 else f"{value:.4g}"
    return str(value)
