"""`mainspring report`: the HTML report of a stored run."""

from __future__ import annotations

from pathlib import Path

from mainspring.cli import stored_runs
from mainspring.cli.app import verb_app
from mainspring.cli.output import Output

app = verb_app("report", "[RUN]")


@app.default
def report(
    run: str = stored_runs.LATEST,
    /,
    *,
    out: Path | None = None,
    output: Output | None = None,
) -> None:
    """Write the HTML report of a stored run.

    Parameters
    ----------
    run
        Its folder, its name under `runs/`, the beginning of the name, or `latest`.
    out
        The file to write; `report.html` in the run's folder without it.
    output
        Flags of every verb.
    """
    output = output or Output()
    folder = stored_runs.find(run)
    target = out or folder / "report.html"
    loaded = stored_runs.load(str(folder))
    loaded.report(target)
    document = {"run": str(folder), "hash": loaded.hash, "report": str(target)}
    output.result(document, lambda: f"{target}  ({target.stat().st_size / 1e6:.1f} MB)")
