"""Risk: limits that every order is checked against, margin, position states, stops, sizes.

Figures about risk that was taken (value at risk, drawdown, exposure, correlation) are in
`mainspring.analytics`; `budgets` turns them into limits.
"""

from mainspring.risk.limits import Breaker, DrawdownLadder, Limits, Rate
from mainspring.risk.positions import Margin, PositionStates
from mainspring.risk.stops import Stop
from mainspring.risk.validation import CallbackServer, Validator

__all__ = [
    "Breaker",
    "CallbackServer",
    "DrawdownLadder",
    "Limits",
    "Margin",
    "PositionStates",
    "Rate",
    "Stop",
    "Validator",
]
