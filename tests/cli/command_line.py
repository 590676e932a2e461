"""Drives the command line as a user does: as a process."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Done:
    """A finished command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The document on stdout, which must be the only thing there."""
        return json.loads(self.out)


Cli = Callable[..., Done]
