"""`mainspring replay`: a stored run again, and whether it is the same."""

from __future__ import annotations

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
    has changed since. A session's folder is verified as well: its strategies run again over the
    journal, and have to ask for the same.

    Parameters
    ----------
    run
        Its folder, its name under `runs/`, the beginning of the name, or `latest`; or the folder of
        a session.
    verify
        Compare with the stored run, record by record.
    data
        Event files in place of those that the run names, where they have moved.
    out
        Folder to store the new run in; it is not stored without it.
    output
        Flags of every verb.
    """
    import mainspring as ms

    output = output or Output()
    if is_session(Path(run)):
        return _session(Path(run), output, verify=verify)
    stored = stored_runs.load(run)
    sources = market_data.open_all(data) if data else None
    with output.progress("replay", stored.counts.get("rows"), "rows") as bar:
        result = ms.replay(
            stored,
            data=sources,
            verify=False,
            out=out,
            progress=lambda done, _time_ns: bar.update(done),
        )
    folder = str(result.again.folder) if result.again.folder else None
    document = {**result.to_dict(), "run": folder, "counts": result.again.counts}
    output.result(document, lambda: str(result))
    return Exit.MISMATCH if verify and not result.same else Exit.OK


def is_session(folder: Path) -> bool:
    """Whether a folder has a session's journal."""
    return folder.is_dir() and any(folder.glob("*.segment"))


def _session(folder: Path, output: Output, *, verify: bool) -> int:
    from dataclasses import asdict

    from mainspring.live import verify as rerun

    found = rerun(folder)
    output.result(asdict(found), lambda: str(found))
    return Exit.MISMATCH if verify and found.different else Exit.OK
