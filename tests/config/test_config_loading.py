"""`mainspring.toml`: what is read, what wins, and how faults are told."""

from __future__ import annotations

from pathlib import Path

import pytest
from mainspring.config import ConfigFaults, load, load_config
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
        ("[run]\nevry = '1s'\n", ":2: run.evry: there is no such key; did you mean run.every?"),
        ("[run]\nevery = '100'\n", "run.every: '100' is no time with its unit"),
        ("[venue]\nqueue_model = 'lucky'\n", "venue.queue_model: Input should be 'risk_averse'"),
        ("[limits]\nmax_position = -1\n", "limits.max_position: Input should be greater than 0"),
        ("[fees]\nmaker = 'free'\n", ":2: fees.maker: Input should be a valid decimal, not 'free'"),
        ("[venue]\nqueue_model = 'prob_powr3'\n", "did you mean 'prob_power3'?"),
        ("[run]\nmax_position = 3\n", "there is limits.max_position"),
        ("run = 3\n", ":1: run: is a section, not a value; write its keys below [run]"),
        ("[run]\n\n\nevery = 3\n", ":4: run.every: Input should be a valid string, not 3"),
        ("[orders]\ncancel_timeout = '0'\n", "must be positive"),
        ("[run]\n[run]\n", ":2: is not TOML"),
        ("[nonsense]\n", ":1: nonsense: there is no such section; there are run, "),
    ],
)
def test_faults_name_the_file_and_the_key(folder: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigFaults) as caught:
        load_config(write(folder, text))
    assert "mainspring.toml" in str(caught.value)
    assert said in str(caught.value)
    assert all(fault.where.endswith("mainspring.toml") for fault in caught.value.faults)


def test_all_faults_are_told_at_once(folder: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(write(folder, "[run]\na = 1\nb = 2\n"))
    assert "run.a" in str(caught.value)
    assert "run.b" in str(caught.value)


def test_json_is_read_by_the_name_of_the_file(folder: Path) -> None:
    file = folder / "mainspring.json"
    file.write_text('{\n"run": {"every": "5ms"},\n"parameters": {"size": 2}}')
    loaded = load(None)
    assert loaded.file == Path("mainspring.json")
    assert loaded.config.run.every == "5ms"
    assert str(loaded.origin(("parameters", "size"))) == "mainspring.json:3"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"run": {"every": "1s", "every": "2s"}}', "run.every: is there twice; keep one"),
        ('{"run": NaN}', "NaN is no number"),
        ("[1]", "is not a JSON object"),
        ('{"run": {},}', ":1: is not JSON"),
        ('{"run":\n{"every": 1}}', ":2: run.every: Input should be a valid string"),
        ("{" * 5_000, "is not"),
        ('{"parameters": {"a": ' + "[" * 200 + "]" * 200 + "}}", "nested too deep"),
        ("9" * 5_000, "is not"),
        (" " * (1 << 20) + "{}", "more than 1048576 bytes"),
    ],
)
def test_faults_of_json(folder: Path, text: str, said: str) -> None:
    file = folder / "a.json"
    file.write_text(text)
    with pytest.raises(ConfigFaults) as caught:
        load(file)
    assert said in str(caught.value)


def test_what_is_not_a_text_file_is_refused(folder: Path) -> None:
    (folder / "a.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigFaults, match="not UTF-8 at byte 0"):
        load(folder / "a.toml")
    with pytest.raises(ConfigFaults, match="is not a file"):
        load(folder)
    with pytest.raises(ConfigFaults, match="is not a file"):
        load(Path("/dev/zero"))


def test_each_value_knows_its_origin(folder: Path) -> None:
    file = write(folder, '[run]\nevery = "1s"\nout = "a"\nsample = "1s"\n[parameters]\nx = 1\n')
    environ = {"MAINSPRING_RUN__OUT": "b", "MAINSPRING_PARAMETERS__Y": "[1, 2]"}
    loaded = load(file, environ=environ, words=["run.sample=2s", "limits.max-position=3"])
    origins = {one.key: str(one.origin) for one in loaded.settings()}
    assert origins["run.every"] == f"{file}:2"
    assert origins["run.out"] == "MAINSPRING_RUN__OUT"
    assert origins["run.sample"] == "--set run.sample"
    assert origins["limits.max_position"] == "--set limits.max-position"
    assert origins["parameters.x"] == f"{file}:6"
    assert origins["parameters.y"] == "MAINSPRING_PARAMETERS__Y"
    assert origins["venue.queue_model"] == "default"
    assert loaded.config.parameters == {"x": 1, "y": [1, 2]}
    assert (loaded.config.run.sample, loaded.config.limits.max_position) == ("2s", 3)


def test_a_section_can_be_one_variable(folder: Path) -> None:
    loaded = load(environ={"MAINSPRING_RUN": '{"every": "1s", "data": ["a"]}'})
    assert (loaded.config.run.every, loaded.config.run.data) == ("1s", ["a"])
    with pytest.raises(ConfigFaults, match="MAINSPRING_RUN: run: is a section: give a JSON object"):
        load(environ={"MAINSPRING_RUN": "1s"})


def test_misspelt_variables_and_words_are_faults(folder: Path) -> None:
    with pytest.raises(ConfigFaults) as caught:
        load(
            environ={"MAINSPRING_RNU__EVERY": "1s", "MAINSPRING_HOME": "/elsewhere"},
            words=["run.evry=1s", "nothing"],
        )
    assert [(fault.where, fault.fix) for fault in caught.value.faults] == [
        ("MAINSPRING_RNU__EVERY", "did you mean run?"),
        ("--set nothing", "write --set run.every=5ms"),
        ("--set run.evry", "did you mean run.every?"),
    ]


def test_every_flag_of_a_list_from_the_environment(folder: Path) -> None:
    loaded = load(environ={"MAINSPRING_RUN__FEATURES": '["ofi", "mid"]'})
    assert loaded.config.run.features == ["ofi", "mid"]
