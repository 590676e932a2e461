"""Lines of keys: every key of a text that the parser accepts is found where it stands."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mainspring.config.places import json_places, toml_places

TOML = r"""# the second line is next
# a comment = 1
title = "a = b" # [x]
a.b.'c d' = 1

[run]
every = '''
[not.a.table]
'''
data = [ # first
  "x", # ]
  "]",
  { y = 1, "z\u0041" = [1,
    2] },
]
when = 1979-05-27 07:32:00
[[fruit]]
name = "apple"
[fruit.physical]
color = "red"
[[fruit.variety]]
name = "red\\"
[[fruit.variety]]
name = ~~~two ~~quotes~~~~~
[[fruit]]
name = "banana"
""".replace("~", '"')


def test_lines_of_toml() -> None:
    tomllib.loads(TOML)
    places = toml_places(TOML)
    assert places["title",] == 3
    assert places["a", "b", "c d"] == 4
    assert places["run",] == 6
    assert places["run", "every"] == 7
    assert places["run", "data", 0] == 11
    assert places["run", "data", 2, "zA", 1] == 14
    assert places["run", "when"] == 16
    assert places["fruit", 0, "physical", "color"] == 20
    assert places["fruit", 0, "variety", 1, "name"] == 24
    assert places["fruit", 1, "name"] == 26
    assert ("not",) not in places


names = st.text(min_size=1, max_size=8)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=20,
)


def keys_of(value: Any, above: tuple[str | int, ...] = ()) -> set[tuple[str | int, ...]]:
    items: Iterable[tuple[str | int, Any]] = ()
    if isinstance(value, (dict, list)):
        items = value.items() if isinstance(value, dict) else enumerate(value)
    found = set()
    for name, inner in items:
        found |= {(*above, name)} | keys_of(inner, (*above, name))
    return found


@given(st.dictionaries(names, json_values, max_size=5), st.sampled_from([None, 0, 2]))
def test_every_key_of_json_is_found(value: dict[str, Any], indent: int | None) -> None:
    text = json.dumps(value, indent=indent)
    places, doubled = json_places(text)
    assert set(places) == keys_of(value)
    assert doubled is None
    lines = text.split("\n")
    for key, line in places.items():
        if isinstance(key[-1], str):
            assert json.dumps(key[-1]) in lines[line - 1]


toml_text = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=8)
toml_values = st.recursive(
    st.booleans() | st.integers(-(2**62), 2**62) | st.floats(allow_nan=False) | toml_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(toml_text, inner, max_size=3),
    max_leaves=12,
)


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def written(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list):
        return "[\n" + "".join(f"  {written(one)}, # ]\n" for one in value) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{quoted(k)} = {written(v)}" for k, v in value.items()) + " }"
    return repr(value)


@given(st.dictionaries(toml_text, st.dictionaries(toml_text, toml_values, max_size=3), max_size=3))
def test_every_key_of_toml_is_found(value: dict[str, dict[str, Any]]) -> None:
    text = ""
    wanted: dict[tuple[str, str], int] = {}
    for table, keys in value.items():
        text += f"# [{len(text)}]\n[{quoted(table)}]\n"
        for name, one in keys.items():
            wanted[table, name] = text.count("\n") + 1
            text += f"{quoted(name)} = {written(one)}\n"
    assert tomllib.loads(text) == value
    places = toml_places(text)
    assert {key: places[key] for key in wanted} == wanted
    assert set(places) == keys_of(value)


@given(st.text() | st.text(st.sampled_from("[]{}\"'=.,#\n\\ ab1")))
def test_whatever_the_parser_takes_the_scanner_takes(text: str) -> None:
    try:
        tree = tomllib.loads(text)
    except (ValueError, RecursionError):
        return
    assert keys_of(tree) <= set(toml_places(text))


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', '{"x": {"a": 1,\n"a": 2}}'])
def test_doubled_keys_are_told(text: str) -> None:
    _, doubled = json_places(text)
    assert doubled is not None
    assert doubled[-1] == "a"
