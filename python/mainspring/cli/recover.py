"""`mainspring recover`: a journal as a session would take it up."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mainspring.cli.app import Flag, verb_app
from mainspring.cli.exits import Exit
from mainspring.cli.journal import finding_text
from mainspring.cli.output import Output, cell, table
from mainspring.cli.state import state_text

app = verb_app("recover", "DIR")


@app.default
def recover(folder: Path, /, *, dry_run: Flag = False, output: Output | None = None) -> int:
    """Bring a journal to its last good record: what is damaged is cut, kept aside, and told.

    A session does the same by itself when it starts. Exits 7 when good records may have been lost
    with what was cut. Nothing runs: no strategy, no venue.

    Parameters
    ----------
    folder
        The journal's folder.
    dry_run
        Change nothing; tell what would be found.
    output
        Flags of every verb.
    """
    from mainspring import journal

    output = output or Output()
    opened = journal.open(folder)
    found = opened.recover(dry_run=dry_run)
    report = found["report"]
    output.result(found, lambda: _report(folder, report))
    if not output.json:
        for finding in report["findings"]:
            output.warn(finding_text(finding))
    output.show(state_text(found["state"]))
    damaged = any(finding["damage"] for finding in report["findings"])
    return Exit.PARTIAL if damaged else Exit.OK


def _report(folder: Path, report: Mapping[str, Any]) -> Any:
    snapshot = report["snapshot_sequence"]
    rows = [
        ("began with", "the first record" if snapshot is None else f"the snapshot of {snapshot}"),
        ("records read", cell(report["records"])),
        ("last good record", cell(report["last_sequence"])),
        ("places found", cell(len(report["findings"]))),
        ("bytes cut", cell(report["cut_bytes"])),
    ]
    return table(f"recovery of {folder}", ("", ""), rows)
