"""`mainspring replay`: a stored run again, and whether it is the same."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from mainspring.cli import market_data, stored_runs
from mainspring.cli.app import Flag, verb_app
from mainspring.cli.exits import Exit
from mainspring.cli.output import Output

app = verb_app("replay", "[RUN]")


@app.default
def replay(
    run: str = stored_runs.LATEST,
    /,
    *,
    verify: Flag = False,
    data: list[str] | None = None,
    out: Path | None = None,
    output: Output | None = None,
) -> int:
    """Run a stored run again: the same data, configuration, strategies and parameters.

    With `--verify` it exits 8 at the first difference, and names it: the event, or the input that
    has changed since.

    Parameters
    ----------
    run
        Its folder, its name under `runs/`, the beginning of the name, or `latest`.
    verify
        Compare with the stored run, record by record.
    data
        Event files in place of those that the run names, where they have moved.
    out
        Folder to store the new run in; it is not stored without it.
    output
        Flags of every verb.
    """
    from mainspring.backtesting import replay as replaying

    output = output or Output()
    stored = stored_runs.load(run)
    sources = market_data.open_all(data) if data else None
    rows = stored.counts.get("rows")
    with output.progress("replay", rows, "rows") as bar:
        again = replaying.replay(
            stored, data=sources, out=out, progress=lambda done, _time_ns: bar.update(done)
        )
    difference = replaying.first_difference(stored, again)
    changed = replaying.changed_input(stored, again)
    document = {
        "stored": stored.hash,
        "again": again.hash,
        "same": difference is None,
        "difference": asdict(difference) if difference else None,
        "changed_input": changed.what if changed else None,
        "run": str(again.folder) if again.folder else None,
        "counts": again.counts,
    }
    seen = [f"the same to the bit, {stored.facts.records:,} records, hash {stored.hash[:16]}"]
    if difference is not None:
        seen = [str(difference)]
    if changed is not None and changed != difference:
        seen.append(f"the {changed.what} has changed since the run was stored")
    output.result(document, lambda: "\n".join(seen))
    return Exit.MISMATCH if verify and difference is not None else Exit.OK
