"""`mainspring sweep`: a strategy over a grid of parameters."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
from cyclopts import Parameter

from mainspring.cli import market_data
from mainspring.cli.app import Flag, verb_app
from mainspring.cli.exits import Exit
from mainspring.cli.output import Output
from mainspring.cli.run_options import RunOptions, Words, extend_help, prepare
from mainspring.errors import InvalidValue

__all__ = ["app", "extend_help"]

app = verb_app("sweep", "[STRATEGY] --grid NAME=VALUES...")


@app.default
def sweep(
    *words: Words,
    grid: Annotated[list[str], Parameter(negative="")],
    options: RunOptions | None = None,
    metric: str = "sharpe",
    jobs: int | None = None,
    out: Path | None = None,
    fresh: Flag = False,
    rows: int = 10,
    output: Output | None = None,
) -> int:
    """Run a strategy over a grid of parameters on all cores.

    The table has the best trials by `--metric`; the deflated Sharpe ratio below it says how much
    of the best is more than the luck of having tried that many. Exits 7 when a trial failed.

    Parameters
    ----------
    words
        The strategy and flags of parameters that stay the same.
    grid
        Axis as `name=0.1,0.2,0.4`, or `name=0.1:0.5:0.1` (first, last, step); again for several.
    options
        Flags of a run.
    metric
        What to rank by: `sharpe`, `sortino`, `total_return`, `pnl`, `max_drawdown` and others.
    jobs
        Trials at once; the cores there are without it.
    out
        Folder that finished trials are noted in; the same command goes on there. A folder of
        `runs` named by the strategy without it.
    fresh
        Run trials again that are noted there.
    rows
        Trials to show, the best first.
    output
        Flags of every verb.
    """
    import mainspring as ms

    output = output or Output()
    job = prepare(words, options or RunOptions())
    folder = out or job.config.run.out / f"sweep-{job.strategy.__name__.lower()}"
    with output.progress("sweep", unit="trials") as bar:
        result = ms.sweep(
            job.strategy,
            market_data.open_all(job.config.run.data),
            dict(map(axis, grid)),
            fixed={k: v for k, v in job.parameters.items() if k not in _names(grid)},
            metric=metric,
            workers=jobs,
            out=folder,
            resume=not fresh,
            progress=bar.update,
            **job.settings(),
        )
    output.result({**result.to_dict(), "folder": str(folder)}, lambda: result.to_text(rows))
    output.show(f"\ntrials  {folder}")
    return Exit.PARTIAL if result.failures else Exit.OK


def axis(text: str) -> tuple[str, list[str]]:
    """The name and the values of `name=a,b,c` or `name=first:last:step`.

    Raises:
        InvalidValue: it is neither.
    """
    name, equals, values = text.partition("=")
    if not equals or not values:
        raise InvalidValue(f"--grid {text!r}: write name=a,b,c or name=first:last:step")
    if values.count(":") != 2:
        return name.replace("-", "_"), [value.strip() for value in values.split(",")]
    try:
        first, last, step = map(float, values.split(":"))
    except ValueError:
        raise InvalidValue(f"--grid {text!r}: first, last and step are numbers") from None
    if not (step > 0 and last >= first and np.isfinite([first, last]).all()):
        raise InvalidValue(f"--grid {text!r}: the step is positive and leads from first to last")
    count = int(np.floor((last - first) / step + 1e-9)) + 1
    return name.replace("-", "_"), [f"{first + i * step:.12g}" for i in range(count)]


def _names(grid: Sequence[str]) -> set[str]:
    return {axis(text)[0] for text in grid}
