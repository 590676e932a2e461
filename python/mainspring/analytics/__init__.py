"""Metrics of returns, trades and runs; the report; comparison; statistics of sweeps.

Everything takes plain arrays or a run (:class:`RunData`), and returns small frozen objects with
``to_dict()``, in which an undefined figure is ``None``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mainspring.analytics.attribution import (
        Brinson as Brinson,
    )
    from mainspring.analytics.attribution import (
        brinson as brinson,
    )
    from mainspring.analytics.calendar import (
        CRYPTO as CRYPTO,
    )
    from mainspring.analytics.calendar import (
        US_EQUITIES as US_EQUITIES,
    )
    from mainspring.analytics.calendar import (
        Calendar as Calendar,
    )
    from mainspring.analytics.comparison import (
        Comparison as Comparison,
    )
    from mainspring.analytics.comparison import (
        compare as compare,
    )
    from mainspring.analytics.downsample import (
        minmax_indices as minmax_indices,
    )
    from mainspring.analytics.execution_quality import (
        FillFigures as FillFigures,
    )
    from mainspring.analytics.execution_quality import (
        LatencyFigures as LatencyFigures,
    )
    from mainspring.analytics.execution_quality import (
        OrderFigures as OrderFigures,
    )
    from mainspring.analytics.inventory import (
        InventoryFigures as InventoryFigures,
    )
    from mainspring.analytics.performance import (
        BenchmarkMetrics as BenchmarkMetrics,
    )
    from mainspring.analytics.performance import (
        PerformanceMetrics as PerformanceMetrics,
    )
    from mainspring.analytics.performance import (
        benchmark_metrics as benchmark_metrics,
    )
    from mainspring.analytics.performance import (
        max_drawdown as max_drawdown,
    )
    from mainspring.analytics.performance import (
        omega_ratio as omega_ratio,
    )
    from mainspring.analytics.performance import (
        performance_metrics as performance_metrics,
    )
    from mainspring.analytics.performance import (
        sharpe_ratio as sharpe_ratio,
    )
    from mainspring.analytics.performance import (
        turnover as turnover,
    )
    from mainspring.analytics.risk import (
        Correlation as Correlation,
    )
    from mainspring.analytics.risk import (
        Drawdown as Drawdown,
    )
    from mainspring.analytics.risk import (
        Exposure as Exposure,
    )
    from mainspring.analytics.risk import (
        PortfolioVar as PortfolioVar,
    )
    from mainspring.analytics.risk import (
        ValueAtRisk as ValueAtRisk,
    )
    from mainspring.analytics.risk import (
        VolTargetSize as VolTargetSize,
    )
    from mainspring.analytics.risk import (
        correlation as correlation,
    )
    from mainspring.analytics.risk import (
        drawdown as drawdown,
    )
    from mainspring.analytics.risk import (
        exposure as exposure,
    )
    from mainspring.analytics.risk import (
        kelly_binary as kelly_binary,
    )
    from mainspring.analytics.risk import (
        kelly_continuous as kelly_continuous,
    )
    from mainspring.analytics.risk import (
        kelly_weights as kelly_weights,
    )
    from mainspring.analytics.risk import (
        portfolio_var as portfolio_var,
    )
    from mainspring.analytics.risk import (
        value_at_risk as value_at_risk,
    )
    from mainspring.analytics.risk import (
        vol_target_size as vol_target_size,
    )
    from mainspring.analytics.robustness import (
        DeflatedSharpe as DeflatedSharpe,
    )
    from mainspring.analytics.robustness import (
        OverfittingProbability as OverfittingProbability,
    )
    from mainspring.analytics.robustness import (
        deflated_sharpe as deflated_sharpe,
    )
    from mainspring.analytics.robustness import (
        expected_max_normal as expected_max_normal,
    )
    from mainspring.analytics.robustness import (
        expected_max_sharpe as expected_max_sharpe,
    )
    from mainspring.analytics.robustness import (
        min_backtest_years as min_backtest_years,
    )
    from mainspring.analytics.robustness import (
        min_track_record as min_track_record,
    )
    from mainspring.analytics.robustness import (
        pbo as pbo,
    )
    from mainspring.analytics.robustness import (
        probabilistic_sharpe as probabilistic_sharpe,
    )
    from mainspring.analytics.run_data import (
        RunData as RunData,
    )
    from mainspring.analytics.run_report import (
        MissingExtraError as MissingExtraError,
    )
    from mainspring.analytics.run_report import (
        report as report,
    )
    from mainspring.analytics.run_summary import (
        DrawdownFigures as DrawdownFigures,
    )
    from mainspring.analytics.run_summary import (
        MoneyFigures as MoneyFigures,
    )
    from mainspring.analytics.run_summary import (
        Summary as Summary,
    )
    from mainspring.analytics.run_summary import (
        summary as summary,
    )
    from mainspring.analytics.sweeps import (
        SweepStatistics as SweepStatistics,
    )
    from mainspring.analytics.sweeps import (
        Trial as Trial,
    )
    from mainspring.analytics.sweeps import (
        sweep_statistics as sweep_statistics,
    )
    from mainspring.analytics.trades import (
        ImplementationShortfall as ImplementationShortfall,
    )
    from mainspring.analytics.trades import (
        Markout as Markout,
    )
    from mainspring.analytics.trades import (
        RoundTrips as RoundTrips,
    )
    from mainspring.analytics.trades import (
        TradeStatistics as TradeStatistics,
    )
    from mainspring.analytics.trades import (
        implementation_shortfall as implementation_shortfall,
    )
    from mainspring.analytics.trades import (
        markout_bps as markout_bps,
    )
    from mainspring.analytics.trades import (
        markouts as markouts,
    )
    from mainspring.analytics.trades import (
        round_trips as round_trips,
    )
    from mainspring.analytics.trades import (
        trade_statistics as trade_statistics,
    )
    from mainspring.analytics.validation import (
        PurgedFold as PurgedFold,
    )
    from mainspring.analytics.validation import (
        Window as Window,
    )
    from mainspring.analytics.validation import (
        cpcv_counts as cpcv_counts,
    )
    from mainspring.analytics.validation import (
        purged_kfold as purged_kfold,
    )
    from mainspring.analytics.validation import (
        walk_forward as walk_forward,
    )

# Public name -> the module of this package that has it, imported on first use.
_HOME = {
    "Brinson": "attribution",
    "brinson": "attribution",
    "CRYPTO": "calendar",
    "Calendar": "calendar",
    "US_EQUITIES": "calendar",
    "Comparison": "comparison",
    "compare": "comparison",
    "minmax_indices": "downsample",
    "FillFigures": "execution_quality",
    "LatencyFigures": "execution_quality",
    "OrderFigures": "execution_quality",
    "InventoryFigures": "inventory",
    "BenchmarkMetrics": "performance",
    "PerformanceMetrics": "performance",
    "benchmark_metrics": "performance",
    "max_drawdown": "performance",
    "omega_ratio": "performance",
    "performance_metrics": "performance",
    "sharpe_ratio": "performance",
    "turnover": "performance",
    "MissingExtraError": "run_report",
    "report": "run_report",
    "Drawdown": "risk",
    "Correlation": "risk",
    "Exposure": "risk",
    "PortfolioVar": "risk",
    "ValueAtRisk": "risk",
    "VolTargetSize": "risk",
    "drawdown": "risk",
    "correlation": "risk",
    "exposure": "risk",
    "kelly_binary": "risk",
    "kelly_continuous": "risk",
    "kelly_weights": "risk",
    "portfolio_var": "risk",
    "value_at_risk": "risk",
    "vol_target_size": "risk",
    "DeflatedSharpe": "robustness",
    "OverfittingProbability": "robustness",
    "deflated_sharpe": "robustness",
    "expected_max_normal": "robustness",
    "expected_max_sharpe": "robustness",
    "min_backtest_years": "robustness",
    "min_track_record": "robustness",
    "pbo": "robustness",
    "probabilistic_sharpe": "robustness",
    "RunData": "run_data",
    "DrawdownFigures": "run_summary",
    "MoneyFigures": "run_summary",
    "Summary": "run_summary",
    "summary": "run_summary",
    "SweepStatistics": "sweeps",
    "Trial": "sweeps",
    "sweep_statistics": "sweeps",
    "ImplementationShortfall": "trades",
    "Markout": "trades",
    "RoundTrips": "trades",
    "TradeStatistics": "trades",
    "implementation_shortfall": "trades",
    "markout_bps": "trades",
    "markouts": "trades",
    "round_trips": "trades",
    "trade_statistics": "trades",
    "PurgedFold": "validation",
    "Window": "validation",
    "cpcv_counts": "validation",
    "purged_kfold": "validation",
    "walk_forward": "validation",
}

__all__ = sorted(_HOME)  # noqa: PLE0605 - the table is the list


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'mainspring.analytics' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"mainspring.analytics.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
