"""Sessions on real time: the strategy of a backtest, unchanged, on a market that goes on.

Start one with `paper` on the built-in venue or with `live` on venues outside, and use it as a
context manager: leaving it ends the session in order.
"""

from __future__ import annotations

from mainspring.live.ccxt_feed import CcxtFeed
from mainspring.live.ccxt_venue import CcxtVenue
from mainspring.live.config import Keep, PaperVenue, Recording, Rollout, VenueFeed
from mainspring.live.credentials import Credentials
from mainspring.live.model_fills import Filled, ModelFills, OrderFills, model_fills
from mainspring.live.parity import Parity, ParityDifference, parity
from mainspring.live.rerun import Rerun, WishDifference, shadow, verify
from mainspring.live.session import LiveSession, ModelSwap, Outcome, Status, paper
from mainspring.live.trade import VenueStatus, live
from mainspring.live.venue import Check, Hedge, LiveVenue

__all__ = [
    "CcxtFeed",
    "CcxtVenue",
    "Check",
    "Credentials",
    "Filled",
    "Hedge",
    "Keep",
    "LiveSession",
    "LiveVenue",
    "ModelFills",
    "ModelSwap",
    "OrderFills",
    "Outcome",
    "PaperVenue",
    "Parity",
    "ParityDifference",
    "Recording",
    "Rerun",
    "Rollout",
    "Status",
    "VenueFeed",
    "VenueStatus",
    "WishDifference",
    "live",
    "model_fills",
    "paper",
    "parity",
    "shadow",
    "verify",
]
