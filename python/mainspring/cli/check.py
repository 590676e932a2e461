"""`mainspring check`: is a strategy deterministic, and does it keep from looking ahead?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from cyclopts import App

from mainspring.cli import market_data, run_options
from mainspring.cli.app import verb_app
from mainspring.cli.exits import Exit
from mainspring.cli.output import Output
from mainspring.cli.run_options import RunOptions, Words, prepare
from mainspring.errors import InvalidValue, MainspringError

app = verb_app("check", summary="Test a strategy for determinism and lookahead.")
determinism_app = verb_app("check determinism", "[STRATEGY]")
lookahead_app = verb_app("check lookahead", "[STRATEGY]")
app.command(determinism_app, name="determinism")
app.command(lookahead_app, name="lookahead")

_VERBS = {"determinism": determinism_app, "lookahead": lookahead_app}

HASH_SEEDS = ("0", "1", "4242", "random")


def extend_help(_app: App, tokens: Sequence[str]) -> None:
    """Adds the strategy's own parameters to the help of the verb after `check`."""
    if tokens[0] in _VERBS:
        run_options.extend_help(_VERBS[tokens[0]], tokens[1:])


@determinism_app.default
def determinism(
    *words: Words,
    options: RunOptions | None = None,
    times: int = 3,
    output: Output | None = None,
) -> int:
    """Run a strategy in fresh processes with other hash seeds and thread counts, and compare.

    Exits 8 when two runs differ, and names the first event that does.

    Parameters
    ----------
    words
        The strategy and flags of its parameters.
    options
        Flags of a run.
    times
        How many runs.
    output
        Flags of every verb.
    """
    from mainspring import Run
    from mainspring.backtesting.replay import first_difference

    output = output or Output()
    if times < 2:
        raise InvalidValue(f"--times {times}: two runs at least are needed to compare")
    prepare(words, options or RunOptions())  # its faults are told here, once
    with tempfile.TemporaryDirectory() as folder, output.progress("check", times, "runs") as bar:
        runs = []
        for index in range(times):
            seed = HASH_SEEDS[index % len(HASH_SEEDS)]
            env = {"PYTHONHASHSEED": seed, "OMP_NUM_THREADS": str(1 + index % 2)}
            runs.append(Run.load(_backtest(output, Path(folder) / str(index), env=env)))
            bar.update(index + 1)
        found = (first_difference(runs[0], run) for run in runs[1:])
        difference = next((one for one in found if one is not None), None)
    document = {
        "deterministic": difference is None,
        "runs": [run.hash for run in runs],
        "difference": asdict(difference) if difference else None,
    }
    good = f"deterministic: {times} runs in fresh processes, hash {runs[0].hash[:16]}"
    output.result(document, lambda: f"not deterministic: {difference}" if difference else good)
    return Exit.MISMATCH if difference else Exit.OK


@lookahead_app.default
def lookahead(
    *words: Words,
    options: RunOptions | None = None,
    cuts: int = 3,
    output: Output | None = None,
) -> int:
    """Cut the future off the data and see whether the strategy's past changes.

    The strategy runs over all of the data, and over its beginning alone, in processes where the
    rest does not exist: whatever opens the data through Mainspring gets the cut copy. An order or a
    fill before the cut that differs was decided by what came after it. Exits 8 then, and names it.

    Parameters
    ----------
    words
        The strategy and flags of its parameters.
    options
        Flags of a run.
    cuts
        At how many places the data is cut, evenly spread.
    output
        Flags of every verb.
    """
    from mainspring import Run

    output = output or Output()
    if cuts < 1:
        raise InvalidValue(f"--cuts {cuts}: cut at one place at least")
    job = prepare(words, options or RunOptions())
    sources = market_data.open_all(job.config.run.data)
    findings = []
    with (
        tempfile.TemporaryDirectory() as name,
        output.progress("check", cuts + 1, "runs") as bar,
    ):
        folder = Path(name)
        whole = Run.load(_backtest(output, folder / "whole"))
        first, last = whole.span_ns
        for index in range(1, cuts + 1):
            bar.update(index)
            cut_ns = first + (last - first) * index // (cuts + 1)
            replaced, known_until_ns = _cut(sources, cut_ns, folder / f"cut{index}")
            part = Run.load(_backtest(output, folder / f"part{index}", replaced=replaced))
            findings += _differences(whole, part, known_until_ns)
            bar.update(index + 1)
    document = {"looks_ahead": bool(findings), "cuts": cuts, "findings": findings}
    good = f"no lookahead found: {cuts} cuts, every order and fill before them is the same"
    output.result(document, lambda: "\n".join(one["text"] for one in findings) or good)
    return Exit.MISMATCH if findings else Exit.OK


