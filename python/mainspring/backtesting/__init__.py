"""Running strategies over recorded data, and what comes of it."""

from mainspring.backtesting.config import Fees, Latency, Limits, Venue
from mainspring.backtesting.engine import backtest
from mainspring.backtesting.run import Run

__all__ = ["Fees", "Latency", "Limits", "Run", "Venue", "backtest"]
