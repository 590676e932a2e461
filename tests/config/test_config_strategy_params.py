"""The component JSON loads as it is, and every key of it is accounted for."""

from __future__ import annotations

import json
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from mainspring.config import ConfigFaults, load

# The form as it is published, key by key.
PUBLISHED = {
    "strategy_params": {
        "event_bus": {"max_history": 1000},
        "state_machine": {
            "creation_timeout_secs": 10,
            "cancel_timeout_secs": 5,
            "auto_recovery": True,
        },
        "risk_adjuster": {"min_order_size": 0.01, "margin_safety_buffer": 0.2, "leverage": 5},
        "order_executor": {"requote_threshold_bps": 2.0},
        "market_data_pipeline": {"processors": ["imbalance", "volatility", "adverse_selection"]},
    }
}


def leaves(tree: dict[str, Any], above: str = "") -> set[str]:
    found = set()
    for name, value in tree.items():
        key = f"{above}.{name}" if above else name
        found |= leaves(value, key) if isinstance(value, dict) else {key}
    return found


def written(folder: Path, tree: dict[str, Any]) -> Path:
    file = folder / "strategy_params.json"
    file.write_text(json.dumps(tree, indent=1))
    return file


def test_the_published_form_loads_and_leaves_no_key_out(tmp_path: Path) -> None:
    loaded = load(written(tmp_path, PUBLISHED), environ={})
    assert {note.key for note in loaded.notes} == leaves(PUBLISHED)
    assert [note.key for note in loaded.notes if note.target is None] == [
        "strategy_params.state_machine.auto_recovery"
    ]
    config = loaded.config
    assert config.events.history == 1000
    assert config.orders.to_engine()["patience"]["creation_ns"] == 10_000_000_000
    assert config.orders.to_engine()["patience"]["cancel_ns"] == 5_000_000_000
    assert config.execution.below_minimum == "drop"
    assert config.margin is not None
    assert (config.margin.buffer, config.margin.leverage) == (Decimal("0.2"), 5)
    assert config.position_states is None
    assert config.execution.price_threshold_bps == 2
    assert len(config.run.features) == 3


def test_translated_keys_have_the_line_of_the_original(tmp_path: Path) -> None:
    file = written(tmp_path, PUBLISHED)
    loaded = load(file, environ={})
    line = next(
        at for at, text in enumerate(file.read_text().split("\n"), 1) if "cancel_timeout" in text
    )
    assert str(loaded.origin(("orders", "cancel_timeout"))) == f"{file}:{line}"


def test_the_file_beside_the_repository_is_that_form() -> None:
    root = Path(__file__).resolve().parents[2]
    shared = Path(os.environ.get("MAINSPRING_SHARED", root.parent / "shared"))
    file = shared / "configs/strategy_params.json"
    if not file.is_file():
        assert not os.environ.get("MAINSPRING_REQUIRE_SHARED"), f"{file} is not there"
        pytest.skip(f"{file} is not there")
    assert json.loads(file.read_text()) == PUBLISHED
    assert load(file, environ={}).notes


def test_the_features_that_it_asks_for_are_computed(tmp_path: Path) -> None:
    import mainspring as ms

    config = load(written(tmp_path, PUBLISHED), environ={}).config

    class Looks(ms.Strategy):
        names: str = ""

        def on_book(self, m: ms.Market) -> None:
            self.names = ",".join(m.features.names())

    looks = Looks()
    ms.backtest(looks, ms.sample("btcusdt", hours=0.02), features=config.run.features)
    wanted = {one.partition(":")[0] for one in config.run.features}
    assert wanted <= set(looks.names.split(","))


def test_the_keys_of_the_quoting_model_set_a_native_market_maker(tmp_path: Path) -> None:
    tree = {
        "strategy_params": {
            "max_absolute_position_size": 50,
            "phi": 0.01,
            "lambda_base": 1.0,
            "maker_fee_bps": 1.5,
            "taker_fee_bps": 4.5,
            "ewma_vol_config": {"half_life_seconds": 60},
            "multi_level_config": {"max_levels": 3, "level_spacing_bps": 2.0},
            "auto_tuning": {"enabled": False},
        }
    }
    loaded = load(written(tmp_path, tree), environ={})
    config = loaded.config
    assert config.run.strategy == "native:Glft"
    assert config.parameters == {"a": 1.0, "levels": 3}
    assert (config.fees.maker, config.fees.taker) == (Decimal("0.00015"), Decimal("0.00045"))
    assert config.limits.max_position == 50
    told = {note.key: note for note in loaded.notes}
    assert told["strategy_params.phi"].target is None
    assert "gamma" in told["strategy_params.phi"].text
    assert told["strategy_params.multi_level_config.level_spacing_bps"].target is None


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ({"event_bas": {"max_history": 1}}, "strategy_params.event_bas: there is no such key; did"),
        ({"event_bus": {"max_histry": 1}}, "event_bus.max_histry: there is no such key; did you"),
        ({"event_bus": {"max_history": 0}}, "events.history: Input should be greater than or"),
        ({"state_machine": {"cancel_timeout_secs": -5}}, "is no time with its unit"),
        ({"market_data_pipeline": {"processors": ["imbalanse"]}}, "did you mean 'imbalance'?"),
        ([], "strategy_params: is not a table of components"),
    ],
)
def test_faults_name_the_key(tmp_path: Path, tree: Any, said: str) -> None:
    with pytest.raises(ConfigFaults) as caught:
        load(written(tmp_path, {"strategy_params": tree}), environ={})
    assert said in str(caught.value)


def test_a_key_that_is_set_twice_is_a_fault(tmp_path: Path) -> None:
    tree = {"strategy_params": {"event_bus": {"max_history": 1}}, "events": {"history": 2}}
    with pytest.raises(ConfigFaults, match=r"events\.history is set in this file as well"):
        load(written(tmp_path, tree), environ={})
