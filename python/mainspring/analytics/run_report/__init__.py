"""The report: one HTML file that opens anywhere, without a network."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from pathlib import Path

from mainspring.analytics.calendar import CRYPTO, Calendar
from mainspring.analytics.run_data import RunData, snapshot
from mainspring.analytics.run_summary import Summary, summary
from mainspring.errors import ConfigError, StorageError


class MissingExtraError(ConfigError, ImportError):
    """A package that comes with an optional part of Mainspring is not installed."""


def report(
    run: RunData,
    path: str | os.PathLike[str],
    *,
    calendar: Calendar = CRYPTO,
    figures: Summary | None = None,
    title: str | None = None,
) -> Path:
    """Write the report of a run as one self-contained HTML file under 6 MB.

    Args:
        run: a finished run.
        path: where to; an existing file is replaced, whole or not at all.
        calendar: what makes a year.
        figures: the summary, if it was made already.
        title: instead of the strategies and instruments.

    Returns:
        The path.

    Raises:
        MissingExtraError: without bokeh, which ``pip install mainspring[report]`` brings.
        StorageError: when the file cannot be written.
    """
    if importlib.util.find_spec("bokeh") is None:
        raise MissingExtraError(
            "the report draws its charts with bokeh, which is not installed: "
            "pip install 'mainspring[report]'"
        )
    from mainspring.analytics.run_report.page import render

    run = snapshot(run)
    return write_whole(path, render(run, figures or summary(run, calendar=calendar), title))


def write_whole(path: str | os.PathLike[str], text: str) -> Path:
    """Write a text file so that it is either complete or not there.

    Raises:
        StorageError: names the file and what went wrong.
    """
    target = Path(path)
    draft = None
    try:
        handle, draft = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as out:
            out.write(text)
        os.chmod(draft, 0o644)
        os.replace(draft, target)
    except OSError as error:
        if draft is not None:
            Path(draft).unlink(missing_ok=True)
        raise StorageError(f"{target}: cannot write the report: {error.strerror}") from error
    return target
