"""`mainspring check`: is a strategy deterministic, and does it keep from looking ahead?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from cyclopts import App, Parameter

from mainspring.cli import market_data, run_options
from mainspring.cli.app import verb_app
from mainspring.cli.exits import Exit
from mainspring.cli.output import Output
from mainspring.cli.run_options import RunOptions, Words, prepare

app = verb_app("check", summary="Test a strategy for determinism and lookahead.")
determinism_app = verb_app("check determinism", "[STRATEGY]")
lookahead_app = verb_app("check lookahead", "[STRATEGY]")
app.command(determinism_app, name="determinism")
app.command(lookahead_app, name="lookahead")

_VERBS = {"determinism": determinism_app, "lookahead": lookahead_app}


def extend_help(_app: App, tokens: Sequence[str]) -> None:
    """Adds the strategy's own parameters to the help of the verb after `check`."""
    if tokens[0] in _VERBS:
        run_options.extend_help(_VERBS[tokens[0]], tokens[1:])


@determinism_app.default
def determinism(
    *words: Words,
    options: RunOptions | None = None,
    runs: int = 3,
    output: Output | None = None,
) -> int:
    """Run a strategy in fresh processes with other hash seeds and thread counts, and compare.

    Exits 8 when two runs differ, and names the first event that does.

    Parameters
    ----------
    words
        The strategy and flags of its parameters.
    options
        Flags of a run.
    runs
        How many runs.
    output
        Flags of every verb.
    """
    from mainspring.backtesting.checks import check_determinism

    output = output or Output()
    job = prepare(words, options or RunOptions())
    data = market_data.open_all(job.config.run.data)
    with output.progress("check", unit="runs") as bar:
        found = check_determinism(
            job.strategy,
            data,
            runs=runs,
            parameters=job.parameters,
            progress=bar.update,
            **job.settings(),
        )
    output.result(found.to_dict(), lambda: str(found))
    return Exit.OK if found.passed else Exit.MISMATCH


@lookahead_app.default
def lookahead(
    *words: Words,
    options: RunOptions | None = None,
    cuts: int = 3,
    perturb: Annotated[bool, Parameter(negative="--no-perturb")] = True,
    output: Output | None = None,
) -> int:
    """Cut the future off the data, or change it, and see whether the strategy's past changes.

    The strategy runs over all of the data, and in processes where the data ends at a cut, or goes
    on otherwise: whatever opens the data through Mainspring gets that copy. An order or a fill
    before the cut that differs was decided by what came after it. Exits 8 then, and names it.

    Parameters
    ----------
    words
        The strategy and flags of its parameters.
    options
        Flags of a run.
    cuts
        At how many places the data is cut, evenly spread.
    perturb
        Whether to run with a changed future too.
    output
        Flags of every verb.
    """
    from mainspring.backtesting.checks import check_lookahead

    output = output or Output()
    job = prepare(words, options or RunOptions())
    data = market_data.open_all(job.config.run.data)
    with output.progress("check", unit="runs") as bar:
        found = check_lookahead(
            job.strategy,
            data,
            cuts=cuts,
            perturb=perturb,
            parameters=job.parameters,
            progress=bar.update,
            **job.settings(),
        )
    output.result(found.to_dict(), lambda: str(found))
    return Exit.OK if found.passed else Exit.MISMATCH
