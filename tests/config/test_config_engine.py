"""The sections say what the engine understands."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import mainspring as ms
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mainspring import _core
from mainspring.backtesting.config import RunSettings
from mainspring.backtesting.engine import data_paths
from mainspring.config import Config, ConfigFaults, Effect, load, plan, running
from mainspring.config.limits import LimitsSection, is_tighter
from mainspring.errors import ConfigError
from mainspring.journal import Journal
from mainspring.risk import Stop
from mainspring.simulation import write_journal

FILE = """\
[limits]
max_position = 5
max_order_rate = "100/1s"
restricted = ["LUNA"]
trading_hours = "mon-fri 08:00-16:30"
day_start = "8h"
breaker = { max_faults = 3, cooldown = "10s" }
drawdown = { reduce = 0.05, close = 0.1, shutdown = 0.15 }
[limits.venues.sample]
max_gross_exposure = 1000
[limits.strategies.touch_maker]
max_position = 2
[limits.instruments."BTCUSDT@sample"]
price_collar_bps = 50
[limits.accounts.main]
venues = ["sample"]
limits = { max_net_exposure = 500 }
[margin]
leverage = 3
[position_states]
warning = 0.6
[[stops]]
kind = "trailing"
distance = 50
symbol = "BTCUSDT"
[[stops]]
kind = "atr"
multiple = "2.5"
bar = "5s"
[execution]
price_threshold_bps = 2
size_threshold_bps = 100
amend = "keeps_priority"
min_life = "500ms"
max_life = "5s"
cross = "rest"
below_minimum = "drop"
urgent = { after = "3s", collar_bps = 20 }
adaptive_life = { volatility = "ewma_volatility" }
[execution.amend_at]
sample = "always"
[execution.budgets."*"]
requests = "1200/min"
cancels = "50 / 1s"
"""


def loaded(tmp_path: Path, text: str) -> Config:
    file = tmp_path / "a.toml"
    file.write_text(text)
    return load(file, environ={}).config


def run_with(**changes: Any) -> None:
    """Runs a moment of generated data with a configuration in the engine's own form."""
    config = {**RunSettings(features=["ewma_volatility"]).to_engine("USDT"), **changes}
    maker = ms.native.TouchMaker(size="0.01", max_position="0.1")
    paths = data_paths(ms.sample("btcusdt", hours=0.01))
    _core.run_backtest(paths, json.dumps(config), [(maker.to_engine(), maker.trigger)], ms.Strategy)


def test_the_engine_takes_limits_and_execution(tmp_path: Path) -> None:
    config = loaded(tmp_path, FILE)
    limits = config.limits.to_limits().to_engine()
    assert limits["max_order_rate"] == {"count": 100, "window_ns": 10**9}
    assert limits["drawdown"]["close_bps"] == 1_000
    assert "stop_bps" not in limits["drawdown"]
    assert limits["venues"]["sample"]["max_gross_exposure"] == "1000"
    assert limits["accounts"]["main"]["limits"]["max_net_exposure"] == "500"
    rules = config.execution.rules()
    assert rules is not None
    execution = rules.to_engine()
    assert execution["budgets"]["*"]["requests"]["limit"] == 1_200
    assert execution["budgets"]["*"]["requests"]["window_ns"] == 60 * 10**9
    assert execution["max_life_ns"] == 5 * 10**9
    assert config.margin is not None
    assert config.position_states is not None
    margin, states = config.margin.to_margin(), config.position_states.to_states()
    assert (margin, states) == (ms.Margin(leverage=3), ms.PositionStates(warning=0.6))
    stops = [one.to_stop() for one in config.stops]
    wanted = [Stop.trailing(50, symbol="BTCUSDT"), Stop.atr("2.5", bar="5s")]
    assert stops == wanted
    run_with(
        limits=limits,
        reconcile=execution,
        margin=margin.to_engine(),
        position_states=states.to_engine(),
        stops=[stop.to_engine() for stop in stops],
    )


