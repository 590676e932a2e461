"""From a strategy to results: backtest, report, compare, replay, sweep, check, demo."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import Cli
from mainspring.cli.exits import Exit

DATA = ("--data", "sample:btcusdt,hours=0.1")

STRATEGY = """
import mainspring as ms


class Joiner(ms.Strategy, every="1s"):
    size: ms.Qty = "0.01"
    fail_after: int = 0

    def on_start(self, m):
        self.calls = 0

    def on_book(self, m):
        self.calls += 1
        if self.fail_after and self.calls > self.fail_after:
            raise ValueError("enough")
        m.quote(bid=((m.bid, self.size),) if m.position <= 0 else (),
                ask=((m.ask, self.size),) if m.position >= 0 else ())
"""

COIN = """
import random
import mainspring as ms

class Coin(ms.Strategy, every="1s"):
    def on_book(self, m):
        m.target_position(0.01 if random.random() < 0.5 else -0.01)
"""

ORACLE = """
import numpy as np
import mainspring as ms

class Oracle(ms.Strategy, every="1s"):
    def on_start(self, m):
        trades = ms.sample("btcusdt", hours=0.1).read(kinds=["trade"]).to_numpy()
        self.times, self.prices = trades["recv_ns"], trades["price"]

    def on_book(self, m):
        later = np.searchsorted(self.times, m.time_ns + 60_000_000_000)
        rises = self.prices[min(later, len(self.prices) - 1)] > m.ask
        m.target_position(0.01 if rises else -0.01)
