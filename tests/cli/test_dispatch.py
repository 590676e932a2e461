"""What holds for every verb: help, exit codes, errors for people and for programs."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import Cli
from mainspring import errors
from mainspring.cli import VERBS, dispatch
from mainspring.cli.app import verb_app
from mainspring.cli.exits import Exit, code_of


def test_help_names_every_verb_and_exit_code(cli: Cli) -> None:
    done = cli("--help")
    assert done.code == 0
    for verb in VERBS:
        assert f"  {verb} " in done.out
    for code in Exit:
        assert f"{int(code)} " in done.out
    assert cli().out == done.out


def test_help_is_quick_and_imports_nothing_heavy(cli: Cli) -> None:
    code = "import sys; from mainspring.cli import main; main(['--help']); print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(out.stdout.splitlines()[-1].split())
    assert {"cyclopts", "rich", "numpy", "mainspring._core"} & loaded == set()
    started = time.perf_counter()
    assert cli("--help").code == 0
    assert time.perf_counter() - started < 1.0


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_the_common_flags(cli: Cli, verb: str) -> None:
    app = dispatch.load(verb)
    leaves = [name for name in app if not name.startswith("-")]
    words = [verb, leaves[0]] if leaves else [verb]
    done = cli(*words, "--help")
    assert done.code == 0, done.err
    for flag in ("--json", "--quiet", "--debug"):
        assert flag in done.out
    assert f"mainspring {verb}" in done.out


@pytest.mark.parametrize("verb", VERBS)
def test_an_unknown_flag_is_a_usage_error(cli: Cli, verb: str) -> None:
    done = cli(verb, "--no-such-flag")
    assert done.code == Exit.USAGE
    assert len(done.err.strip().splitlines()) == 1
    assert "Traceback" not in done.err


def test_an_unknown_verb_suggests_a_near_one(cli: Cli) -> None:
    done = cli("backtset")
    assert done.code == Exit.USAGE
    assert done.err == "mainspring: there is no verb 'backtset'. Did you mean `backtest`?\n"


def test_errors_as_json(cli: Cli) -> None:
    done = cli("nonsense", "--json")
    assert done.code == Exit.USAGE
    assert done.err == ""
    assert done.json["error"]["kind"] == "UsageError"
    assert done.json["error"]["exit_code"] == 2


def test_debug_shows_the_traceback(cli: Cli) -> None:
    assert "Traceback" in cli("nonsense", "--debug").err
    assert "Traceback" not in cli("nonsense").err


def test_version(cli: Cli) -> None:
    from mainspring import __version__

    assert cli("--version").out == f"mainspring {__version__}\n"


def test_output_to_a_closed_pipe_is_no_error() -> None:
    command = f"{sys.executable} -m mainspring doctor --json | head -c 1; echo ${{PIPESTATUS[0]}}"
    out = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert out.stdout.endswith("0\n")
    assert "Traceback" not in out.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.InvalidValue("x"), Exit.USAGE),
        (errors.NotFoundError("x"), Exit.USAGE),
        (errors.DataError("x"), Exit.ERROR),
        (errors.StorageError("x"), Exit.ERROR),
        (errors.ConfigError("x"), Exit.CONFIG),
        (errors.StrategyError("x"), Exit.ERROR),
        (errors.RiskError("x"), Exit.RISK),
        (errors.MismatchError("x"), Exit.MISMATCH),
        (errors.CapacityError("x"), Exit.ERROR),
        (errors.StaleView("x"), Exit.ERROR),
        (errors.InternalError("x"), Exit.ERROR),
        (errors.Interrupted("x"), Exit.INTERRUPTED),
        (KeyboardInterrupt(), Exit.INTERRUPTED),
        (TimeoutError("x"), Exit.TIMEOUT),
        (FileNotFoundError("x"), Exit.USAGE),
        (ZeroDivisionError("x"), Exit.ERROR),
    ],
)
def test_exit_code_of_every_error(error: BaseException, code: Exit) -> None:
    assert code_of(error) is code


def test_every_error_class_has_a_test_above() -> None:
    kinds = {one for one in vars(errors).values() if isinstance(one, type)}
    kinds.discard(errors.MainspringError)
    tested = {
        type(case[0])
        for mark in test_exit_code_of_every_error.pytestmark  # type: ignore[attr-defined]
        for case in mark.args[1]
    }
    assert kinds <= tested


def test_doctor_finds_this_machine_well(cli: Cli) -> None:
    done = cli("doctor", "--json")
    assert done.code == 0, done.out
    found = {one["name"]: one["state"] for one in done.json["findings"]}
    assert found["python"] == "ok"
    assert found["extension"] == "ok"
    assert done.json["ok"] is True


def test_quiet_prints_nothing_on_success(cli: Cli) -> None:
    done = cli("doctor", "--quiet")
    assert (done.code, done.out, done.err) == (0, "", "")


def test_the_reference_page_is_in_step() -> None:
    root = Path(__file__).resolve().parents[2]
    script = [sys.executable, str(root / "tools/cli_reference.py"), "--check"]
    assert subprocess.run(script, check=False).returncode == 0, "run `make docs`"


def test_tables_show_brackets_as_they_are() -> None:
    from io import StringIO

    from mainspring.cli.output import table
    from rich.console import Console

    out = StringIO()
    Console(file=out, width=80).print(table("", ["fix"], [["pip install 'mainspring[data]'"]]))
    assert "'mainspring[data]'" in out.getvalue()


def test_an_interrupt_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    app = verb_app("demo")

    @app.default
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(dispatch, "load", lambda _verb: app)
    assert dispatch.run_verb(["demo"]) == Exit.INTERRUPTED
    assert capsys.readouterr().err == "mainspring: interrupted\n"
