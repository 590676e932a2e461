"""`mainspring bench`: the committed benchmarks."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

from cyclopts import Parameter

from mainspring.cli.app import Flag, verb_app
from mainspring.cli.exits import Exit
from mainspring.cli.output import Output, cell, table
from mainspring.errors import InvalidValue, MainspringError

app = verb_app("bench", "[NAME...]")


@app.default
def bench(
    *names: str,
    list_: Annotated[Flag, Parameter(name="--list")] = False,
    repeats: int = 5,
    smoke: Flag = False,
    peers: Annotated[bool, Parameter(negative="--no-peers")] = True,
    output: Output | None = None,
) -> int:
    """Measure this engine, beside its peers where they are installed (`make bench` installs them).

    With `--json` each figure is one JSON object on a line of its own, as soon as it is known. A
    benchmark that fails is told, and the others go on (exit 7).

    Parameters
    ----------
    names
        Benchmarks; all without any. `--list` names them.
    list_
        Name the benchmarks and their metrics instead.
    repeats
        How often each side is measured; medians count.
    smoke
        A hundredth of the work, once: shows that it runs, the figures mean nothing.
    peers
        Whether peers are measured too.
    output
        Flags of every verb.
    """
    from mainspring.bench import Session, benchmarks, find

    output = output or Output()
    if repeats < 1:
        raise InvalidValue(f"--repeats {repeats}: measure at least once")
    chosen = [find(name) for name in names] or list(benchmarks())
    if list_:
        listed = [{"name": b.name, "metrics": list(b.metrics), "what": b.summary} for b in chosen]
        output.result(listed, lambda: _list_table(listed))
        return Exit.OK
    session = Session.open(repeats=repeats, smoke=smoke, with_peers=peers)
    measured: list[dict[str, Any]] = []
    failed = 0
    for benchmark in chosen:
        output.note(f"{benchmark.name}: {benchmark.summary}")
        try:
            for measurement in benchmark.run(session):
                measured.append(measurement.document())
                if output.json:
                    sys.stdout.write(json.dumps(measured[-1]) + "\n")
                    sys.stdout.flush()
        except MainspringError as error:
            if len(chosen) == 1:
                raise
            failed += 1
            output.warn(f"{benchmark.name} failed: {error}")
    output.show(_figures_table(measured))
    return Exit.PARTIAL if failed else Exit.OK


def _list_table(listed: list[dict[str, Any]]) -> Any:
    rows = [(one["name"], ", ".join(one["metrics"]), one["what"]) for one in listed]
    return table("", ("benchmark", "metrics", "what"), rows)


def _figures_table(measured: list[dict[str, Any]]) -> Any:
    rows = [
        (
            one["name"],
            one["metric"],
            f"{cell(one['value'])} {one['unit']}",
            one["peer"] or "-",
            cell(one["peer_value"]),
            cell(one["ratio"]),
        )
        for one in measured
    ]
    columns = ("benchmark", "metric", "ours", "peer", "peer's", "our speed / peer's")
    return table(measured[0]["machine"] if measured else "", columns, rows)
