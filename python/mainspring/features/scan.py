"""Features over stored rows: the kernel's own chain, without a run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

from mainspring import _core
from mainspring._core import Table
from mainspring.data.dataset import Dataset
from mainspring.errors import InvalidValue
from mainspring.strategy.base import Feature
from mainspring.written import Span, span_ns


def compute(
    data: Dataset | str | PathLike[str],
    features: Sequence[Feature],
    *,
    every: Span | None = None,
    instrument: str | int | None = None,
) -> Table:
    """Values of features over a data set, as a strategy would have seen them.

    Args:
        data: a data set of market rows (depth and trades), or its path.
        features: what to compute; docs/reference/features.md lists them.
        every: one sample for the first message in each such span; every message without it.
        instrument: symbol or index; needed when the file has several.

    Returns:
        A table with `time_ns` (receive time of the sample's message) and a float column for each
        feature. A value is NaN where the feature is not defined.

    Raises:
        ConfigError: a feature that does not exist or cannot be read.
        InvalidValue: a data set of several files or of bars or orders, an instrument that is not
            in it.
        DataError, StorageError: the file is damaged or was cut.
    """
    file, index = _file(data, instrument)
    every_ns = 0 if every is None else span_ns(every, "every")
    return _core.compute_features(file, index, json.dumps(list(features)), every_ns)


def book(
    data: Dataset | str | PathLike[str],
    levels: int = 10,
    *,
    every: Span | None = None,
    instrument: str | int | None = None,
) -> Table:
    """The best levels of the book over a data set, as known when each row was received.

    Args:
        data: a data set of market rows, or its path.
        levels: levels of each side, 1 to 64.
        every: one sample for the first message in each such span; every message of the book without
            it.
        instrument: symbol or index; needed when the file has several.

    Returns:
        A table with `time_ns`, and `bid_N`, `bid_qty_N`, `ask_N`, `ask_qty_N` for each level N from
        0, the best. A level that is not there has the price NaN and the quantity zero. While the
        book cannot be trusted (a gap, a crossed book) there is no sample.

    Raises:
        InvalidValue: levels out of range, a data set of several files or of bars or orders, an
            instrument that is not in it.
        DataError, StorageError: the file is damaged or was cut.
    """
    file, index = _file(data, instrument)
    return _core.book_levels(file, index, levels, 0 if every is None else span_ns(every, "every"))


@dataclass(frozen=True, slots=True)
class Microprice:
    """A micro-price fitted on quotes.

    Attributes:
        imbalances: buckets of the imbalance at the best prices.
        spreads: spreads of one to this many ticks are states of their own.
        adjustment_ticks: what to add to the mid in a state, in ticks: a row for each spread, a
            column for each bucket of imbalance, from all ask to all bid.
        transitions: pairs of successive quotes that the fit used.
    """

    imbalances: int
    spreads: int
    adjustment_ticks: tuple[tuple[float, ...], ...]
    transitions: int

    @property
    def feature(self) -> dict[str, Any]:
        """The feature to give to `ms.backtest(features=[...])` or `compute`."""
        flat = [value for row in self.adjustment_ticks for value in row]
        table = {
            "imbalances": self.imbalances,
            "spreads": self.spreads,
            "adjustment_ticks": flat,
        }
        return {"microprice": {"table": table}}


def fit_microprice(
    data: Dataset | str | PathLike[str],
    *,
    imbalances: int = 10,
    spreads: int = 2,
    instrument: str | int | None = None,
) -> Microprice:
    """Fits the micro-price on the best quotes of a data set.

    Quotes are taken each time a best price or size has changed. Stoikov (2018), The micro-price: a
    high-frequency estimator of future prices, Quantitative Finance 18(12), section 3; every pair is
    counted in the mirror too.

    Args:
        data: a data set of market rows, or its path.
        imbalances: buckets of the imbalance.
        spreads: the largest spread in ticks that is a state; pairs beyond it are left out.
        instrument: symbol or index; needed when the file has several.

    Raises:
        InvalidValue: too many or no states, no pair of quotes that fits them, or a series that does
            not converge.
    """
    file, index = _file(data, instrument)
    used, text = _core.fit_microprice(file, index, imbalances, spreads)
    flat = json.loads(text)["adjustment_ticks"]
    rows = tuple(tuple(flat[at : at + imbalances]) for at in range(0, len(flat), imbalances))
    return Microprice(imbalances, spreads, rows, used)


def _file(
    data: Dataset | str | PathLike[str], instrument: str | int | None
) -> tuple[_core.EventFile, int]:
    found = data if isinstance(data, Dataset) else Dataset.open(data)
    if isinstance(instrument, int) and not 0 <= instrument < len(found.instruments):
        raise InvalidValue(f"there is no instrument {instrument} in the data set")
    if instrument is None and len(found.instruments) > 1:
        names = ", ".join(one.symbol for one in found.instruments)
        raise InvalidValue(f"the data set has several instruments ({names}): name one")
    return found.single_file("compute features"), found.instrument_index(instrument) or 0
