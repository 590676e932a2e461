"""A moving-average crossover over one-minute bars, as a whole process."""

from __future__ import annotations

from collections.abc import Iterator

from mainspring.bench import peers
from mainspring.bench.cold import program_seconds
from mainspring.bench.registry import Session
from mainspring.bench.result import Measurement
from mainspring.bench.timing import in_turn

ENGINES = ("vectorbt", "backtesting", "nautilus_trader", "backtrader")
SIDES = {"seconds": "crossover_native.py", "seconds_python": "crossover_python.py"}


def bars(session: Session) -> Iterator[Measurement]:
    """Native (`seconds`) and in plain Python (`seconds_python`), beside four engines run once."""
    path = str(session.workload.bar_file())
    ours = in_turn(
        {
            metric: lambda program=program: program_seconds(program, path)  # type: ignore[misc]
            for metric, program in SIDES.items()
        },
        session.repeats,
    )
    folder = str(session.workload.folder)
    found = {engine: version for engine in ENGINES if (version := session.peer(engine))}
    theirs = {engine: peers.run("bars.py", folder, engine)[0] for engine in found}
    for metric, value in ours.items():
        if not theirs:
            yield Measurement("bars", metric, "s", value, ENGINES[0])
        for engine, seconds in theirs.items():
            yield Measurement("bars", metric, "s", value, engine, seconds, {engine: found[engine]})
