"""The command line `mainspring`.

`main` finds the verb in a table and imports that verb's module alone, so that `mainspring --help`
imports nothing heavy and each verb only what it needs.
"""

from __future__ import annotations

import sys
from typing import NamedTuple


class Verb(NamedTuple):
    """A verb of the command line: the module that holds its `app`, and one line for the list."""

    module: str
    summary: str


VERBS = {
    "demo": Verb("demo", "Backtest a market maker on generated data and write its report"),
    "init": Verb("init", "Make a project: a strategy, its configuration and a test"),
    "doctor": Verb("doctor", "Check this machine and this installation"),
    "data": Verb("data", "List, import, check, describe and download market data"),
    "backtest": Verb("backtest", "Run a strategy over recorded market data"),
    "sweep": Verb("sweep", "Run a strategy over a grid of parameters on all cores"),
    "report": Verb("report", "Write the HTML report of a stored run"),
    "compare": Verb("compare", "Put stored runs side by side"),
    "parity": Verb(
        "parity", "Run a paper session again as a backtest and compare decisions and fills"
    ),
    "replay": Verb("replay", "Run a stored run again and verify that it is the same to the bit"),
    "bench": Verb("bench", "Measure this engine, beside its peers where they are installed"),
    "simulate": Verb(
        "simulate", "Run the engine against a venue, network and disk that fail, by seed"
    ),
    "paper": Verb("paper", "Trade a strategy on the built-in venue in real time"),
    "connect": Verb("connect", "Look at a venue before trading there: clock, key, rules, fees"),
    "live": Verb("live", "Trade a strategy on a venue, with real orders"),
    "lease": Verb("lease", "Cancel what a session left once it gives no sign of life"),
    "kill": Verb("kill", "Halt a running session: no new orders, everything open is cancelled"),
    "journal": Verb("journal", "Check, print and export the journal of a session"),
    "recover": Verb("recover", "Bring a session's journal to its last good record, and tell of it"),
    "state": Verb("state", "Show orders, positions and money of a session as of any moment"),
    "venue": Verb("venue", "Serve the built-in exchange as a venue that clients trade on"),
    "check": Verb("check", "Test a strategy for determinism and lookahead"),
    "config": Verb("config", "Show the configuration and its origins, check it, write its schema"),
    "events": Verb("events", "Show the typed events of a run or a session, past and as they come"),
    "store": Verb("store", "Make, keep and ask the SQLite store of a session or a run"),
}


def main(argv: list[str] | None = None) -> int:
    """Runs the command line; returns the exit code (`mainspring.cli.exits`)."""
    tokens = sys.argv[1:] if argv is None else argv
    if not tokens or tokens[0] in ("--help", "-h", "help"):
        if len(tokens) > 1 and tokens[0] == "help":
            return main([*tokens[1:], "--help"])
        sys.stdout.write(overview())
        return 0
    if tokens[0] in ("--version", "-V"):
        return _version()
    from mainspring.cli.dispatch import run_verb

    return run_verb(tokens)


def overview() -> str:
    """What `mainspring --help` prints."""
    width = max(map(len, VERBS))
    verbs = "\n".join(f"  {name:<{width}}  {verb.summary}" for name, verb in VERBS.items())
    return f"""\
Usage: mainspring VERB [OPTIONS]

A trading engine for people who write Python.

Verbs:
{verbs}

Every verb: --help, --json (one JSON document on stdout), --quiet (no progress, no prose),
--debug (the traceback of an error).
Exit codes: 0 ok, 1 error, 2 usage or not found, 3 not running, 4 config or credential,
5 timeout, 6 refused by risk, 7 partial, 8 mismatch, 130 interrupted.
"""


def _version() -> int:
    from mainspring import __version__

    sys.stdout.write(f"mainspring {__version__}\n")
    return 0
