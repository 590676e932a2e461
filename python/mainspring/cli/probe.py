"""`python -m mainspring.cli.probe FILE WORDS...`: the command line with some event files replaced.

`mainspring check lookahead` runs a strategy here with its market data cut: FILE is a JSON object of
the event files to replace, and whoever opens one of them through Mainspring, the strategy included,
gets the other.
"""

from __future__ import annotations

import json
import sys
from os import PathLike
from pathlib import Path
from typing import Any

from mainspring import _core
from mainspring.cli import main


def replace_event_files(replaced: dict[str, str]) -> None:
    """From now on, opening a key of `replaced` opens its value."""
    original = _core.EventFile

    def open_other(path: str | PathLike[str]) -> Any:
        return original(Path(replaced.get(str(Path(path).resolve()), path)))

    setattr(_core, "EventFile", open_other)  # noqa: B010 - the stub rightly forbids it


if __name__ == "__main__":
    replace_event_files(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    raise SystemExit(main(sys.argv[2:]))
