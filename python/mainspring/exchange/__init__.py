"""The built-in exchange: a matching engine with accounts, and a venue that clients trade on.

`Exchange` is the engine in this process, one call at a time. `VenueServer` is the same engine
behind the protocol of a venue, on a port of this machine, over generated flow or a recording.
`flow` is generated trading on that engine as the data of a backtest, with our orders among it.
"""

from mainspring.backtesting.flow import Flow, flow
from mainspring.exchange.engine import Balance, Event, Exchange
from mainspring.exchange.server import Faults, Limits, Member, RecordingState, VenueServer

__all__ = [
    "Balance",
    "Event",
    "Exchange",
    "Faults",
    "Flow",
    "Limits",
    "Member",
    "RecordingState",
    "VenueServer",
    "flow",
]
