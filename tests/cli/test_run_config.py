"""`mainspring.toml`: what is read, what wins, and how faults are told."""

from __future__ import annotations

from pathlib import Path

import pytest
from mainspring.cli.run_config import load_config
from mainspring.errors import ConfigError, NotFoundError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder: Path, text: str) -> Path:
    file = folder / "mainspring.toml"
    file.write_text(text)
    return file


def test_without_a_file_there_are_defaults(folder: Path) -> None:
    config = load_config(None)
    assert config.run.strategy is None
    assert config.venue.queue_model == "prob_power3"


def test_a_named_file_must_be_there(folder: Path) -> None:
    with pytest.raises(NotFoundError, match=r"absent\.toml"):
        load_config(Path("absent.toml"))


def test_the_file_of_this_folder_is_found(folder: Path) -> None:
    write(folder, '[run]\nevery = "250us"\n[parameters]\nsize = 2\n')
    config = load_config(None)
    assert config.run.every == "250us"
    assert config.parameters == {"size": 2}


def test_the_environment_wins_over_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(folder, '[run]\nevery = "100ms"\nout = "a"\n')
    monkeypatch.setenv("MAINSPRING_RUN__EVERY", "5ms")
    config = load_config(file)
    assert (config.run.every, config.run.out) == ("5ms", folder / "a")


def test_paths_are_relative_to_the_file(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub/rows.events").touch()
    text = '[run]\nstrategy = "s.py:S"\ndata = ["rows.events", "sample:btcusdt"]\n'
    config = load_config(write(folder / "sub", text))
    assert config.run.strategy == f"{folder / 'sub/s.py'}:S"
    assert config.run.data == [str(folder / "sub/rows.events"), "sample:btcusdt"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[run\n", "is not TOML"),
        ("[run]\nevry = '1s'\n", "run.evry: Extra inputs are not permitted"),
        ("[run]\nevery = '100'\n", "run.every: '100' is no time with its unit"),
        ("[venue]\nqueue_model = 'lucky'\n", "venue.queue_model: Input should be 'risk_averse'"),
        ("[limits]\nmax_position = -1\n", "limits.max_position: Input should be greater than 0"),
        ("[fees]\nmaker = 'free'\n", "fees.maker"),
        ("[nonsense]\n", "nonsense: Extra inputs are not permitted"),
    ],
)
def test_faults_name_the_file_and_the_key(folder: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(write(folder, text))
    assert "mainspring.toml" in str(caught.value)
    assert said in str(caught.value)


def test_all_faults_are_told_at_once(folder: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(write(folder, "[run]\na = 1\nb = 2\n"))
    assert "run.a" in str(caught.value)
    assert "run.b" in str(caught.value)
