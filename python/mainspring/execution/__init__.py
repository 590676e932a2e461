"""Execution: parent orders worked over time, and the router over several venues.

A plan says what to work and how; `m.execute(plan)` inside a strategy starts it::

    class Seller(ms.Strategy, on="best"):
        def on_start(self, m):
            self.parent = None

        def on_book(self, m):
            if self.parent is None:
                self.parent = m.execute(ms.Twap("sell", "2.5", duration="10m", slices=20))
"""

from mainspring._core import Parent, Route, RoutePart, Shortfall
from mainspring.execution.costs import (
    Impact,
    Trajectory,
    almgren_chriss_trajectory,
    implementation_shortfall,
    market_impact,
)
from mainspring.execution.plans import (
    AlmgrenChriss,
    Iceberg,
    ImplementationShortfall,
    Plan,
    Pov,
    Twap,
    Vwap,
)
from mainspring.execution.router import RouteVenue, route
from mainspring.execution.volume import VolumeCurve, volume_curve

__all__ = [
    "AlmgrenChriss",
    "Iceberg",
    "Impact",
    "ImplementationShortfall",
    "Parent",
    "Plan",
    "Pov",
    "Route",
    "RoutePart",
    "RouteVenue",
    "Shortfall",
    "Trajectory",
    "Twap",
    "VolumeCurve",
    "Vwap",
    "almgren_chriss_trajectory",
    "implementation_shortfall",
    "market_impact",
    "route",
    "volume_curve",
]
