"""Progress where stderr is not a terminal: plain lines with rate and time left."""

from __future__ import annotations

import pytest
from mainspring.cli import output
from mainspring.cli.output import Output


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(output.time, "monotonic", lambda: now[0])
    return now


def test_plain_lines(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with Output().progress("reading", total=1_000_000) as bar:
        for second in range(6):
            clock[0] = second
            bar.update(second * 100_000)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "reading: 200,000 events, 100,000 events/s, 20 %, 8 s left",
        "reading: 400,000 events, 100,000 events/s, 40 %, 6 s left",
    ]


def test_unknown_total(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with Output().progress("reading", unit="rows") as bar:
        clock[0] = 4
        bar.update(8)
    assert capsys.readouterr().err == "reading: 8 rows, 2 rows/s\n"


def test_what_came_before_the_first_news_is_not_in_the_rate(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with Output().progress("sweep", total=5, unit="trials") as bar:
        for second, done in ((10, 1), (14, 2), (18, 3)):
            clock[0] = second
            bar.update(done)
    assert capsys.readouterr().err.splitlines() == [
        "sweep: 1 trial, 0.1 trials/s, 20 %, 40 s left",
        "sweep: 2 trials, 0.25 trials/s, 40 %, 12 s left",
        "sweep: 3 trials, 0.25 trials/s, 60 %, 8 s left",
    ]


def test_quiet_prints_nothing(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with Output(quiet=True).progress("reading") as bar:
        clock[0] = 100
        bar.update(1)
    assert capsys.readouterr().err == ""


def test_not_a_number_becomes_null(capsys: pytest.CaptureFixture[str]) -> None:
    Output(json=True).result({"a": float("nan"), "b": [float("inf"), 1.5]}, lambda: "")
    assert capsys.readouterr().out == '{"a": null, "b": [null, 1.5]}\n'
