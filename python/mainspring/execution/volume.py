"""Volume curves: how a market's volume spreads over the day, from what traded."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from mainspring import _core
from mainspring.errors import ConfigError
from mainspring.strategy.time_text import duration_ns

if TYPE_CHECKING:
    from mainspring.data.dataset import Dataset


@dataclass(frozen=True)
class VolumeCurve:
    """Volume by time of day, or of another period; UTC.

    Attributes:
        period_ns: the period, such as a day.
        volumes: what traded in each of equally long bins of it, added over all periods seen.
    """

    period_ns: int
    volumes: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.volumes or self.period_ns % len(self.volumes):
            raise ConfigError("a volume curve needs bins that divide its period")
        if min(self.volumes) < 0.0:
            raise ConfigError("a volume curve has no negative volumes")

    @property
    def bin_ns(self) -> int:
        """Length of a bin."""
        return self.period_ns // len(self.volumes)

    def share(self, start_ns: int, end_ns: int) -> float:
        """Volume between two times, as a fraction of a period's.

        Bins count by the part of them that lies between, and periods repeat.

        Raises:
            ConfigError: when nothing traded in any bin.
        """
        base = start_ns // self.period_ns * self.period_ns
        return (self._before(end_ns - base) - self._before(start_ns - base)) / self._total()

    def weights(self, start_ns: int, length_ns: int, slices: int) -> tuple[float, ...]:
        """Shares of equally long slices of a stretch of time.

        Raises:
            ConfigError: when nothing traded at that time of the period.
        """
        edges = [start_ns + length_ns * k // slices for k in range(slices + 1)]
        shares = tuple(max(0.0, self.share(a, b)) for a, b in pairwise(edges))
        if sum(shares) <= 0.0:
            raise ConfigError("the volume curve has no volume at this time; take more data for it")
        return shares

    def _total(self) -> float:
        total = sum(self.volumes)
        if total <= 0.0:
            raise ConfigError("the volume curve is empty: nothing traded")
        return total

    def _before(self, time_ns: int) -> float:
        """Volume from the begin of a period up to a time."""
        periods, rest = divmod(time_ns, self.period_ns)
        whole, part = divmod(rest, self.bin_ns)
        within = sum(self.volumes[:whole]) + self.volumes[whole] * part / self.bin_ns
        return periods * self._total() + within


def volume_curve(
    data: Dataset,
    *,
    symbol: str | None = None,
    bins: str | int = "5m",
    period: str | int = "1d",
) -> VolumeCurve:
    """The volume curve of an instrument, by exchange time.

    It is made of the trades of market and order files, or of bars.

    Args:
        data: the data set; several files, such as days, are added up.
        symbol: the instrument; needed when there are several.
        bins: length of a bin, which divides the period; bars count in the bin in which they open.
        period: after which volumes repeat.

    Raises:
        ConfigError: when the instrument is not in the data or has to be named, or bins do not
            divide the period.
    """
    bin_ns, period_ns = duration_ns(bins), duration_ns(period)
    known = {one.symbol for one in data.instruments}
    if symbol is None:
        if len(known) > 1:
            raise ConfigError(f"name the symbol: the data has {', '.join(sorted(known))}")
        symbol = next(iter(known))
    if symbol not in known:
        raise ConfigError(f"no instrument {symbol}; the data has {', '.join(sorted(known))}")
    if period_ns % bin_ns:
        raise ConfigError(f"bins of {bins} do not divide a period of {period}")
    totals = [0.0] * (period_ns // bin_ns)
    for part in data.parts:
        for index, one in enumerate(part.instruments):
            if one.symbol == symbol:
                lots = _core.volume_by_bin(part.paths[0], index, bin_ns, period_ns)
                totals = [t + n * float(one.lot) for t, n in zip(totals, lots, strict=True)]
    return VolumeCurve(period_ns, tuple(totals))
