"""The page about `m` names everything that strategies are given, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from mainspring import _core
from mainspring.strategy.callbacks import ARGUMENTS

PAGE = (Path(__file__).resolve().parents[2] / "docs/reference/market.md").read_text()
CODE = re.findall(r"`([^`\n]+)`", PAGE)
NAMED = {name for code in CODE for name in re.findall(r"[A-Za-z_]+", code)}


@pytest.mark.parametrize("kind", ["Market", "Order", "Fill", "Trade", "Bar"])
def test_every_member_is_named(kind: str) -> None:
    members = {name for name in dir(getattr(_core, kind)) if not name.startswith("_")}
    assert members
    assert members <= NAMED, f"docs/reference/market.md says nothing of {members - NAMED}"


def test_every_callback_is_written_as_it_is_called() -> None:
    for name, arguments in ARGUMENTS.items():
        assert f"`{name}{arguments}`" in PAGE


def test_every_order_option_is_named() -> None:
    options = _core_options()
    assert {"post_only", "oco", "display"} <= options <= NAMED


def _core_options() -> set[str]:
    """The options of `buy` and `sell`, by the stub (which is held to the extension)."""
    stub = Path(_core.__file__ or "").with_name("_core.pyi").read_text()
    body = re.search(r"class _OrderOptions\(.*?\):\n((?:    \w+: .*\n)+)", stub)
    assert body is not None
    return set(re.findall(r"^    (\w+):", body[1], re.MULTILINE))
