"""Mainspring: a trading engine for people who write Python.

Names are imported on first use, so that `import mainspring` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mainspring import data as data
    from mainspring import exchange as exchange
    from mainspring import execution as execution
    from mainspring import features as features
    from mainspring import journal as journal
    from mainspring import live as live
    from mainspring import models as models
    from mainspring import risk as risk
    from mainspring import strategies as strategies
    from mainspring._core import Market as Market
    from mainspring._core import Table as Table
    from mainspring.backtesting.checks import check_determinism as check_determinism
    from mainspring.backtesting.checks import check_lookahead as check_lookahead
    from mainspring.backtesting.config import Fees as Fees
    from mainspring.backtesting.config import Latency as Latency
    from mainspring.backtesting.config import Venue as Venue
    from mainspring.backtesting.engine import backtest as backtest
    from mainspring.backtesting.reconciling import AdaptiveLife as AdaptiveLife
    from mainspring.backtesting.reconciling import RateBudget as RateBudget
    from mainspring.backtesting.reconciling import Reconcile as Reconcile
    from mainspring.backtesting.reconciling import Urgent as Urgent
    from mainspring.backtesting.replay import replay as replay
    from mainspring.backtesting.run import Run as Run
    from mainspring.backtesting.sweep import sweep as sweep
    from mainspring.data.sample import sample as sample
    from mainspring.errors import MainspringError as MainspringError
    from mainspring.errors import StaleView as StaleView
    from mainspring.execution.plans import AlmgrenChriss as AlmgrenChriss
    from mainspring.execution.plans import Iceberg as Iceberg
    from mainspring.execution.plans import ImplementationShortfall as ImplementationShortfall
    from mainspring.execution.plans import Pov as Pov
    from mainspring.execution.plans import Twap as Twap
    from mainspring.execution.plans import Vwap as Vwap
    from mainspring.risk.limits import DrawdownLadder as DrawdownLadder
    from mainspring.risk.limits import Limits as Limits
    from mainspring.risk.positions import Margin as Margin
    from mainspring.risk.positions import PositionStates as PositionStates
    from mainspring.strategy import native as native
    from mainspring.strategy.base import Strategy as Strategy
    from mainspring.strategy.compiled import compiled as compiled
    from mainspring.strategy.parameters import Price as Price
    from mainspring.strategy.parameters import Qty as Qty

__version__ = "0.1.0"

# Public name -> "module:attribute", or "module" where the name is the module itself. One line here
# and its import under TYPE_CHECKING above is all that a public name needs.
_LAZY = {
    "Strategy": "mainspring.strategy.base:Strategy",
    "Qty": "mainspring.strategy.parameters:Qty",
    "Price": "mainspring.strategy.parameters:Price",
    "native": "mainspring.strategy.native",
    "compiled": "mainspring.strategy.compiled:compiled",
    "models": "mainspring.models",
    "exchange": "mainspring.exchange",
    "risk": "mainspring.risk",
    "strategies": "mainspring.strategies",
    "backtest": "mainspring.backtesting.engine:backtest",
    "check_determinism": "mainspring.backtesting.checks:check_determinism",
    "check_lookahead": "mainspring.backtesting.checks:check_lookahead",
    "Run": "mainspring.backtesting.run:Run",
    "replay": "mainspring.backtesting.replay:replay",
    "sweep": "mainspring.backtesting.sweep:sweep",
    "Venue": "mainspring.backtesting.config:Venue",
    "Latency": "mainspring.backtesting.config:Latency",
    "Reconcile": "mainspring.backtesting.reconciling:Reconcile",
    "RateBudget": "mainspring.backtesting.reconciling:RateBudget",
    "AdaptiveLife": "mainspring.backtesting.reconciling:AdaptiveLife",
    "Urgent": "mainspring.backtesting.reconciling:Urgent",
    "Fees": "mainspring.backtesting.config:Fees",
    "Limits": "mainspring.risk.limits:Limits",
    "DrawdownLadder": "mainspring.risk.limits:DrawdownLadder",
    "Margin": "mainspring.risk.positions:Margin",
    "PositionStates": "mainspring.risk.positions:PositionStates",
    "StaleView": "mainspring.errors:StaleView",
    "execution": "mainspring.execution",
    "features": "mainspring.features",
    "AlmgrenChriss": "mainspring.execution.plans:AlmgrenChriss",
    "Iceberg": "mainspring.execution.plans:Iceberg",
    "ImplementationShortfall": "mainspring.execution.plans:ImplementationShortfall",
    "Pov": "mainspring.execution.plans:Pov",
    "Twap": "mainspring.execution.plans:Twap",
    "Vwap": "mainspring.execution.plans:Vwap",
    "data": "mainspring.data",
    "journal": "mainspring.journal",
    "live": "mainspring.live",
    "sample": "mainspring.data.sample:sample",
    "Market": "mainspring._core:Market",
    "Table": "mainspring._core:Table",
    "MainspringError": "mainspring.errors:MainspringError",
    "errors": "mainspring.errors",
}

__all__ = ["__version__", *sorted(_LAZY)]  # noqa: PLE0604 - the table is the list


def __getattr__(name: str) -> Any:
    if name == "_core":
        return _extension()
    if name not in _LAZY:
        raise AttributeError(f"module 'mainspring' has no attribute {name!r}")
    module_name, _, attribute = _LAZY[name].partition(":")
    own = module_name == "mainspring._core"
    module = _extension() if own else importlib.import_module(module_name)
    value = getattr(module, attribute) if attribute else module
    globals()[name] = value
    return value


def _extension() -> Any:
    try:
        return importlib.import_module("mainspring._core")
    except ModuleNotFoundError as error:
        if error.name != "mainspring._core":
            raise
        raise ModuleNotFoundError(
            "mainspring._core is missing: build the extension with `make build`, or reinstall "
            "mainspring; the slow engine in mainspring.reference runs without it",
            name="mainspring._core",
        ) from None


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
