"""The mid price over a run, read again from the run's data."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mainspring import _core
from mainspring.backtesting.inputs import find_inputs
from mainspring.errors import MainspringError

if TYPE_CHECKING:
    from mainspring.backtesting.run import Run

MAX_CHANGES = 4_000_000
"""Changes that are kept of all instruments together: 64 MB."""

Mids = dict[int, dict[str, Any]]


def read_mids(run: Run) -> Mids | None:
    """Every change of our mid price, by instrument index: ``time_ns``, ``mid``, ``interval_ns``.

    The kernel goes over the data once more with the feed latency and the span of the run, so that
    the times are those at which the run's strategies could know. An instrument with more changes
    than its share of `MAX_CHANGES` keeps the last one in each span of ``interval_ns``; it is 0
    where every change is there. None when the data is gone, changed or unreadable.
    """
    first_ns, last_ns = run.span_ns
    if first_ns >= last_ns:
        return None
    config = {**run.facts.config, "end_ns": last_ns}
    share = max(2, MAX_CHANGES // max(1, len(run.instruments)))
    try:
        inputs = find_inputs(run.data)
        if any(one.changed for one in inputs):
            return None
        tracks = _core.mid_changes([str(one.path) for one in inputs], json.dumps(config), share)
    except MainspringError:
        return None
    return {
        index: {**table.to_numpy(), "interval_ns": spacing_ns}
        for index, (table, spacing_ns) in enumerate(tracks)
        if len(table)
    }
