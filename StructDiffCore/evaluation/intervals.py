"""Means with 95 % bootstrap intervals, by case; for a real scan by warp and by octant of its field."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

RESAMPLES = 2000
LEVELS = (0.025, 0.975)
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A mean over cases and the 95 % bootstrap interval around it."""

    mean: float
    low: float
    high: float
    cases: int

    def __str__(self) -> str:
        shown, low, high = (f"{number:.3g}" for number in (self.mean, self.low, self.high))
        return shown if low == high == shown else f"{shown} [{low}, {high}]"


NOTHING = Interval(float("nan"), float("nan"), float("nan"), 0)


def bootstrap(values: Sequence[float], seed: int = 0) -> Interval:
    """Percentile bootstrap over cases; NaN cases (structure absent) are left out."""
    known = np.asarray([value for value in values if np.isfinite(value)], float)
    return bootstrap_of(known[:, None], lambda means: means[..., 0], seed)


def bootstrap_of(cases: Floats, statistic: Callable[[Floats], Floats], seed: int = 0) -> Interval:
    """Percentile bootstrap of a statistic of the column means of ``cases`` (n, columns); it maps (..., columns) to (...)."""
    if not len(cases):
        return NOTHING
    draws = cases[np.random.default_rng(seed).integers(0, len(cases), (RESAMPLES, len(cases)))].mean(1)
    low, high = np.quantile(statistic(draws), LEVELS)
    return Interval(float(statistic(cases.mean(0))), float(low), float(high), len(cases))


def ratio_of_means(columns: Floats) -> Floats:
    """First over second."""
    return np.asarray(columns[..., 0] / np.maximum(columns[..., 1], 1e-9))


def jackknife_bootstrap(whole: ArrayLike, without: ArrayLike, seed: int = 0) -> Interval:
    """Interval of the mean over warps (n,) of a number that is read on a field, for the warps *and* the places in the field.

    ``without`` (n, octants) is the number with each octant left out; 8 x whole - 7 x without (Tukey's pseudo-values, for 8) are
    resampled by warp and by octant together. What it covers: these warps, and which parts of one patient's scan happened to be
    compared. What it cannot cover: other patients.
    """
    numbers, left = np.asarray(whole, float), np.asarray(without, float)
    warps, octants = left.shape
    pseudo = octants * numbers[:, None] - (octants - 1) * left
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, warps, (RESAMPLES, warps, 1))
    columns = rng.integers(0, octants, (RESAMPLES, 1, octants))
    low, high = np.quantile(pseudo[rows, columns].mean((1, 2)), LEVELS)
    return Interval(float(numbers.mean()), float(low), float(high), warps)
