"""Keys of venues: where they are kept, and that they are never shown."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError
from mainspring.errors import ConfigError
from mainspring.exchange import VenueServer
from mainspring.live import Credentials, LiveVenue
from mainspring.live.credentials import find, keep_in_keyring
from venue_side import KEY, SECRET


class Memory(KeyringBackend):
    """A keyring that forgets everything at the end of the process."""

    priority = 1.0  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if self.kept.pop((service, username), None) is None:
            raise PasswordDeleteError(username)


@pytest.fixture
def memory() -> Iterator[Memory]:
    before = keyring.get_keyring()
    backend = Memory()
    keyring.set_keyring(backend)
    yield backend
    keyring.set_keyring(before)


def test_keys_are_kept_in_the_keyring_of_the_system(memory: Memory) -> None:
    with pytest.raises(ConfigError, match="--keep keyring"):
        find("okx", "keyring")
    kept = Credentials(key="the-key", secret="the-secret", passphrase="the-phrase")
    keep_in_keyring("okx", kept)
    keep_in_keyring("hyperliquid", Credentials(secret="0x01", account="0xabc"))
    assert find("okx", "keyring") == kept
    assert find("hyperliquid", "keyring").account == "0xabc"
    assert {service for service, _ in memory.kept} == {"mainspring"}
    assert "the-secret" not in repr(find("okx", "keyring"))


def test_a_key_of_the_keyring_opens_a_venue(
    memory: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAINSPRING_HOME", str(tmp_path))
    keep_in_keyring("binance", Credentials(key=KEY, secret=SECRET))
    with VenueServer("binance", markets=("btcusdt",), warm_up_s=5) as server:
        venue = LiveVenue(
            "binance", ["BTCUSDT"], credentials=find("binance", "keyring"), url=server.url
        )
        assert venue.check().passed
    shown = (
        repr(venue)
        + str(venue.credentials)
        + "".join(path.read_text() for path in tmp_path.rglob("*.json"))
    )
    assert SECRET not in shown
    assert KEY not in shown


def test_the_command_line_keeps_a_key_without_showing_it(tmp_path: Path) -> None:
    """`connect --keep` asks; the answers come from a person, never from the words."""
    script = f"""
import getpass, keyring, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_credentials import Memory
keyring.set_keyring(Memory())
answers = iter(["the-key", "the-secret", ""])
getpass.getpass = lambda prompt: next(answers)
sys.stdin = open({str(tmp_path / "stdin")!r})
from mainspring.cli import main
code = main(["connect", "binance", "--keep", "keyring"])
from mainspring.live.credentials import find
assert find("binance", "keyring").secret == "the-secret"
sys.exit(code)
"""
    (tmp_path / "stdin").write_text("\n")
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "MAINSPRING_HOME": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "the-secret" not in done.stdout + done.stderr
    assert "kept the key of binance" in done.stdout + done.stderr


def test_without_the_package_the_message_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(ConfigError, match=r"mainspring\[keys\]"):
        find("binance", "keyring")


def test_a_secret_is_in_no_message_of_a_wrong_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that cannot be one is refused by its kind, not by its text."""
    monkeypatch.setenv("MAINSPRING_HOME", str(tmp_path))
    for name, secret in (("hyperliquid", "0xnot-hexadecimal"), ("binance", "not-an-ed25519")):
        wrong = Credentials(key="k", secret=secret, account="0xabc", ed25519=name == "binance")
        with pytest.raises(Exception) as caught:
            LiveVenue(name, ["BTC"], credentials=wrong, url="http://127.0.0.1:9").check(timeout_s=1)
        assert secret not in repr(caught.value) + str(caught.value)
