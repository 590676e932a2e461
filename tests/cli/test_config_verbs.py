"""`mainspring config`, `events` and `store` from the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import Cli
from mainspring.simulation import write_journal


def test_show_says_where_each_value_is_from(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "mainspring.toml").write_text('[run]\nevery = "1s"\nout = "a"\n')
    done = cli(
        "config", "show", "--json", "-e", "run.sample=2s",
        MAINSPRING_RUN__OUT="b", MAINSPRING_CREDENTIALS__OKX__SECRET="hunter2",
    )  # fmt: skip
    assert done.code == 0, done.err
    found = {one["key"]: one for one in done.json}
    assert found["run.every"]["origin"] == {
        "source": "file", "where": "mainspring.toml", "line": 2
    }  # fmt: skip
    assert found["run.out"]["origin"]["where"] == "MAINSPRING_RUN__OUT"
    assert found["run.sample"]["origin"]["source"] == "command line"
    assert found["events.history"]["origin"]["source"] == "default"
    assert found["credentials.okx.secret"]["value"] == "**********"
    assert "hunter2" not in done.out + done.err
    text = cli("config", "show", "--changed")
    assert "mainspring.toml:2" in text.out
    assert "queue_model" not in text.out


def test_check_names_every_fault_and_exits_4(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('[run]\nevry = "1s"\n[limits]\nmax_position = -1\n')
    done = cli("config", "check", "a.toml")
    assert done.code == 4
    assert "a.toml:2: run.evry: there is no such key; did you mean run.every?" in done.err
    assert "a.toml:4: limits.max_position" in done.err
    document = cli("config", "check", "a.toml", "--json").json
    assert [one["key"] for one in document["error"]["faults"]] == [
        "run.evry",
        "limits.max_position",
    ]
    assert cli("config", "check", "absent.toml").code == 2


def test_check_against_what_runs(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "old.toml").write_text("[limits]\nmax_position = 5\n[parameters]\nx = 1\n")
    (tmp_path / "new.toml").write_text("[limits]\nmax_position = 9\n[parameters]\nx = 2\n")
    done = cli("config", "check", "new.toml", "--against", "old.toml", "--json")
    assert done.code == 7
    assert {one["key"]: one["effect"] for one in done.json["changes"]} == {
        "limits.max_position": "refused", "parameters.x": "now"
    }  # fmt: skip
    allowed = cli("config", "check", "new.toml", "--against", "old.toml", "--reason", "more money")
    assert allowed.code == 0


def test_the_schema_is_printed(cli: Cli) -> None:
    schema = cli("config", "schema").json
    assert schema["additionalProperties"] is False
    assert schema["$defs"]["LimitsSection"]["properties"]["max_position"]["x-reload"] == "tighten"


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    folder = tmp_path / "journal"
    write_journal(folder, 10, steps=200)
    return folder


def test_events_of_a_journal(cli: Cli, journal: Path) -> None:
    done = cli("events", "journal", "--type", "order_filled", "--json")
    assert done.code == 0, done.err
    fills = done.json
    assert fills
    assert {one["event"] for one in fills} == {"OrderFilled"}
    number = fills[0]["order_id"]
    chain = cli("events", "journal", "--order", str(number), "--json").json
    assert chain[0]["event"] == "OrderCreated"
    assert {one["correlation"] for one in chain} == {fills[0]["correlation"]}
    last = cli("events", "journal", "--last", "2")
    assert len(last.out.strip().splitlines()) == 2
    wrong = cli("events", "journal", "--type", "OrderFiled")
    assert wrong.code == 2
    assert "did you mean OrderFilled?" in wrong.err
    assert cli("events", "nowhere").code == 2


def test_following_a_journal_that_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    write_journal(folder, 2, steps=50)
    process = subprocess.Popen(
        [sys.executable, "-m", "mainspring", "events", str(folder), "--follow", "--json"],
        stdout=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    )
    assert process.stdout is not None
    first = json.loads(process.stdout.readline())
    assert first["event"] == "SessionStarted"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 130


def test_a_store_is_made_kept_and_asked(cli: Cli, journal: Path, tmp_path: Path) -> None:
    made = cli("store", "rebuild", "journal", "--json")
    assert made.code == 0, made.err
    document = made.json
    assert document["store"] == "mainspring.db"
    rows = cli("store", "query", "fills", "--json").json
    assert rows
    one = cli("store", "query", "fills", "--last", "1", "--json").json
    assert one == rows[-1:]
    number = rows[0]["order_id"]
    steps = cli("store", "query", "transitions", "--where", f"order_id={number}", "--json")
    assert steps.json[0]["new"] == "created"
    counted = cli("store", "query", "SELECT COUNT(*) AS n FROM fills", "--json")
    assert counted.json == [{"n": len(rows)}]
    assert "qty" in cli("store", "query", "orders", "--last", "3").out
    assert cli("store", "query", "DELETE FROM fills").code == 2
    assert cli("store", "query", "nothing").code == 2
    assert cli("store", "query", "fills", "--path", "absent.db").code == 2
    kept = cli("store", "follow", "journal", "--once", "--json", "--path", "kept.db")
    assert kept.json["lag"] == 0
    assert kept.json["position"] == document["position"]


def test_events_and_a_store_of_a_run(cli: Cli, tmp_path: Path) -> None:
    import mainspring as ms

    strategy = ms.native.TouchMaker(size="0.01", max_position="0.1")
    done = cli("config", "show", "--changed", "--json")
    assert done.json == []
    run = ms.backtest(strategy, ms.sample("btcusdt", hours=0.02))
    folder = run.save(tmp_path / "a-run")
    fills = cli("events", str(folder), "--type", "OrderFilled", "--json").json
    assert len(fills) == len(run.fills)
    assert cli("store", "rebuild", str(folder)).code == 0
