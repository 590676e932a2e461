"""Metrics of returns, trades and runs; the report; comparison; statistics of sweeps.

Everything takes plain arrays or a run (:class:`RunData`), and returns small frozen objects with
``to_dict()``, in which an undefined figure is ``None``.
"""

from mainspring.analytics.attribution import Brinson, brinson
from mainspring.analytics.calendar import CRYPTO, US_EQUITIES, Calendar
from mainspring.analytics.comparison import Comparison, compare
from mainspring.analytics.downsample import minmax_indices
from mainspring.analytics.execution_quality import FillFigures, LatencyFigures, OrderFigures
from mainspring.analytics.inventory import InventoryFigures
from mainspring.analytics.performance import (
    BenchmarkMetrics,
    PerformanceMetrics,
    benchmark_metrics,
    max_drawdown,
    omega_ratio,
    performance_metrics,
    sharpe_ratio,
    turnover,
)
from mainspring.analytics.report import MissingExtraError, report
from mainspring.analytics.risk import (
    Drawdown,
    Exposure,
    PortfolioVar,
    ValueAtRisk,
    VolTargetSize,
    drawdown,
    exposure,
    kelly_binary,
    kelly_continuous,
    kelly_weights,
    portfolio_var,
    value_at_risk,
    vol_target_size,
)
from mainspring.analytics.robustness import (
    DeflatedSharpe,
    OverfittingProbability,
    deflated_sharpe,
    expected_max_normal,
    expected_max_sharpe,
    min_backtest_years,
    min_track_record,
    pbo,
    probabilistic_sharpe,
)
from mainspring.analytics.run_data import RunData
from mainspring.analytics.summary import DrawdownFigures, MoneyFigures, Summary, summary
from mainspring.analytics.sweeps import SweepStatistics, Trial, sweep_statistics
from mainspring.analytics.trades import (
    ImplementationShortfall,
    Markout,
    RoundTrips,
    TradeStatistics,
    implementation_shortfall,
    markout_bps,
    markouts,
    round_trips,
    trade_statistics,
)
from mainspring.analytics.validation import (
    PurgedFold,
    Window,
    cpcv_counts,
    purged_kfold,
    walk_forward,
)

__all__ = [
    "CRYPTO",
    "US_EQUITIES",
    "BenchmarkMetrics",
    "Brinson",
    "Calendar",
    "Comparison",
    "DeflatedSharpe",
    "Drawdown",
    "DrawdownFigures",
    "Exposure",
    "FillFigures",
    "ImplementationShortfall",
    "InventoryFigures",
    "LatencyFigures",
    "Markout",
    "MissingExtraError",
    "MoneyFigures",
    "OrderFigures",
    "OverfittingProbability",
    "PerformanceMetrics",
    "PortfolioVar",
    "PurgedFold",
    "RoundTrips",
    "RunData",
    "Summary",
    "SweepStatistics",
    "TradeStatistics",
    "Trial",
    "ValueAtRisk",
    "VolTargetSize",
    "Window",
    "benchmark_metrics",
    "brinson",
    "compare",
    "cpcv_counts",
    "deflated_sharpe",
    "drawdown",
    "expected_max_normal",
    "expected_max_sharpe",
    "exposure",
    "implementation_shortfall",
    "kelly_binary",
    "kelly_continuous",
    "kelly_weights",
    "markout_bps",
    "markouts",
    "max_drawdown",
    "min_backtest_years",
    "min_track_record",
    "minmax_indices",
    "omega_ratio",
    "pbo",
    "performance_metrics",
    "portfolio_var",
    "probabilistic_sharpe",
    "purged_kfold",
    "report",
    "round_trips",
    "sharpe_ratio",
    "summary",
    "sweep_statistics",
    "trade_statistics",
    "turnover",
    "value_at_risk",
    "vol_target_size",
    "walk_forward",
]
