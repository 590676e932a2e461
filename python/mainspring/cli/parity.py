"""`mainspring parity`: a paper session again as a backtest, and whether it is the same."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from mainspring.cli.app import verb_app
from mainspring.cli.exits import Exit
from mainspring.cli.output import Output

app = verb_app("parity", "FOLDER")


@app.default
def parity(
    folder: Path,
    /,
    *,
    strategy: Annotated[list[str] | None, Parameter(negative="")] = None,
    out: Path | None = None,
    output: Output | None = None,
) -> int:
    """Run a paper session again as a backtest, and compare decisions, orders and fills.

    The session's market data becomes event files, and its strategies run over them with the same
    configuration. Exits 8 at the first difference, which is shown from both sides.

    Of a session against an outside venue, whose fills are inputs, decisions are compared, and each
    order's fills are put beside those of the models.

    Parameters
    ----------
    folder
        The session's folder.
    strategy
        `FILE.py:CLASS` or `native:NAME` in place of what the journal names; again for several.
    out
        Folder to keep the event files in.
    output
        Flags of every verb.
    """
    from mainspring import journal
    from mainspring.cli.strategy_file import load_strategy
    from mainspring.live import parity as run

    output = output or Output()
    given = [load_strategy(one)() for one in strategy] if strategy else None
    if not journal.open(folder).sources.config.get("paper", False):
        return _outside(folder, given, output)
    found = run(folder, given, out=out)
    output.result(found.to_dict(), lambda: str(found))
    return Exit.OK if found.same else Exit.MISMATCH


def _outside(folder: Path, strategy: Any, output: Output) -> int:
    from dataclasses import asdict

    from mainspring.live import model_fills, verify

    decisions, orders = verify(folder, strategy), model_fills(folder)
    document = {"decisions": asdict(decisions), "orders": [asdict(one) for one in orders.orders]}
    output.result(document, lambda: f"{decisions}\n{orders}")
    return Exit.MISMATCH if decisions.different else Exit.OK
