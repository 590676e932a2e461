"""`mainspring simulate` and the Python calls behind it."""

from __future__ import annotations

import json

import pytest
from command_line import Cli
from mainspring.errors import InvalidValue
from mainspring.simulation import simulate


def test_a_seed_holds_and_is_the_same_again() -> None:
    one, again = simulate(3), simulate(3)
    assert one == again
    assert one.violation is None
    assert one.events >= 2_000
    assert one.lives > 1
    assert one.fills > 0


def test_seeds_from_the_command_line(cli: Cli) -> None:
    done = cli("simulate", "--seeds", "0..4", "--steps", "500", "--json", "--quiet")
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert [line["seed"] for line in lines] == [0, 1, 2, 3, 4]
    assert all(line["violation"] is None for line in lines)
    assert sum(line["faults"]["lost_report"] for line in lines) > 0


@pytest.mark.parametrize("arguments", [[], ["--seeds", "5"], ["--seed", "1", "--seeds", "1..2"]])
def test_impossible_seeds_are_refused(cli: Cli, arguments: list[str]) -> None:
    done = cli("simulate", *arguments)
    assert done.code == 2
    assert "give" in done.err


def test_impossible_values_are_refused() -> None:
    with pytest.raises(InvalidValue, match="seed -1"):
        simulate(-1)
    with pytest.raises(InvalidValue, match="0 steps"):
        simulate(1, steps=0)
