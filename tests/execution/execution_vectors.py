"""The vectors of execution."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "execution.json"


def vectors(function: str) -> list[Any]:
    """The vectors of a function, as parameters with their ids."""
    suite = json.loads(VECTORS.read_text())["vectors"]
    return [pytest.param(v, id=v["id"]) for v in suite if v["fn"] == function]