"""


@pytest.fixture
def strategy(tmp_path: Path) -> Path:
    path = tmp_path / "joiner.py"
    path.write_text(STRATEGY)
    return path


def run(cli: Cli, strategy: Path, *words: str) -> dict[str, object]:
    """A stored run."""
    done = cli("backtest", strategy.name, *DATA, "--no-report", "--json", *words)
    assert done.code == 0, done.err
    document: dict[str, object] = done.json
    return document


def test_a_backtest_stores_its_run_and_writes_the_report(
    cli: Cli, strategy: Path, tmp_path: Path
) -> None:
    done = cli("backtest", strategy.name, *DATA)
    assert done.code == 0, done.err
    assert "Profit and loss" in done.out
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name.startswith("joiner-")
    assert {path.name for path in folder.iterdir()} == {"outputs.mslog", "run.json", "report.html"}


def test_json_has_the_whole_result(cli: Cli, strategy: Path, tmp_path: Path) -> None:
    document = run(cli, strategy)
    assert set(document) == {"run", "hash", "report", "counts", "failures", "summary"}
    assert document["counts"]["fills"] > 0  # type: ignore[index]
    assert document["summary"]["money"]["fees"] > 0  # type: ignore[index]
    assert (tmp_path / str(document["run"]) / "run.json").is_file()


def test_the_same_run_again_takes_its_place(cli: Cli, strategy: Path, tmp_path: Path) -> None:
    first, second = run(cli, strategy), run(cli, strategy)
    assert first["hash"] == second["hash"]
    assert len(list((tmp_path / "runs").iterdir())) == 1


def test_parameters_and_settings_change_the_run(cli: Cli, strategy: Path) -> None:
    hashes = {
        str(run(cli, strategy, *words)["hash"])
        for words in (
            (),
            ("--size", "0.02"),
            ("--param", "size=0.03"),
            ("--entry-latency", "50ms"),
            ("--queue-model", "risk_averse"),
            ("--maker-fee", "0", "--taker-fee", "0.001"),
            ("--every", "5s"),
        )
    }
    assert len(hashes) == 7


def test_a_run_over_a_window_in_another_currency(cli: Cli, strategy: Path) -> None:
    window = ("--start", "2025-01-06T00:01", "--end", "2025-01-06T00:03:00Z")
    money = ("--rate", "USDT/EUR=0.5", "--report-currency", "EUR")
    done = run(cli, strategy, *window, *money)
    summary = done["summary"]
    assert isinstance(summary, dict)
    assert summary["start_ns"] == 1_736_121_660_000_000_000
    assert summary["end_ns"] == 1_736_121_780_000_000_000
    assert summary["currency"] == "EUR"
    assert summary["money"]["capital"] == pytest.approx(50_000)


def test_a_strategy_that_fails_keeps_its_results(cli: Cli, strategy: Path, tmp_path: Path) -> None:
    done = cli("backtest", strategy.name, *DATA, "--fail-after", "50", "--json")
    assert done.code == Exit.PARTIAL
    (failure,) = done.json["failures"]
    assert "joiner.py:15" in failure
    assert "ValueError: enough" in failure
    assert done.json["counts"]["orders"] > 0
    assert "Traceback" not in done.err
    assert (tmp_path / done.json["run"] / "run.json").is_file()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("backtest",), Exit.USAGE, "no strategy given"),
        (("backtest", "absent.py", *DATA), Exit.USAGE, "no strategy file absent.py"),
        (("backtest", "joiner.py"), Exit.USAGE, "no data given"),
        (("backtest", "joiner.py", "--data", "absent.mse"), Exit.USAGE, "absent.mse"),
        (("backtest", "joiner.py", "--data", "sample:none"), Exit.USAGE, "no sample market"),
        (("backtest", "joiner.py", "--data", "joiner.py"), Exit.ERROR, "joiner.py"),
        (("backtest", "joiner.py", *DATA, "--sise", "1"), Exit.USAGE, "did you mean --size?"),
        (("backtest", "joiner.py", *DATA, "--size", "nan"), Exit.USAGE, "finite"),
        (("backtest", "joiner.py", *DATA, "--every", "7"), Exit.USAGE, "--every"),
        (("backtest", "joiner.py", *DATA, "--queue-model", "x"), Exit.USAGE, "--queue-model"),
        (("backtest", "joiner.py", *DATA, "--maker-fee", "0"), Exit.CONFIG, "taker fee is missing"),
        (("backtest", "joiner.py", *DATA, "--config", "no.toml"), Exit.USAGE, "no.toml"),
        (("backtest", "joiner.py", *DATA, "--start", "soon"), Exit.USAGE, "no ISO 8601 time"),
        (
            ("backtest", "joiner.py", *DATA, "--start", "2031-01-01"),
            Exit.CONFIG,
            "the data is from",
        ),
        (("backtest", "joiner.py", *DATA, "--rate", "EUR"), Exit.USAGE, "FROM/TO=number"),
        (("backtest", "joiner.py", *DATA, "--rate", "EUR/USD=-1"), Exit.USAGE, "greater than 0"),
        (("backtest", "joiner.py", *DATA, "--report-currency", "EUR"), Exit.CONFIG, "--rate"),
        (("report", "absent"), Exit.USAGE, "no run 'absent'"),
        (("compare", "a", "b"), Exit.USAGE, "no run 'a'"),
        (("replay", "absent"), Exit.USAGE, "no run 'absent'"),
        (("sweep", "joiner.py", *DATA, "--grid", "size"), Exit.USAGE, "name=a,b,c"),
        (("sweep", "joiner.py", *DATA, "--grid", "sise=1,2"), Exit.CONFIG, "no parameter 'sise'"),
        (("bench", "absent"), Exit.USAGE, "no benchmark 'absent'"),
    ],
)
def test_bad_input_gets_one_clear_line_and_its_code(
    cli: Cli, strategy: Path, words: tuple[str, ...], code: Exit, said: str
) -> None:
    done = cli(*words)
    assert done.code == code, done.err
    assert said in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert done.out == ""


def test_nothing_is_left_of_a_backtest_that_could_not_start(
    cli: Cli, strategy: Path, tmp_path: Path
) -> None:
    assert cli("backtest", strategy.name, "--data", "joiner.py").code == Exit.ERROR
    assert not (tmp_path / "runs").exists() or not list((tmp_path / "runs").iterdir())


def test_report_of_the_latest_run(cli: Cli, strategy: Path, tmp_path: Path) -> None:
    folder = tmp_path / str(run(cli, strategy)["run"])
    done = cli("report")
    assert done.code == 0, done.err
    assert (folder / "report.html").stat().st_size > 100_000
    assert cli("report", folder.name[:9], "--out", "mine.html").code == 0
    assert (tmp_path / "mine.html").is_file()


def test_compare(cli: Cli, strategy: Path) -> None:
    names = [Path(str(run(cli, strategy, "--size", size)["run"])).name for size in ("0.01", "0.02")]
    done = cli("compare", *names, "--html", "table.html")
    assert done.code == 0, done.err
    assert all(name in done.out for name in names)
    assert cli("compare", *names, "--json").json["names"] == names


def test_replay_is_the_same_to_the_bit(cli: Cli, strategy: Path) -> None:
    run(cli, strategy)
    done = cli("replay", "--verify", "--json")
    assert done.code == 0, done.err
    assert done.json["same"] is True


def test_replay_names_what_differs(cli: Cli, strategy: Path) -> None:
    run(cli, strategy)
    strategy.write_text(STRATEGY.replace("m.position <= 0", "m.position < 0"))
    done = cli("replay", "--verify")
    assert done.code == Exit.MISMATCH
    assert cli("replay").code == 0
    assert cli("replay", "--verify", "--json").json["same"] is False


def test_a_stored_run_that_was_changed_is_refused(cli: Cli, strategy: Path, tmp_path: Path) -> None:
    log = tmp_path / str(run(cli, strategy)["run"]) / "outputs.mslog"
    content = bytearray(log.read_bytes())
    content[len(content) // 2] ^= 1
    log.write_bytes(content)
    done = cli("replay", "--verify")
    assert done.code in (Exit.ERROR, Exit.MISMATCH)
    assert "Traceback" not in done.err


def test_sweep_ranks_and_goes_on_where_it_was(cli: Cli, strategy: Path, tmp_path: Path) -> None:
    words = ("sweep", strategy.name, *DATA, "--jobs", "2", "--out", "grid", "--json")
    small = cli(*words, "--grid", "size=0.01,0.02")
    assert small.code == 0, small.err
    assert len(small.json["trials"]) == 2
    grown = cli(*words, "--grid", "size=0.01:0.04:0.01")
    assert grown.code == 0, grown.err
    assert len(grown.json["trials"]) == 4
    assert grown.json["trials"][0] == small.json["trials"][0]
    assert grown.json["statistics"]["n_trials"] == 4


def test_sweep_ranks_by_any_figure_and_starts_afresh(cli: Cli, strategy: Path) -> None:
    words = ("sweep", strategy.name, *DATA, "--jobs", "1", "--out", "grid", "--json")
    grid = ("--grid", "size=0.01,0.02,0.03")
    by_fees = cli(*words, *grid, "--metric", "fees")
    assert by_fees.code == 0, by_fees.err
    fees = [one["figures"]["fees"] for one in by_fees.json["trials"]]
    assert by_fees.json["metric"] == "fees"
    assert by_fees.json["best"] == fees.index(max(fees))
    unknown = cli(*words, *grid, "--metric", "colour")
    assert unknown.code in (Exit.USAGE, Exit.CONFIG)
    assert json.loads(unknown.out)["error"]["message"].count("sharpe")
    # A changed note is taken over by the same command, and not with --fresh.
    notes = strategy.parent / by_fees.json["folder"] / "trials.jsonl"
    noted = notes.read_text()
    changed = noted.replace(f'"metric": {json.dumps(fees[0])}', '"metric": 7777.0')
    assert changed != noted
    notes.write_text(changed)
    taken = cli(*words, *grid, "--metric", "fees").json["trials"][0]["metric"]
    again = cli(*words, *grid, "--metric", "fees", "--fresh").json["trials"][0]["metric"]
    assert (taken, again) == (7777.0, fees[0])


def test_check_determinism(cli: Cli, strategy: Path, tmp_path: Path) -> None:
    good = cli("check", "determinism", strategy.name, *DATA, "--runs", "2")
    assert good.code == 0, good.err
    (tmp_path / "coin.py").write_text(COIN)
    bad = cli("check", "determinism", "coin.py", *DATA, "--runs", "2")
    assert bad.code == Exit.MISMATCH, bad.err


def test_check_lookahead(cli: Cli, strategy: Path, tmp_path: Path) -> None:
    good = cli("check", "lookahead", strategy.name, *DATA, "--cuts", "2")
    assert good.code == 0, good.err
    (tmp_path / "oracle.py").write_text(ORACLE)
    bad = cli("check", "lookahead", "oracle.py", *DATA, "--cuts", "2", "--json")
    assert bad.code == Exit.MISMATCH, bad.err
    assert bad.json["passed"] is False


def test_native_strategies_run_by_name(cli: Cli) -> None:
    words = ("--size", "0.01", "--max-position", "0.05", "--every", "1s")
    done = cli("backtest", "native:TouchMaker", *DATA, *words, "--no-report", "--json")
    assert done.code == 0, done.err
    assert done.json["counts"]["orders"] > 0


def test_help_shows_the_strategys_parameters(cli: Cli, strategy: Path) -> None:
    done = cli("backtest", strategy.name, "--help")
    assert "Parameters of Joiner" in done.out
    assert "--fail-after" in done.out


def test_demo(cli: Cli, tmp_path: Path) -> None:
    done = cli("demo", "--quick")
    assert done.code == 0, done.err
    assert "Profit and loss" in done.out
    assert (tmp_path / "demo-out/report.html").is_file()
    assert cli("replay", "demo-out/run", "--verify").code == 0


def test_ctrl_c_stops_cleanly(strategy: Path, tmp_path: Path) -> None:
    strategy.write_text(STRATEGY.replace("self.calls += 1", "self.calls += 1; time.sleep(0.05)"))
    strategy.write_text("import time\n" + strategy.read_text())
    command = [sys.executable, "-m", "mainspring", "backtest", strategy.name, *DATA, "--quiet"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    _wait_for_a_run(tmp_path / "runs")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == Exit.INTERRUPTED, err
    assert "Traceback" not in err
    left = [path.name for path in (tmp_path / "runs").iterdir()]
    assert all(not name.startswith(".") for name in left)
    for name in left:  # what is there is whole
        facts = json.loads((tmp_path / "runs" / name / "run.json").read_text())
        assert facts["ended"]


def _wait_for_a_run(folder: Path) -> None:
    deadline = time.monotonic() + 60
    while not (folder.is_dir() and os.listdir(folder)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(0.5)
