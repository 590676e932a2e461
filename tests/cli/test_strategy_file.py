"""Strategies named on the command line, and their parameters as flags."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from mainspring.cli.strategy_file import checked, load_strategy, parse_assignments, parse_flags
from mainspring.errors import InvalidValue, NotFoundError, StrategyError
from mainspring.strategy import Strategy

SOURCE = """
import mainspring as ms
from mainspring.strategy import Strategy

class Leaning(Strategy):
    threshold: float = 0.4
    n_levels: int = 3
    fast: bool = False
    horizons: tuple[float, ...] = (1.0, 5.0)
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(SOURCE)
    return path


@pytest.fixture
def leaning(file: Path) -> type[Strategy]:
    return load_strategy(str(file))


def test_the_only_strategy_of_a_file_needs_no_name(file: Path) -> None:
    assert load_strategy(str(file)).__name__ == "Leaning"
    assert load_strategy(f"{file}:Leaning") is load_strategy(str(file))


def test_files_of_the_same_name_do_not_mix(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        text = f"from mainspring.strategy import Strategy\nclass {folder.upper()}(Strategy): pass\n"
        (tmp_path / folder / "strategy.py").write_text(text)
    names = [load_strategy(str(tmp_path / f / "strategy.py")).__name__ for f in ("a", "b")]
    assert names == ["A", "B"]


def test_a_module_can_be_named(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    assert load_strategy("mine:Leaning").__name__ == "Leaning"
    del sys.modules["mine"]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("absent.py", "no strategy file absent.py"),
        ("absent_module:X", "no strategy 'absent_module'"),
        ("{file}:Nothing", "has no 'Nothing'; it has Leaning"),
    ],
)
def test_what_is_not_there(file: Path, spec: str, said: str) -> None:
    with pytest.raises(NotFoundError, match=r".") as caught:
        load_strategy(spec.format(file=file))
    assert said in str(caught.value)


def test_several_strategies_need_a_name(file: Path) -> None:
    file.write_text(SOURCE + "class Other(Leaning): pass\n")
    with pytest.raises(NotFoundError, match="several; it has Leaning, Other; name one"):
        load_strategy(str(file))


def test_what_is_no_strategy(file: Path) -> None:
    file.write_text("class Plain: pass\n")
    with pytest.raises(StrategyError, match="derive it from"):
        load_strategy(f"{file}:Plain")


@pytest.mark.parametrize(
    ("text", "said"),
    [("x = 1\ny = x / 0\n", "mine.py:2: ZeroDivisionError"), ("def f(:\n", "mine.py:1: Syntax")],
)
def test_a_file_that_cannot_be_imported_names_the_line(file: Path, text: str, said: str) -> None:
    file.write_text(text)
    with pytest.raises(StrategyError) as caught:
        load_strategy(str(file))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("flags", "values"),
    [
        ([], {}),
        (["--threshold", "-0.5"], {"threshold": -0.5}),
        (["--threshold=0.5", "--n-levels", "7"], {"threshold": 0.5, "n_levels": 7}),
        (["--n_levels=7"], {"n_levels": 7}),
        (["--fast"], {"fast": True}),
        (["--no-fast"], {"fast": False}),
        (["--fast=no"], {"fast": False}),
        (["--horizons", "1,2.5"], {"horizons": (1.0, 2.5)}),
    ],
)
def test_flags(leaning: type[Strategy], flags: list[str], values: dict[str, Any]) -> None:
    assert parse_flags(leaning, flags) == values


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--treshold", "1"], "did you mean --threshold?"),
        (["--threshold"], "needs a value"),
        (["--threshold", "much"], "'much'"),
        (["--n-levels", "3.5"], "'3.5' is not of type int"),
        (["--no-threshold"], "takes a value"),
        (["stray"], "one word too many"),
    ],
)
def test_wrong_flags(leaning: type[Strategy], flags: list[str], said: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        parse_flags(leaning, flags)
    assert said in str(caught.value)


def test_assignments_and_values_of_a_file(leaning: type[Strategy]) -> None:
    assert parse_assignments(leaning, ["n-levels=2", "fast=yes"]) == {"n_levels": 2, "fast": True}
    assert checked(leaning, {"threshold": 1, "horizons": [3]}) == {
        "threshold": 1.0,
        "horizons": (3.0,),
    }
    with pytest.raises(InvalidValue, match="write name=value"):
        parse_assignments(leaning, ["fast"])
    with pytest.raises(InvalidValue, match="no parameter of Leaning"):
        checked(leaning, {"colour": "red"})
