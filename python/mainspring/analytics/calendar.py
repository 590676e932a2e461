"""Time as performance figures need it: periods of a year, and equity on a regular step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mainspring.analytics.figures import Figures

SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS
HOUR_NS = 60 * MINUTE_NS
DAY_NS = 24 * HOUR_NS

STEP_NAMES = {SECOND_NS: "1 s", MINUTE_NS: "1 min", HOUR_NS: "1 h", DAY_NS: "1 day"}


@dataclass(frozen=True, slots=True)
class Calendar(Figures):
    """A trading calendar: days a year and trading time a day.

    Attributes:
        name: how it is printed.
        days_per_year: trading days in a year.
        session_ns: trading time of one day.
        continuous: whether it never closes; else periods without a sample are left out.
    """

    name: str
    days_per_year: int
    session_ns: int
    continuous: bool

    def periods_per_year(self, step_ns: int) -> float:
        """How many steps make a year of trading."""
        if step_ns >= DAY_NS:
            return self.days_per_year * DAY_NS / step_ns
        return self.days_per_year * self.session_ns / step_ns


CRYPTO = Calendar("crypto, 365 days of 24 h", 365, DAY_NS, continuous=True)
US_EQUITIES = Calendar(
    "US equities, 252 sessions of 6.5 h", 252, 13 * HOUR_NS // 2, continuous=False
)


@dataclass(frozen=True, slots=True)
class SteppedEquity:
    """Equity on a regular calendar step.

    ``time_ns[k]`` ends a period (a multiple of ``step_ns`` since the epoch, UTC) and ``equity[k]``
    is the last known equity then; row 0 is the start capital. The first and last period may be cut
    short by the run.
    """

    step_ns: int
    time_ns: NDArray[np.int64]
    equity: NDArray[np.float64]

    def returns(self) -> NDArray[np.float64] | None:
        """Simple returns, ``None`` where equity was not positive at the start of a period."""
        start = self.equity[:-1]
        if not (start > 0).all() or not np.isfinite(self.equity).all():
            return None
        change: NDArray[np.float64] = np.maximum(self.equity[1:] / start - 1.0, -1.0)
        return change


def regular_step(span_ns: int, sampling_ns: int, min_periods: int = 30) -> int:
    """The coarsest of 1 day, 1 h, 1 min, 1 s with ``min_periods`` in the span.

    Where none has, the finest that is not finer than the samples.
    """
    steps = sorted(STEP_NAMES, reverse=True)
    for step in steps:
        if span_ns >= min_periods * step:
            return step
    return min((s for s in steps if s >= sampling_ns), default=steps[0])


def step_equity(
    time_ns: NDArray[np.int64],
    equity: NDArray[np.float64],
    start_equity: float,
    step_ns: int,
    *,
    continuous: bool = True,
) -> SteppedEquity:
    """Resample an equity curve: the last value at or before each multiple of ``step_ns``.

    Args:
        time_ns: ascending sample times, shape ``(n,)``, at least one.
        equity: equity at those times, shape ``(n,)``.
        start_equity: equity before the first sample: the capital.
        step_ns: the step.
        continuous: keep periods without a sample; else they are dropped (nights, weekends).
    """
    first = int(time_ns[0]) // step_ns * step_ns
    # A sample on a boundary belongs to the period that it ends.
    count = max(1, -((first - int(time_ns[-1])) // step_ns))
    ends = first + step_ns * np.arange(1, count + 1, dtype=np.int64)
    index = np.searchsorted(time_ns, ends, side="right") - 1
    if not continuous:
        fresh = np.diff(index, prepend=-1) > 0
        ends, index = ends[fresh], index[fresh]
    return SteppedEquity(
        step_ns=step_ns,
        time_ns=np.concatenate(([first], ends)),
        equity=np.concatenate(([start_equity], equity[index])),
    )
