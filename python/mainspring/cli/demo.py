"""`mainspring demo`: the whole way in one command, without a network."""

from __future__ import annotations

import sys
from pathlib import Path

from mainspring.cli.app import Flag, verb_app
from mainspring.cli.output import Output

app = verb_app("demo")

HOURS = 4.0
QUICK_HOURS = 0.5
MAKER_FEE, TAKER_FEE = "0", "0.0005"


@app.default
def demo(
    *, quick: Flag = False, out: Path = Path("demo-out"), output: Output | None = None
) -> None:
    """Backtest a market maker on generated data and write its report.

    Parameters
    ----------
    quick
        Half an hour of market instead of four.
    out
        Folder for the run and its report.
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
    output.result(document, lambda: summary if sys.stdout.isatty() else summary.to_text())
    output.show(_afterword(run.folder, report))


def _afterword(folder: Path | None, report: Path) -> str:
    source = Path(__file__).with_name("demo_strategy.py")
    return f"""
A generated market, a maker fee of {MAKER_FEE} and 2 ms each way: a demonstration, not a promise.

run       {folder}
report    {report}    open it in a browser
strategy  {source}
next      mainspring init my-strategy
"""
