"""What is held of each asset, over all venues and strategies: positions by venue, net and gross.

A long position at one venue and a short one at another are one exposure: what counts against a move
of the asset is their sum. Quantities are in units of the base asset, whatever the contract; values
are in the quote currency, by currency where instruments have several.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import TYPE_CHECKING, Any, NamedTuple

from mainspring.errors import DataError

if TYPE_CHECKING:
    from mainspring.backtesting.run import Run
    from mainspring.journal import Journal


class Held(NamedTuple):
    """A position as it was sampled.

    Attributes:
        instrument: Index into the instruments.
        lots: Signed quantity in lots, or contracts.
        mid: Price then; NaN where there was none.
    """

    instrument: int
    lots: int
    mid: float


@dataclass(frozen=True, slots=True)
class AssetExposure:
    """One asset over all venues.

    Attributes:
        asset: The base asset.
        long: Sum of the long positions of venues, in units of the asset.
        short: Sum of the short ones, negative.
        by_venue: Net quantity at each venue.
        by_instrument: Net quantity in each instrument, as ``symbol@venue``.
        value: Net value by quote currency; NaN where an instrument that is held has no price.
    """

    asset: str
    long: float
    short: float
    by_venue: Mapping[str, float] = field(default_factory=dict)
    by_instrument: Mapping[str, float] = field(default_factory=dict)
    value: Mapping[str, float] = field(default_factory=dict)

    @property
    def net(self) -> float:
        """What counts against a move of the asset."""
        return self.long + self.short

    @property
    def gross(self) -> float:
        """What is held in all, both ways."""
        return self.long - self.short


def net_exposures(
    held: Iterable[Held], instruments: Sequence[Mapping[str, Any]]
) -> dict[str, AssetExposure]:
    """Exposures by asset, of positions of any number of strategies and venues.

    Args:
        held: The positions; several in one instrument are added up.
        instruments: Definitions, as `Run.instruments` and the sources of a journal have them.

    Raises:
        DataError: A position is in an instrument that is not defined.
    """
    lots: dict[int, int] = {}
    mids: dict[int, float] = {}
    for one in held:
        if not 0 <= one.instrument < len(instruments):
            raise DataError(f"a position in instrument {one.instrument}, which is not defined")
        lots[one.instrument] = lots.get(one.instrument, 0) + one.lots
        mids[one.instrument] = one.mid
    assets: dict[str, list[tuple[Mapping[str, Any], float, float]]] = {}
    for index, count in lots.items():
        instrument = instruments[index]
        quantity, value = _measured(instrument, count, mids[index])
        assets.setdefault(str(instrument["base"]), []).append((instrument, quantity, value))
    return {asset: _exposure(asset, parts) for asset, parts in sorted(assets.items())}


def _measured(instrument: Mapping[str, Any], lots: int, mid: float) -> tuple[float, float]:
    """Base quantity and value in the quote currency."""
    if lots == 0:
        return 0.0, 0.0
    contracts = lots * float(instrument["lot"]) * float(instrument["multiplier"])
    if str(instrument["kind"]).startswith("inverse"):
        # A contract is worth a fixed amount of the quote currency.
        return contracts / mid, contracts
    return contracts, contracts * mid


def _exposure(asset: str, parts: Sequence[tuple[Mapping[str, Any], float, float]]) -> AssetExposure:
    by_venue: dict[str, float] = {}
    by_instrument: dict[str, float] = {}
    value: dict[str, float] = {}
    for instrument, quantity, worth in parts:
        venue, quote = str(instrument["venue"]), str(instrument["quote"])
        by_venue[venue] = by_venue.get(venue, 0.0) + quantity
        by_instrument[f"{instrument['symbol']}@{venue}"] = quantity
        value[quote] = value.get(quote, 0.0) + worth
    quantities = by_venue.values()
    unknown = any(math.isnan(quantity) for quantity in quantities)
    return AssetExposure(
        asset=asset,
        long=math.nan if unknown else sum(q for q in quantities if q > 0),
        short=math.nan if unknown else sum(q for q in quantities if q < 0),
        by_venue=by_venue,
        by_instrument=by_instrument,
        value=value,
    )


def exposures_of_run(run: Run, at_ns: int | None = None) -> dict[str, AssetExposure]:
    """Exposures of a run at its last sample up to `at_ns`, or at its end."""
    columns = run.positions.to_numpy()
    latest: dict[tuple[int, int], Held] = {}
    mids = ((columns["bid"] + columns["ask"]) / 2).tolist()
    rows = zip(
        columns["time_ns"].tolist(), columns["strategy"].tolist(), columns["instrument"].tolist(),
        columns["position_lots"].tolist(), mids, strict=True,
    )  # fmt: skip
    for time_ns, strategy, instrument, lots, mid in rows:
        if at_ns is not None and time_ns > at_ns:
            break
        latest[strategy, instrument] = Held(instrument, lots, mid)
    return net_exposures(latest.values(), run.instruments)


def exposures_of_journal(
    journal: Journal | str | PathLike[str], at_ns: int | None = None
) -> dict[str, AssetExposure]:
    """Exposures of a session at its last sample up to `at_ns`, or at the end of its journal.

    Raises:
        NotFoundError: There is no journal.
        MismatchError: The journal is damaged.
    """
    from mainspring.journal import Journal, Record

    journal = journal if isinstance(journal, Journal) else Journal(journal)
    instruments = journal.sources.instruments
    latest: dict[tuple[int, int], Held] = {}
    for record in journal.records(types=["position"]):
        if not isinstance(record, Record):
            continue
        if at_ns is not None and record.time_ns > at_ns:
            break
        said = record.fields
        index = int(said["instrument"])
        latest[int(said["strategy"]), index] = Held(
            index, int(said["position_lots"]), _mid(said, instruments[index])
        )
    return net_exposures(latest.values(), instruments)


def _mid(said: Mapping[str, Any], instrument: Mapping[str, Any]) -> float:
    bid, ask = said["bid_ticks"], said["ask_ticks"]
    if bid is None or ask is None:
        return math.nan
    tick = float(instrument["grids"][0]["tick"])
    return float(bid + ask) / 2 * tick