def _backtest(
    output: Output,
    out: Path,
    *,
    env: dict[str, str] | None = None,
    replaced: Path | None = None,
) -> Path:
    """Runs the same words as `mainspring backtest` in a fresh process; returns the run's folder.

    Raises:
        MainspringError: it failed; with what it said.
    """
    start = ["mainspring"] if replaced is None else ["mainspring.cli.probe", str(replaced)]
    command = [sys.executable, "-m", *start, "backtest", *_words(), "--json", "--no-report"]
    done = subprocess.run(
        [*command, "--out", str(out)],
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in (Exit.OK, Exit.PARTIAL):
        raise MainspringError(f"the strategy's run failed: {_failure(done.stdout, done.stderr)}")
    return Path(json.loads(done.stdout)["run"])


def _words() -> Sequence[str]:
    """The words after `mainspring check determinism`, without the flags that are this verb's."""
    words = list(sys.argv[sys.argv.index("check") + 2 :])
    kept = []
    while words:
        word = words.pop(0)
        if word in ("--times", "--cuts"):
            words.pop(0)
        elif word.partition("=")[0] not in ("--times", "--cuts", "--json", "--quiet", "--debug"):
            kept.append(word)
    return kept


def _failure(out: str, err: str) -> str:
    try:
        return str(json.loads(out)["error"]["message"])
    except (ValueError, KeyError):
        return err.strip() or out.strip() or "it printed nothing"


def _cut(sources: Sequence[Any], cut_ns: int, folder: Path) -> tuple[Path, int]:
    """Copies of the files up to `cut_ns`, and the time before which nothing can differ by rights.

    A row that is received after the cut may have happened at the venue before it; from then on the
    venue's answers may differ.
    """
    from mainspring.data.convert import cut

    folder.mkdir()
    replaced = {}
    known_until_ns = cut_ns
    for index, part in enumerate(part for source in sources for part in source.parts):
        copy = cut(part, cut_ns, folder / f"{index}.mse")
        replaced[str(part.paths[0].resolve())] = str(copy.paths[0])
        removed = part.read(start=cut_ns).to_numpy()
        if "exch_ns" in removed and len(removed["exch_ns"]):
            known_until_ns = min(known_until_ns, int(removed["exch_ns"].min()))
    file = folder / "replaced.json"
    file.write_text(json.dumps(replaced), encoding="utf-8")
    return file, known_until_ns


def _differences(whole: Any, part: Any, until_ns: int) -> list[dict[str, Any]]:
    """The first row before `until_ns` of orders and of fills that the cut has changed."""
    findings = []
    for name in ("orders", "fills"):
        all_rows, some = getattr(whole, name).to_numpy(), getattr(part, name).to_numpy()
        sides = [{c: v[side["time_ns"] < until_ns] for c, v in side.items()}
                 for side in (all_rows, some)]  # fmt: skip
        row = _first_unequal(*sides)
        if row is not None:
            times = [int(side["time_ns"][row]) for side in sides if row < len(side["time_ns"])]
            text = f"{name}, row {row}, at {min(times)} ns: another without what came after it"
            findings.append({"table": name, "row": row, "time_ns": min(times), "text": text})
    return findings


def _first_unequal(one: dict[str, Any], other: dict[str, Any]) -> int | None:
    lengths = len(one["time_ns"]), len(other["time_ns"])
    common = min(lengths)
    differs = np.zeros(common, dtype=bool)
    for column, values in one.items():
        left, right = values[:common], other[column][:common]
        both_nan = (left != left) & (right != right)  # noqa: PLR0124 - NaN alone differs from itself
        differs |= (left != right) & ~both_nan
    if differs.any():
        return int(np.argmax(differs))
    return common if lengths[0] != lengths[1] else None
