"""Secrets: never from a file or the command line, never shown."""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path

import pytest
from mainspring.config import ConfigFaults, load
from mainspring.config.faults import HIDDEN, is_secret
from mainspring.errors import ConfigError

WORD = "hunter2-geheim"


@pytest.mark.parametrize(
    "text",
    [
        f'[credentials.binance]\nsecret = "{WORD}"\n',
        f'[credentials]\nbinance = "{WORD}"\n',
        f'credentials = "{WORD}"\n',
        f'[parameters]\napi_key = "{WORD}"\n',
        f'[parameters]\nvenue = {{ deep = [{{ passphrase = "{WORD}" }}] }}\n',
        f'[run]\npassword = "{WORD}"\n',
        f'[elsewhere]\nprivate_key = "{WORD}"\n',
    ],
)
def test_a_secret_in_a_file_is_refused_without_being_told(tmp_path: Path, text: str) -> None:
    file = tmp_path / "a.toml"
    file.write_text(text)
    with pytest.raises(ConfigFaults) as caught:
        load(file, environ={})
    told = str(caught.value)
    assert "a secret is never read from a file" in told
    assert "MAINSPRING_CREDENTIALS__" in told
    assert "keyring set mainspring" in told
    assert WORD not in told
    assert WORD not in repr(caught.value.faults)


def test_a_secret_on_the_command_line_is_refused() -> None:
    with pytest.raises(ConfigFaults, match="never read from the command line") as caught:
        load(environ={}, words=[f"credentials.okx.secret={WORD}"])
    assert WORD not in str(caught.value)
    assert "MAINSPRING_CREDENTIALS__OKX__SECRET" in str(caught.value)


def test_a_secret_of_the_environment_is_used_and_hidden() -> None:
    loaded = load(environ={"MAINSPRING_CREDENTIALS__BINANCE__SECRET": WORD})
    secret = loaded.config.credentials["binance"].secret
    assert secret is not None
    assert secret.get_secret_value() == WORD
    shown = {one.key: one for one in loaded.settings()}
    assert shown["credentials.binance.secret"].value == HIDDEN
    assert shown["credentials.binance.secret"].origin.where == (
        "MAINSPRING_CREDENTIALS__BINANCE__SECRET"
    )
    assert shown["credentials.binance.key"].value is None
    assert WORD not in repr(loaded)
    assert WORD not in str(loaded.config.model_dump())
    assert WORD not in loaded.config.model_dump_json()


def test_a_faulty_secret_of_the_environment_is_not_told() -> None:
    with pytest.raises(ConfigFaults) as caught:
        load(environ={"MAINSPRING_CREDENTIALS__BINANCE__SECRT": WORD})
    assert WORD not in str(caught.value)
    assert "did you mean credentials.binance.secret?" in str(caught.value)


def test_the_keyring_is_asked_for_the_venues_that_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ring = types.ModuleType("keyring")
    entries = {("mainspring", "okx.key"): "k", ("mainspring", "okx.secret"): WORD}
    ring.get_password = lambda service, name: entries.get((service, name))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keyring", ring)
    environ = {"MAINSPRING_KEYRING": "okx", "MAINSPRING_CREDENTIALS__OKX__KEY": "from-env"}
    loaded = load(environ=environ)
    found = loaded.config.credentials["okx"]
    assert (found.key and found.key.get_secret_value()) == "from-env"
    assert (found.secret and found.secret.get_secret_value()) == WORD
    origin = loaded.origin(("credentials", "okx", "secret"))
    assert (origin.source, origin.where) == ("keyring", "keyring mainspring okx.secret")


def test_a_keyring_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(ConfigError, match="pip install keyring"):
        load(environ={"MAINSPRING_KEYRING": "okx"})


@pytest.mark.parametrize("name", ["token", "api_key", "APIKEY", "db_password", "client_secrets"])
def test_names_of_secrets(name: str) -> None:
    assert is_secret(("parameters", name))


@pytest.mark.parametrize("name", ["key", "tokenise", "keys", "secretary", "monkey", "threshold"])
def test_names_that_are_no_secrets(name: str) -> None:
    assert not is_secret(("parameters", name))


def test_the_schema_has_no_place_for_secrets() -> None:
    from mainspring.config import json_schema

    text = json.dumps(json_schema())
    assert "credentials" not in text
    assert "passphrase" not in text
