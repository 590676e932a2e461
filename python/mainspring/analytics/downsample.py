"""Thin out a series for drawing without losing its extremes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def minmax_indices(
    times: ArrayLike, values: ArrayLike, buckets: int, *, also: ArrayLike | None = None
) -> NDArray[np.int64]:
    """Rows to keep: the lowest and highest value of each of ``buckets`` equal spans of time.

    The first and last row are kept too, so the drawn line starts and ends where the series does.
    At most ``2 buckets + 2`` rows (twice that with ``also``); a series that small is kept whole.

    Args:
        times: ascending, shape ``(n,)``.
        values: shape ``(n,)``; rows that are not finite are never kept.
        buckets: how many spans.
        also: a second series on the same times whose extremes are kept as well.
    """
    t = np.asarray(times)
    v = np.asarray(values, dtype=np.float64)
    finite = np.flatnonzero(np.isfinite(v))
    if len(finite) <= 2 * buckets + 2:
        return finite
    kept = [_extremes(t[finite], v[finite], buckets)]
    if also is not None:
        kept.append(_extremes(t[finite], np.asarray(also, dtype=np.float64)[finite], buckets))
    rows: NDArray[np.int64] = finite[np.unique(np.concatenate(kept))]
    return rows


def _extremes(t: NDArray[np.generic], v: NDArray[np.float64], buckets: int) -> NDArray[np.int64]:
    elapsed = (t - t[0]).astype(np.float64)
    span = elapsed[-1] or 1.0
    bucket = np.minimum((elapsed * buckets / span).astype(np.int64), buckets - 1)
    order = np.lexsort((v, bucket))
    ordered = bucket[order]
    edge = np.flatnonzero(ordered[1:] != ordered[:-1])
    lowest = order[np.concatenate(([0], edge + 1))]
    highest = order[np.concatenate((edge, [len(order) - 1]))]
    rows: NDArray[np.int64] = np.unique(np.concatenate(([0, len(t) - 1], lowest, highest)))
    return rows
