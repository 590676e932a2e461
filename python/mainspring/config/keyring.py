"""Credentials from the keyring of the desktop, where the package `keyring` is installed.

Entries are those of the service `mainspring` with a name such as ``binance.secret``. A keyring
cannot be listed, so that the venues to look for are named: ``MAINSPRING_KEYRING=binance,okx``.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping

from mainspring.config.sections import Credential
from mainspring.errors import ConfigError

SERVICE = "mainspring"
VARIABLE = "MAINSPRING_KEYRING"


def credentials(environ: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """What the keyring has for the venues that `environ` names: (venue, name, secret).

    Raises:
        ConfigError: venues are named and there is no keyring.
    """
    venues = [name.strip().lower() for name in environ.get(VARIABLE, "").split(",")]
    for venue in filter(None, venues):
        for name in Credential.model_fields:
            secret = _password(f"{venue}.{name}")
            if secret is not None:
                yield venue, name, secret


def _password(entry: str) -> str | None:
    try:
        ring = importlib.import_module("keyring")
    except ImportError:
        raise ConfigError(
            f"{VARIABLE} is set and the package keyring is not installed: pip install keyring, or "
            "set the variables MAINSPRING_CREDENTIALS__VENUE__SECRET instead"
        ) from None
    try:
        found = ring.get_password(SERVICE, entry)
    except Exception as error:  # its backends raise their own kinds
        raise ConfigError(
            f"{VARIABLE} is set and the keyring does not answer ({type(error).__name__}): unlock "
            "it, or unset the variable"
        ) from None
    return None if found is None else str(found)
