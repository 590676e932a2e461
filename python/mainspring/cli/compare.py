"""`mainspring compare`: stored runs side by side."""

from __future__ import annotations

from pathlib import Path

from mainspring.cli import stored_runs
from mainspring.cli.app import verb_app
from mainspring.cli.output import Output

app = verb_app("compare", "RUN RUN...")


@app.default
def compare(
    first: str,
    second: str,
    /,
    *more: str,
    html: Path | None = None,
    output: Output | None = None,
) -> None:
    """Put stored runs side by side; differences are against the first.

    Parameters
    ----------
    first
        A run: its folder, its name under `runs/`, the beginning of the name, or `latest`.
    second
        Another.
    more
        More of them.
    html
        Write the table as one HTML file too.
    output
        Flags of every verb.
    """
    from mainspring.analytics import compare as compare_runs

    output = output or Output()
    folders = [stored_runs.find(name) for name in (first, second, *more)]
    comparison = compare_runs(
        [stored_runs.load(str(folder)) for folder in folders],
        [folder.name for folder in folders],
    )
    if html is not None:
        comparison.to_html(html)
    output.result(comparison.to_dict(), comparison.to_text)
