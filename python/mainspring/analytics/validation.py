"""Splits of time for training and testing that do not leak the future."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mainspring.analytics.figures import Figures
from mainspring.errors import InvalidValue


@dataclass(frozen=True, slots=True)
class Window(Figures):
    """One walk-forward step; both ranges are half-open ``(start, end)``."""

    train: tuple[int, int]
    test: tuple[int, int]


def walk_forward(
    n: int,
    train: int,
    test: int,
    *,
    step: int | None = None,
    purge: int = 0,
    anchored: bool = False,
) -> list[Window]:
    """Walk-forward windows over ``n`` samples.

    ``step`` defaults to ``test``. ``purge`` samples are left out between training and test.
    ``anchored`` windows all train from 0. An incomplete last test window is dropped.
    """
    stride = test if step is None else step
    if min(train, test, stride) < 1 or purge < 0:
        raise InvalidValue("train, test and step must be positive, purge not negative")
    windows = []
    for start in range(0, n - train - purge - test + 1, stride):
        end = start + train
        first = end + purge
        windows.append(Window((0 if anchored else start, end), (first, first + test)))
    return windows


@dataclass(frozen=True, slots=True)
class PurgedFold:
    """One fold: index arrays of its training and test samples."""

    train: NDArray[np.int64]
    test: NDArray[np.int64]


def purged_kfold(
    label_start: ArrayLike, label_end: ArrayLike, k: int, *, embargo: float = 0.0
) -> list[PurgedFold]:
    """K-fold splits without the samples whose labels overlap the test span.

    Lopez de Prado (2018), "Advances in financial machine learning", ch. 7. Test folds are
    contiguous. Training samples whose label interval [start, end] meets the span of the test
    labels are purged, then ``int(n x embargo)`` samples after the last that starts inside it.

    Args:
        label_start: ascending, shape ``(n,)``; when each label's information begins.
        label_end: shape ``(n,)``; when it ends.
    """
    start, end = np.asarray(label_start), np.asarray(label_end)
    n = len(start)
    if len(end) != n or (end < start).any() or (np.diff(start) < 0).any():
        raise InvalidValue("labels need an ascending start and an end that is not before it")
    if not 2 <= k <= n or not 0.0 <= embargo < 1.0:
        raise InvalidValue(f"k must lie in 2..{n} and the embargo in [0, 1)")
    folds = []
    for test in np.array_split(np.arange(n), k):
        first, last = start[test[0]], end[test].max()
        keep = (end < first) | (start > last)
        inside = int(np.searchsorted(start, last, side="right"))
        keep[inside : inside + int(n * embargo)] = False
        keep[test] = False
        folds.append(PurgedFold(train=np.flatnonzero(keep), test=test))
    return folds


def cpcv_counts(groups: int, test_groups: int) -> tuple[int, int]:
    """``(splits, paths)`` of combinatorial purged cross-validation: C(N, k) and k C(N, k) / N."""
    if not 1 <= test_groups < groups:
        raise InvalidValue(f"test_groups must lie in 1..{groups - 1}, not {test_groups}")
    splits = math.comb(groups, test_groups)
    return splits, splits * test_groups // groups
