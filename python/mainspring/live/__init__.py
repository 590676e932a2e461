"""Sessions on real time: the strategy of a backtest, unchanged, on a market that goes on.

Start one with `paper`, and use it as a context manager: leaving it ends the session in order.
"""

from __future__ import annotations

from mainspring.live.config import Keep, PaperVenue
from mainspring.live.rerun import Rerun, WishDifference, shadow, verify
from mainspring.live.session import LiveSession, Outcome, Status, paper

__all__ = [
    "Keep",
    "LiveSession",
    "Outcome",
    "PaperVenue",
    "Rerun",
    "Status",
    "WishDifference",
    "paper",
    "shadow",
    "verify",
]
