"""`mainspring simulate`: the engine under faults, by seed."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from mainspring.cli.app import verb_app
from mainspring.cli.exits import Exit
from mainspring.cli.output import Output, cell, table
from mainspring.errors import InvalidValue

if TYPE_CHECKING:
    from mainspring.simulation import Outcome

app = verb_app("simulate", "")


@app.default
def simulate(
    *,
    seed: int | None = None,
    seeds: Annotated[str | None, Parameter(name="--seeds")] = None,
    steps: int = 2_000,
    output: Output | None = None,
) -> int:
    """Run a session against a venue, a network, a clock and a disk that fail, all from one seed.

    Exits with 8 when an invariant does not hold, and prints the line that reproduces it. With
    `--json` each seed is one JSON object on a line of its own.

    Parameters
    ----------
    seed
        One seed.
    seeds
        A range of seeds, `A..B`, B included.
    steps
        Market messages with faults in each seed; a quiet end follows.
    output
        Flags of every verb.
    """
    from mainspring.simulation import simulate as run

    output = output or Output()
    wanted = _wanted(seed, seeds)
    outcomes: list[Outcome] = []
    with output.progress("simulating", len(wanted), "seeds") as bar:
        for one in wanted:
            outcomes.append(run(one, steps=steps))
            bar.update(len(outcomes))
            if output.json:
                sys.stdout.write(json.dumps(asdict(outcomes[-1])) + "\n")
    output.show(_table(outcomes))
    broken = [outcome for outcome in outcomes if outcome.violation]
    for outcome in broken[:10]:
        output.warn(f"seed {outcome.seed}: {outcome.violation}")
        output.warn(f"reproduce with: mainspring simulate --seed {outcome.seed} --steps {steps}")
    return Exit.MISMATCH if broken else Exit.OK


def _wanted(seed: int | None, seeds: str | None) -> range:
    if (seed is None) == (seeds is None):
        raise InvalidValue("give either --seed N or --seeds A..B")
    if seed is not None:
        return range(seed, seed + 1)
    first, dots, last = str(seeds).partition("..")
    if not (dots and first.isdigit() and last.isdigit() and int(first) <= int(last)):
        raise InvalidValue(f"--seeds {seeds}: give a range such as 0..299")
    return range(int(first), int(last) + 1)


def _table(outcomes: list[Outcome]) -> Any:
    faults: Counter[str] = Counter()
    for outcome in outcomes:
        faults.update(outcome.faults)
    held = sum(outcome.violation is None for outcome in outcomes)
    rows = [
        ("seeds that held", f"{held} of {len(outcomes)}"),
        ("events", cell(sum(outcome.events for outcome in outcomes))),
        ("processes started", cell(sum(outcome.lives for outcome in outcomes))),
        ("requests sent", cell(sum(outcome.orders for outcome in outcomes))),
        ("fills", cell(sum(outcome.fills for outcome in outcomes))),
        *((f"fault: {name}", cell(count)) for name, count in faults.items()),
    ]
    return table("simulation", ("", ""), rows)
