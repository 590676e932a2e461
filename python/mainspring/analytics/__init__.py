"""Metrics of returns, trades and runs; the report; comparison; statistics of sweeps.

Everything takes plain arrays or a run (:class:`RunData`), and returns small frozen objects with
``to_dict()``, in which an undefined figure is ``None``.
"""

from mainspring.analytics.attribution import Brinson, brinson
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
