"""`mainspring backtest`: a strategy over recorded market data."""

from __future__ import annotations

from pathlib import Path

from mainspring.cli.app import verb_app
from mainspring.cli.output import Output
from mainspring.cli.run_options import RunOptions, Words, extend_help

__all__ = ["app", "extend_help"]

app = verb_app("backtest", "Run a strategy over recorded market data.", "[STRATEGY]")


@app.default
def backtest(
    *words: Words,
    options: RunOptions | None = None,
    out: Path | None = None,
    report: bool | None = None,
    output: Output | None = None,
) -> int:
    """Run a strategy over recorded market data.

    The strategy is `path.py:Class`, or `path.py` when it has one; without it, the one that
    `mainspring.toml` names. Its parameters are flags: `--threshold 0.4`.

    Parameters
    ----------
    words
        The strategy and flags of its parameters.
    options
        Flags of a run.
    out
        Folder for the run, made in it under a name of its own; `runs` without it.
    report
        Write `report.html` beside the results.
    output
        Flags of every verb.
    """
