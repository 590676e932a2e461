"""`mainspring backtest`: a strategy over recorded market data."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from mainspring.cli import market_data, stored_runs
from mainspring.cli.app import verb_app
from mainspring.cli.exits import Exit
from mainspring.cli.output import Output
from mainspring.cli.run_options import Job, RunOptions, Words, extend_help, prepare
from mainspring.errors import Interrupted

__all__ = ["app", "extend_help", "run_job", "show_run"]

app = verb_app("backtest", "[STRATEGY]")


@app.default
def backtest(
    *words: Words,
    options: RunOptions | None = None,
    out: Path | None = None,
    report: Annotated[bool | None, Parameter(negative="--no-report")] = None,
    output: Output | None = None,
) -> int:
    """Run a strategy over recorded market data.

    The strategy is `path.py:Class`, `path.py` when it has one, or `native:Class`; without it, the
    one that `mainspring.toml` names. Its parameters are flags: `--threshold 0.4`.

    Exits 7 when a strategy failed on the way: what it did until then is stored.

    Parameters
    ----------
    words
        The strategy and flags of its parameters.
    options
        Flags of a run.
    out
        Folder that the run is stored in, under a name made of the strategy and the run's hash;
        `runs` without it.
    report
        Whether to write `report.html` beside the results.
    output
        Flags of every verb.
    """
    output = output or Output()
    job = prepare(words, options or RunOptions())
    folder = out or job.config.run.out
    run = run_job(job, folder, output)
    wanted = job.config.run.report if report is None else report
    return show_run(run, output, report=wanted)


def run_job(job: Job, out: Path, output: Output) -> Any:
    """Runs it with progress, stores it under `out`, and returns the run.

    Raises:
        Interrupted: Ctrl-C; what was done until then is stored.
    """
    import mainspring as ms

    sources = market_data.open_all(job.config.run.data)
    strategy = job.strategy(**job.parameters)
    with _stored_when_interrupted(out), output.progress("backtest", _rows(sources), "rows") as bar:
        run = ms.backtest(
            strategy,
            sources,
            **job.settings(),
            out=stored_runs.pending(out),
            progress=lambda rows, _time_ns: bar.update(rows),
            on_error="stop",
        )
    stored_runs.settle(run, out)
    return run


@contextlib.contextmanager
def _stored_when_interrupted(out: Path) -> Iterator[None]:
    try:
        yield
    except Interrupted as error:
        run = getattr(error, "run", None)
        if run is None:
            raise
        folder = stored_runs.settle(run, out)
        raise Interrupted(f"interrupted; what was done until then is in {folder}") from error


def _rows(sources: list[Any]) -> int | None:
    counts = [getattr(source, "rows", None) for source in sources]
    known = [count for count in counts if isinstance(count, int)]
    return sum(known) if len(known) == len(counts) else None


def show_run(run: Any, output: Output, *, report: bool) -> int:
    """Writes the report and prints what came of the run; returns the exit code."""
    page = run.report(run.folder / "report.html") if report else None
    summary = run.summary()
    failures = [text for text in run.failures if text]
    document = {
        "run": str(run.folder),
        "hash": run.hash,
        "report": str(page) if page else None,
        "counts": run.counts,
        "failures": failures,
        "summary": summary.to_dict(),
    }
    output.result(document, lambda: summary if sys.stdout.isatty() else summary.to_text())
    output.show(f"\nrun     {run.folder}" + (f"\nreport  {page}" if page else ""))
    for text in failures:
        output.warn(f"a strategy stopped: {text}")
    return Exit.PARTIAL if failures else Exit.OK
