"""From a word of the command line to a source of records: the journal of a session, or a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mainspring.cli import stored_runs
from mainspring.errors import NotFoundError

if TYPE_CHECKING:
    from mainspring.events import Source


def open_source(name: str) -> Source:
    """The journal in the folder `name`, or the run of this folder or name.

    Raises:
        NotFoundError: there is neither.
    """
    from mainspring.backtesting.storage import FACTS_NAME
    from mainspring.events import JournalSource, RunLog

    folder = Path(name)
    if folder.is_dir() and not (folder / FACTS_NAME).is_file():
        return JournalSource(folder)
    try:
        return RunLog(stored_runs.load(name))
    except NotFoundError as error:
        raise NotFoundError(f"{error}; nor the folder of a journal") from None


def time_ns(text: str | None) -> int | None:
    """A point in time as the command line gives it: ISO 8601, or nanoseconds.

    Raises:
        InvalidValue: it is neither.
    """
    from mainspring.data.times import to_ns

    if text is None:
        return None
    return to_ns(int(text) if text.lstrip("-").isdigit() else text)