def test_every_value_can_be_shown(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text(FILE)
    found = {one.key: one.value for one in load(file, environ={}).settings()}
    assert found["stops"][1] == {"kind": "atr", "multiple": "2.5", "period": 14, "bar": "5s"}
    assert found["limits.breaker.cooldown"] == "10s"
    assert found["margin.leverage"] == 3
    json.dumps(found)


def test_the_engine_has_the_last_word_on_values(tmp_path: Path) -> None:
    config = loaded(tmp_path, '[limits]\ntrading_hours = "whenever"\n')
    with pytest.raises(ConfigError, match="trading hours"):
        run_with(limits=config.limits.to_limits().to_engine())


def test_what_is_not_configured_is_not_told_to_the_engine() -> None:
    assert Config().execution.rules() is None
    assert Config().limits.to_limits().to_engine() == ms.Limits().to_engine()


def test_the_waits_are_those_of_a_session(tmp_path: Path) -> None:
    write_journal(tmp_path / "journal", 1, steps=1)
    kept = Journal(tmp_path / "journal").sources.config
    engine = Config().orders.to_engine()
    assert engine["patience"] == kept["patience"]
    assert engine["foreign"] in ("report", "cancel")
    assert set(engine) <= set(kept)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[limits]\nmax_order_rate = '100'\n", "is no count in a window, such as 100/1s"),
        ("[limits]\nmax_order_rate = '0/1s'\n", "must be positive"),
        ("[limits]\nmax_drawdown = 0.1\ndrawdown = { close = 0.1 }\n", "not both"),
        ("[limits.venues.okx]\nmax_positon = 1\n", ":2: limits.venues.okx.max_positon: there is"),
        ("[limits.venues.okx]\nmax_positon = 1\n", "did you mean limits.venues.okx.max_position?"),
        ("[limits.breaker]\nmax_fault = 1\n", "did you mean limits.breaker.max_faults?"),
        ("[execution]\nmin_life = '5s'\nmax_life = '1s'\n", "must be above min_life 5s"),
        ("[execution.budgets.okx]\norder = '1/s'\n", "did you mean execution.budgets.okx.orders?"),
        ("[[stops]]\nkind = 'fixed'\n", ":1: stops[0].fixed.distance: Field required"),
        ("[[stops]]\nkind = 'fixd'\ndistance = 1\n", ":1: stops[0]: Input tag 'fixd'"),
        ("[margin]\nlevarage = 2\n", ":2: margin.levarage: there is no such key; did you mean"),
        ("[limits.accounts.a]\nlimits = {}\n", "limits.accounts.a.venues: Field required"),
    ],
)
def test_faults_of_the_tree(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigFaults) as caught:
        loaded(tmp_path, text)
    assert said in str(caught.value)


def test_branches_can_be_set_from_outside(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text("[limits.venues.okx]\nmax_position = 1\nmax_order_qty = 1\n")
    found = load(
        file,
        environ={"MAINSPRING_LIMITS__VENUES__OKX__MAX_POSITION": "2"},
        words=["limits.instruments.BTC-PERP.max_position=3"],
    )
    assert found.config.limits.venues["okx"].max_position == 2
    assert found.config.limits.venues["okx"].max_order_qty == 1
    assert found.config.limits.instruments["BTC-PERP"].max_position == 3
    origins = {one.key: str(one.origin) for one in found.settings()}
    assert origins["limits.venues.okx.max_order_qty"] == f"{file}:3"
    assert origins["limits.venues.okx.max_position"].startswith("MAINSPRING_")


def test_changes_are_answered_leaf_by_leaf(tmp_path: Path) -> None:
    old = loaded(tmp_path, FILE)
    new = loaded(
        tmp_path,
        FILE.replace("max_gross_exposure = 1000", "max_gross_exposure = 900")
        .replace("max_position = 2", "max_position = 3")
        .replace('["LUNA"]', '["LUNA", "UST"]')
        .replace('"100/1s"', '"100/2s"')
        .replace("mon-fri", "mon-thu")
        .replace("max_faults = 3", "max_faults = 2")
        .replace("price_threshold_bps = 2", "price_threshold_bps = 3")
        + "[limits.symbols.BTC]\nmax_concentration = 0.5\n",
    )
    changes = {change.key: change.effect for change in plan(old, new)}
    assert changes == {
        "limits.max_order_rate": Effect.NOW,
        "limits.restricted": Effect.NOW,
        "limits.trading_hours": Effect.REFUSED,
        "limits.breaker.max_faults": Effect.NOW,
        "limits.venues.sample.max_gross_exposure": Effect.NOW,
        "limits.strategies.touch_maker.max_position": Effect.REFUSED,
        "limits.symbols.BTC": Effect.NOW,
        "execution.price_threshold_bps": Effect.NOW,
    }
    now = running(old, new, plan(old, new))
    assert now.limits.strategies["touch_maker"].max_position == 2
    assert now.limits.venues["sample"].max_gross_exposure == 900
    assert now.limits.symbols["BTC"].max_concentration == Decimal("0.5")
    assert running(old, new, plan(old, new, reason="asked for")) == new


amounts = st.none() | st.integers(1, 5).map(Decimal)


@given(amounts, amounts, st.sampled_from(["max_position", "max_daily_loss", "max_leverage"]))
def test_tighter_is_never_looser(before: Decimal | None, after: Decimal | None, key: str) -> None:
    allowed = Decimal(10**9)
    if is_tighter(key, before, after):
        assert (after or allowed) <= (before or allowed)
    elif before != after:
        assert (after or allowed) > (before or allowed)
    assert key in LimitsSection.model_fields
