"""`mainspring venue serve --recording`: a recording as the served market, or what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

from command_line import Cli
from mainspring.cli.exits import Exit

SAMPLE = "sample:btcusdt,hours=0.005"
SERVE = ("venue", "serve", "--port", "0")


def test_a_recording_is_served_to_its_end_and_beyond(cli: Cli) -> None:
    words = ("--recording", SAMPLE, "--speed", "1000", "--seconds", "3", "--json")
    done = cli(*SERVE, *words)
    assert done.code == 0, done.err
    assert json.loads(done.out)["markets"] == ["BTCUSDT"]
    assert "the recording is over; its markets are halted" in done.err
    again = cli(*SERVE, *words, "--repeat", "--dialect", "dydx")
    assert again.code == 0, again.err
    assert "over" not in again.err


def test_bad_recordings_are_refused(cli: Cli, tmp_path: Path) -> None:
    def refused(*words: str) -> tuple[int, str]:
        done = cli(*SERVE, "--seconds", "1", *words)
        assert done.out == ""
        return done.code, done.err

    code, told = refused("--recording", "nowhere.mse")
    assert (code, "nowhere.mse" in told) == (Exit.USAGE, True), told
    code, told = refused("--recording", SAMPLE, "--market", "btcusdt")
    assert (code, "a recording or generated markets" in told) == (Exit.USAGE, True), told
    code, told = refused("--repeat")
    assert (code, "--recording" in told) == (Exit.USAGE, True), told
    code, told = refused("--recording", SAMPLE, "--speed", "0")
    assert (code, "speed" in told) == (Exit.USAGE, True), told
    code, told = refused("--recording", SAMPLE, "--queue-model", "luck")
    assert (code, "luck" in told) == (Exit.USAGE, True), told
    path = Path(cli("data", "info", SAMPLE, "--json").json[0]["paths"][0])
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    (tmp_path / "bad.mse").write_bytes(content)
    code, told = refused("--recording", "bad.mse")
    assert (code, "damaged" in told) == (Exit.ERROR, True), told
