"""`mainspring demo`: the whole way in one command, without a network."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path
from typing import Any

from mainspring.cli.app import Flag, verb_app
from mainspring.cli.output import Output

app = verb_app("demo")

HOURS = 4.0
QUICK_HOURS = 0.5
MAKER_FEE, TAKER_FEE = "0", "0.0005"
PAPER_S, PAPER_SPEED = 2.0, 50.0


@app.default
def demo(
    *, quick: Flag = False, out: Path = Path("demo-out"), output: Output | None = None
) -> None:
    """Backtest a market maker on generated data, write its report, and trade it on paper.

    The paper session runs for two seconds on the built-in exchange; its journal is verified, and it
    is run again as a backtest.

    Parameters
    ----------
    quick
        Half an hour of market instead of four.
    out
        Folder for the run, its report and the paper session.
    output
        Flags of every verb.
    """
    import mainspring as ms
    from mainspring.cli.demo_strategy import MarketMaker

    output = output or Output()
    data = ms.sample("btcusdt", hours=QUICK_HOURS if quick else HOURS)
    with output.progress("backtest", data.rows, "rows") as bar:
        run = ms.backtest(
            MarketMaker(),
            data,
            latency=ms.Latency(entry="2ms", response="2ms"),
            fees=ms.Fees(maker=MAKER_FEE, taker=TAKER_FEE),
            out=out / "run",
            progress=lambda rows, _time_ns: bar.update(rows),
        )
    report = run.report(out / "report.html")
    summary = run.summary()
    document = {
        "run": str(run.folder),
        "report": str(report),
        "hash": run.hash,
        "counts": run.counts,
        "summary": summary.to_dict(),
    }
    trial = trade_on_paper(out / "paper", output)
    document["paper"] = trial
    output.result(document, lambda: summary if sys.stdout.isatty() else summary.to_text())
    output.show(_afterword(run.folder, report, trial))


def trade_on_paper(folder: Path, output: Output) -> dict[str, Any]:
    """A new paper session of some seconds on the built-in exchange, verified and run again.

    Raises:
        MismatchError: The session is not the same when it is run again.
    """
    from mainspring.cli.demo_strategy import PaperMarketMaker
    from mainspring.errors import MismatchError
    from mainspring.live import PaperVenue, paper, parity, verify

    # The session of an earlier demonstration would be gone on with.
    shutil.rmtree(folder, ignore_errors=True)
    venue = PaperVenue(speed=PAPER_SPEED)
    with (
        output.progress("paper", None, "rows") as bar,
        paper(PaperMarketMaker(), folder, venue=venue) as session,
    ):
        begun = time.monotonic()
        while time.monotonic() - begun < PAPER_S and session.wait(0.1):
            bar.update(session.status().rows)
        status = session.stop().status
    decisions, found = verify(folder), parity(folder)
    if decisions.different or not found.same:
        raise MismatchError(f"the paper session is not the same again:\n{decisions}\n{found}")
    return {
        "folder": str(folder),
        "rows": status.rows,
        "orders": status.orders,
        "fills": status.fills,
        "journal_records": decisions.records,
        "verified": str(decisions),
        "parity": str(found),
    }


def _afterword(folder: Path | None, report: Path, trial: dict[str, Any]) -> str:
    source = Path(__file__).with_name("demo_strategy.py")
    return f"""
A generated market, a maker fee of {MAKER_FEE} and 2 ms each way: a demonstration, not a promise.

On paper for {PAPER_S:g} s on the built-in exchange, {PAPER_SPEED:g} times as fast as in reality:
{trial["rows"]:,} market rows, {trial["orders"]:,} orders, {trial["fills"]:,} fills.
journal   {trial["verified"]}
parity    {trial["parity"]}

run       {folder}
paper     {trial["folder"]}
report    {report}    open it in a browser
strategy  {source}
next      mainspring init my-strategy
"""
