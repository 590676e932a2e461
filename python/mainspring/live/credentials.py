"""Keys of venues: where they are kept, and how they come into a session without being shown."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mainspring.errors import ConfigError

_FILE_VERSION = 1
# 128 MiB and about half a second: RFC 7914 with the parameters that OWASP names for passwords.
_SCRYPT = {"n": 2**17, "r": 8, "p": 1}
_SERVICE = "mainspring"
_PARTS = ("key", "secret", "passphrase", "account")


@dataclass(frozen=True, slots=True)
class Credentials:
    """A key of a venue. Neither `repr` nor errors show what is in it.

    Attributes:
        key: The API key; not needed where a wallet signs.
        secret: Its secret, or the private key of a wallet.
        passphrase: Its passphrase (OKX).
        account: Address of the account (Hyperliquid, dYdX); no secret.
        ed25519: Whether the secret is an Ed25519 key in PKCS#8 (Binance).
    """

    key: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)
    passphrase: str = field(default="", repr=False)
    account: str = ""
    ed25519: bool = False

    def parts(self) -> tuple[bytes | None, bytes | None, bytes | None]:
        """Key, secret and passphrase as the engine takes them; None for what is not there."""
        key = self.key or (self.account if self.secret else "")
        return _bytes(key), _bytes(self.secret), _bytes(self.passphrase)

    def fingerprint(self) -> str:
        """A short text that tells keys apart and from which none can be made."""
        told = "\0".join((self.key, self.account, str(bool(self.secret))))
        return hashlib.sha256(b"mainspring " + told.encode()).hexdigest()[:16]


def _bytes(text: str) -> bytes | None:
    return text.encode() if text else None


def find(venue: str, source: str = "env", *, password: str | None = None) -> Credentials:
    """The credentials of a venue.

    Args:
        venue: Its name, such as `binance_usdm`.
        source: `env`, `keyring`, `file:PATH`, or `none` for market data alone.
        password: Opens the file; the variable MAINSPRING_PASSWORD without it.

    Raises:
        ConfigError: There are none; the message names where they were looked for.
    """
    kind, _, rest = source.partition(":")
    if kind == "none":
        return Credentials()
    if kind == "env":
        return from_environment(venue)
    if kind == "keyring":
        return from_keyring(venue)
    if kind == "file" and rest:
        return from_file(Path(rest), venue, password=password)
    raise ConfigError(f"credentials {source!r}; give env, keyring, file:PATH or none")


def from_environment(venue: str, environ: Mapping[str, str] | None = None) -> Credentials:
    """Those in the environment: MAINSPRING_VENUE_KEY, _SECRET, _PASSPHRASE, _ACCOUNT, _ED25519.

    The variables of a product fall back to those of its venue: MAINSPRING_BINANCE_KEY serves
    `binance_usdm` too.

    Raises:
        ConfigError: There is no secret.
    """
    environ = os.environ if environ is None else environ
    for name in (venue, venue.partition("_")[0]):
        prefix = f"MAINSPRING_{name.upper()}_"
        found = {part: environ.get(prefix + part.upper(), "") for part in _PARTS}
        if found["secret"]:
            ed25519 = environ.get(prefix + "ED25519", "") not in ("", "0")
            return Credentials(**found, ed25519=ed25519)
    wanted = f"MAINSPRING_{venue.upper()}_KEY and MAINSPRING_{venue.upper()}_SECRET"
    raise ConfigError(f"there is no key of {venue}: set {wanted}, or name another source")


def from_keyring(venue: str) -> Credentials:
    """Those in the keyring of the system, by the package `keyring`.

    Raises:
        ConfigError: The package is not there, or the keyring has none.
    """
    text = _keyring().get_password(_SERVICE, venue)
    if text is None:
        raise ConfigError(
            f"the keyring has no key of {venue}: `mainspring connect {venue} --keep keyring` asks "
            "for one and keeps it there"
        )
    return _of_document(json.loads(text))


def keep_in_keyring(venue: str, credentials: Credentials) -> None:
    """Keeps credentials in the keyring of the system.

    Raises:
        ConfigError: The package `keyring` is not there.
    """
    _keyring().set_password(_SERVICE, venue, json.dumps(_document(credentials)))


def _keyring() -> Any:
    try:
        import keyring  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        raise ConfigError(
            "the keyring needs the package keyring: pip install mainspring[keys]; or keep the key "
            "in the environment or an encrypted file"
        ) from None
    return keyring


def from_file(path: Path, venue: str, *, password: str | None = None) -> Credentials:
    """Those in an encrypted file.

    Raises:
        ConfigError: There is no file or no password, the password is wrong, the file was
            changed, or it has no key of this venue.
    """
    kept = _open_file(path, _password(password))
    if venue not in kept:
        raise ConfigError(
            f"{path} has no key of {venue}; it has {', '.join(sorted(kept)) or 'none'}"
        )
    return _of_document(kept[venue])


def keep_in_file(
    path: Path, venue: str, credentials: Credentials, *, password: str | None = None
) -> None:
    """Keeps credentials in an encrypted file beside those that are there.

    The file is readable by its owner alone. Its key comes from the password by scrypt; its contents
    are sealed by ChaCha20-Poly1305, so that a changed file does not open.

    Raises:
        ConfigError: There is no password, or it does not open the file that is there.
    """
    from mainspring import _core

    password = _password(password)
    kept = _open_file(path, password) if path.exists() else {}
    kept[venue] = _document(credentials)
    salt, nonce = secrets.token_bytes(16), secrets.token_bytes(12)
    sealed = _core.seal(_file_key(password, salt), nonce, json.dumps(kept).encode())
    document = {
        "version": _FILE_VERSION,
        "kdf": {"name": "scrypt", **_SCRYPT, "salt": salt.hex()},
        "nonce": nonce.hex(),
        "sealed": sealed.hex(),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + ".new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(document, file)
    new.replace(path)


def _open_file(path: Path, password: str) -> dict[str, dict[str, Any]]:
    from mainspring import _core

    try:
        document = json.loads(path.read_text())
        salt = bytes.fromhex(document["kdf"]["salt"])
        nonce, sealed = bytes.fromhex(document["nonce"]), bytes.fromhex(document["sealed"])
    except FileNotFoundError:
        raise ConfigError(f"there is no file {path}") from None
    except (ValueError, KeyError, TypeError):
        raise ConfigError(f"{path} is no file of credentials") from None
    plain = _core.unseal(_file_key(password, salt), nonce, sealed)
    if plain is None:
        raise ConfigError(f"{path}: the password is wrong, or the file was changed")
    kept: dict[str, dict[str, Any]] = json.loads(plain)
    return kept


def _file_key(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, maxmem=2**28, dklen=32, **_SCRYPT)


def _password(password: str | None) -> str:
    password = password or os.environ.get("MAINSPRING_PASSWORD")
    if not password:
        raise ConfigError("an encrypted file needs its password: set MAINSPRING_PASSWORD")
    return password


def _document(credentials: Credentials) -> dict[str, Any]:
    parts: dict[str, Any] = {part: getattr(credentials, part) for part in _PARTS}
    return {**parts, "ed25519": credentials.ed25519}


def _of_document(document: Mapping[str, Any]) -> Credentials:
    return Credentials(
        **{name: document[name] for name in (*_PARTS, "ed25519") if name in document}
    )
