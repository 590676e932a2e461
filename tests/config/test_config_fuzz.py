"""Whatever is read as a configuration gives one, or a typed error; nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from mainspring.config import Config, ConfigFaults, load
from mainspring.config.faults import Fault
from mainspring.config.reading import read_text
from mainspring.config.schema import json_schema
from mainspring.config.strategy_params import _MEANINGLESS, _TRANSLATED, translate

FILES = st.sampled_from([Path("a.toml"), Path("a.json")])

# Words that lead deep into the schema, and others.
NAMES = st.sampled_from(
    [
        *Config.model_fields,
        *(name for one in json_schema()["$defs"].values() for name in one.get("properties", ())),
        "strategy_params",
        *(part for path in (*_TRANSLATED, *_MEANINGLESS) for part in path),
        "secret",
        "binance",
    ]
) | st.text(max_size=6)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=10)
    | st.sampled_from(["1s", "0", "9" * 30 + "d", "imbalance", "1e400", "NaN", "-1", "0.5"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
SECTIONS = st.dictionaries(NAMES, VALUES | st.dictionaries(NAMES, VALUES, max_size=5), max_size=5)


def check(found: BaseException, file: Path | None = None) -> None:
    assert isinstance(found, ConfigFaults)
    assert found.faults
    for fault in found.faults:
        assert isinstance(fault, Fault)
        assert fault.what
        assert file is None or fault.where == str(file)


@given(FILES, st.binary(max_size=400))
@settings(max_examples=200)
def test_any_bytes(file: Path, data: bytes) -> None:
    try:
        read_text(file, data)
    except ConfigFaults as faults:
        check(faults)


@given(FILES, st.text(st.sampled_from("[]{}\"'=.,:#\n\\ abrunevy019-_ "), max_size=200))
@settings(max_examples=200)
def test_any_punctuation(file: Path, text: str) -> None:
    try:
        read_text(file, text.encode())
    except ConfigFaults as faults:
        check(faults)


@given(SECTIONS, st.booleans())
@settings(max_examples=300)
def test_any_structure(tmp_path_factory: Any, tree: dict[str, Any], foreign: bool) -> None:
    file = tmp_path_factory.getbasetemp() / "fuzzed.json"
    file.write_text(json.dumps({"strategy_params": tree} if foreign else tree))
    try:
        loaded = load(file, environ={})
    except ConfigFaults as faults:
        check(faults, file)
    else:
        assert list(loaded.settings())


ENVIRONMENT = st.dictionaries(
    st.lists(NAMES, min_size=1, max_size=4).map(lambda names: "MAINSPRING_" + "__".join(names)),
    st.text(max_size=10) | VALUES.map(json.dumps),
    max_size=4,
)


@given(ENVIRONMENT, st.lists(st.text(max_size=12) | NAMES.map(lambda n: f"{n}.x=1"), max_size=3))
@settings(max_examples=200)
def test_any_environment_and_words(environ: dict[str, str], words: list[str]) -> None:
    environ.pop("MAINSPRING_KEYRING", None)
    try:
        loaded = load(environ=environ, words=words)
    except ConfigFaults as faults:
        check(faults)
    else:
        assert list(loaded.settings())


@given(VALUES)
def test_the_component_form_accounts_for_every_key(value: Any) -> None:
    """A key of the component form is translated, said to mean nothing here, or refused."""
    for path in (*_TRANSLATED, *_MEANINGLESS):
        tree = value
        for part in reversed(path):
            tree = {part: tree}
        text = (
            read_text(Path("a.json"), json.dumps({"strategy_params": tree}).encode())
            if ("NaN" not in json.dumps(tree) and "Infinity" not in json.dumps(tree))
            else None
        )
        if text is None:
            return
        try:
            _, _, notes = translate(text)
        except ConfigFaults as faults:
            check(faults)
        else:
            assert notes or value == {}
