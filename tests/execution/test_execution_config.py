"""The `[execution]` section of the configuration becomes the rules of a run."""

from __future__ import annotations

from pathlib import Path

import mainspring as ms
import pytest
from mainspring.config import ConfigFaults, load

TOML = """
[execution]
price_threshold_bps = 2.5
amend = "keeps_priority"
amend_at = { okx = "always" }
min_life = "500ms"
max_life = "5s"
urgent = { after = "3s", collar_bps = 20 }

[execution.budgets."*"]
requests = "1200/1m"
orders = "300/10s"
cancel_reserve_bps = 3000
"""


def test_a_file_says_what_python_says(tmp_path: Path) -> None:
    file = tmp_path / "mainspring.toml"
    file.write_text(TOML)
    rules = load(file, environ={}).config.execution.rules()
    expected = ms.Reconcile(
        price_threshold_bps="2.5",
        amend={"*": "keeps_priority", "okx": "always"},
        min_life="500ms",
        max_life="5s",
        urgent=ms.Urgent(after="3s"),
        budgets=ms.RateBudget(requests=(1200, "1m"), orders=(300, "10s"), cancel_reserve_bps=3_000),
    )
    assert rules is not None
    assert rules.to_engine() == expected.to_engine()


def test_without_the_section_there_are_no_rules(tmp_path: Path) -> None:
    file = tmp_path / "mainspring.toml"
    file.write_text("[execution]\nprice_threshold_bps = 0\n")
    assert load(file, environ={}).config.execution.rules() is None


@pytest.mark.parametrize("rate", ["1200", "0/1s", "12/soon", "-5/1s"])
def test_a_rate_that_is_none_is_refused(tmp_path: Path, rate: str) -> None:
    file = tmp_path / "mainspring.toml"
    file.write_text(f'[execution.budgets.test]\norders = "{rate}"\n')
    with pytest.raises(ConfigFaults, match="orders"):
        load(file, environ={})
