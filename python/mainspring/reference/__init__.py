"""A slow engine in plain Python that reads like a textbook.

It follows docs/explanation/simulated-venue.md and shares no code with the compiled kernel: the
oracle of its tests, the fallback where the extension is missing, and the place to read how the fast
one works. Start with `engine.run`, then `venue`, `fills`, `queue`, `orders`, `ledger`; `read` takes
the rows of an event file.

Everything is counted in integers: prices in ticks, quantities in lots, money in quanta of 10^-18.
"""

from mainspring.reference.engine import FillRow, OrderRow, Result, RunConfig, run
from mainspring.reference.event_files import read
from mainspring.reference.latency import ConstantLatency, TableLatency
from mainspring.reference.vocabulary import (
    Instrument,
    InstrumentKind,
    OrderTerms,
    Row,
    RowKind,
    Side,
    VenueConfig,
)

__all__ = [
    "ConstantLatency",
    "FillRow",
    "Instrument",
    "InstrumentKind",
    "OrderRow",
    "OrderTerms",
    "Result",
    "Row",
    "RowKind",
    "RunConfig",
    "Side",
    "TableLatency",
    "VenueConfig",
    "read",
    "run",
]
