"""Where data is kept when nobody says otherwise."""

from __future__ import annotations

import os
from pathlib import Path


def data_home() -> Path:
    """The folder for samples, downloads and the catalog.

    `MAINSPRING_HOME`, or `mainspring` under `XDG_DATA_HOME`, or `~/.local/share/mainspring`.
    It is not created here.
    """
    chosen = os.environ.get("MAINSPRING_HOME")
    if chosen:
        return Path(chosen).expanduser()
    shared = os.environ.get("XDG_DATA_HOME")
    return (Path(shared) if shared else Path.home() / ".local" / "share") / "mainspring"
