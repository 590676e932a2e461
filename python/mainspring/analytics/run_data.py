"""What the figures and the report need of a run, and how they read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Table: TypeAlias = Mapping[str, NDArray[Any]]


@runtime_checkable
class RunData(Protocol):
    """A finished run. The tables' columns are those of ``docs/reference/results.md``.

    Each table is a mapping of arrays or has ``to_numpy()``; `columns` reads both.

    A run may also have ``mids``: ``{instrument index: {"time_ns", "mid"}}``, every change of the
    mid price, with ``interval_ns`` where they were thinned to one in such a span. Without it, mid
    prices come from the position samples and the fills, and markouts at horizons shorter than the
    sampling interval are undefined.
    """

    @property
    def fills(self) -> Any:
        """One row a fill."""

    @property
    def orders(self) -> Any:
        """One row a change of an order's state."""

    @property
    def equity(self) -> Any:
        """One row an equity sample."""

    @property
    def positions(self) -> Any:
        """One row a (sample, strategy, instrument)."""

    @property
    def instruments(self) -> list[dict[str, Any]]:
        """Instrument descriptions; the tables' ``instrument`` is the index."""

    @property
    def strategies(self) -> list[str]:
        """Names; the tables' ``strategy`` is the index."""

    @property
    def config(self) -> dict[str, Any]:
        """Everything that was configured: models, seeds, parameters."""

    @property
    def hash(self) -> str:
        """Hash over inputs, parameters and outputs."""

    @property
    def data(self) -> list[dict[str, Any]]:
        """The inputs: ``source``, ``hash``, ``rows``, ``span_ns``, ``clock`` of each."""

    @property
    def counts(self) -> dict[str, Any]:
        """``rows``, ``messages``, ``events_per_s`` and the like."""

    @property
    def codes(self) -> Mapping[str, Any]:
        """Names of the codes of ``state``, ``order_type`` and ``reason``: lists or mappings."""

    @property
    def span_ns(self) -> tuple[int, int]:
        """First and last time of the run."""


@dataclass(frozen=True, slots=True)
class RunSnapshot:
    """A run with its tables as arrays, converted once. Satisfies :class:`RunData`."""

    fills: Table
    orders: Table
    equity: Table
    positions: Table
    instruments: list[dict[str, Any]]
    strategies: list[str]
    config: dict[str, Any]
    hash: str
    data: list[dict[str, Any]]
    counts: dict[str, Any]
    codes: Mapping[str, Any]
    span_ns: tuple[int, int]
    mids: Mapping[int, Table]


def snapshot(run: RunData) -> RunSnapshot:
    """The run with every table converted to arrays; a snapshot is returned as it is."""
    if isinstance(run, RunSnapshot):
        return run
    mids = getattr(run, "mids", None) or {}
    return RunSnapshot(
        fills=columns(run.fills),
        orders=columns(run.orders),
        equity=columns(run.equity),
        positions=columns(run.positions),
        instruments=list(run.instruments),
        strategies=list(run.strategies),
        config=dict(run.config),
        hash=run.hash,
        data=list(run.data),
        counts=dict(run.counts),
        codes=run.codes,
        span_ns=(int(run.span_ns[0]), int(run.span_ns[1])),
        mids={index: columns(table) for index, table in mids.items()},
    )


def columns(table: Any) -> Table:
    """A table as a mapping of arrays, whether it is one already or has ``to_numpy()``."""
    if isinstance(table, Mapping):
        return table
    arrays: Table = table.to_numpy()
    return arrays


def code_name(codes: Mapping[str, Any], column: str, value: int) -> str:
    """The name of a code, or ``column value`` where the run does not name it."""
    names = codes.get(column)
    if isinstance(names, Mapping):
        name = names.get(value, names.get(str(value)))
    elif isinstance(names, Sequence) and 0 <= value < len(names):
        name = names[value]
    else:
        name = None
    return f"{column} {value}" if name is None else str(name)


def quote_currency(run: RunData) -> str | None:
    """The quote currency when all instruments share it."""
    quotes = {str(i.get("quote", "")) for i in run.instruments}
    return quotes.pop() if len(quotes) == 1 else None


def report_currency(run: RunData) -> str:
    """The currency of the equity table: configured, else of all settlements, else ``""``."""
    named = run.config.get("report_currency") or run.config.get("currency")
    if named:
        return str(named)
    settled = {str(i.get("base" if is_inverse(i) else "quote", "")) for i in run.instruments}
    return settled.pop() if len(settled) == 1 else ""


def is_inverse(instrument: Mapping[str, Any]) -> bool:
    """Whether profit is settled in base."""
    return str(instrument.get("kind", "")).startswith("inverse")


def notional(run: RunData, fills: Table) -> NDArray[np.float64]:
    """Value of each fill in its instrument's quote currency, shape ``(n,)``."""
    multiplier = np.array([float(i.get("multiplier", 1)) for i in run.instruments] or [1.0])
    inverse = np.array([is_inverse(i) for i in run.instruments] or [False])
    which = np.asarray(fills["instrument"], dtype=np.int64)
    price = np.where(inverse[which], 1.0, np.asarray(fills["price"], dtype=np.float64))
    value: NDArray[np.float64] = price * np.asarray(fills["qty"], np.float64) * multiplier[which]
    return value


@dataclass(frozen=True, slots=True)
class MidSeries:
    """Mid prices of one instrument as a step function.

    ``interval_ns`` is the typical distance between forced samples, 0 when every change is there.
    """

    time_ns: NDArray[np.int64]
    mid: NDArray[np.float64]
    interval_ns: int


def mid_series(run: RunData, instrument: int) -> MidSeries:
    """The mid prices of an instrument that the run kept (see :class:`RunData`)."""
    recorded = snapshot(run).mids.get(instrument)
    if recorded is not None:
        time_ns = np.asarray(recorded["time_ns"], dtype=np.int64)
        interval = int(recorded["interval_ns"]) if "interval_ns" in recorded else 0
        return MidSeries(time_ns, np.asarray(recorded["mid"], dtype=np.float64), interval)
    positions, fills = columns(run.positions), columns(run.fills)
    rows = np.flatnonzero(positions["instrument"] == instrument)
    if len(rows):
        # Each strategy repeats the sample: one is enough.
        rows = rows[positions["strategy"][rows] == positions["strategy"][rows[0]]]
    own = np.flatnonzero(fills["instrument"] == instrument)
    sampled = np.asarray(positions["time_ns"], dtype=np.int64)[rows]
    mid = 0.5 * (positions["bid"][rows] + positions["ask"][rows])
    time_ns = np.concatenate((sampled, np.asarray(fills["time_ns"], dtype=np.int64)[own]))
    values = np.concatenate((mid, fills["mid"][own])).astype(np.float64)
    order = np.argsort(time_ns, kind="stable")
    order = order[np.isfinite(values[order])]
    interval = int(np.median(np.diff(sampled))) if len(sampled) > 1 else DEFAULT_INTERVAL_NS
    return MidSeries(time_ns[order], values[order], interval)


DEFAULT_INTERVAL_NS = 2**62


def sampling_interval_ns(time_ns: NDArray[np.int64]) -> int:
    """The typical distance between equity samples, 0 with fewer than two."""
    return int(np.median(np.diff(time_ns))) if len(time_ns) > 1 else 0
