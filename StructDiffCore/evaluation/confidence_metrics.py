"""Does a map know where a volume is wrong? Ranking, calibration and what is left of them once the obvious is taken away.

AUSE cannot see miscalibration, ENCE cannot see ranking and coverage is fooled by a random map (TOPOLOGY, "Measuring"):
all are told. Arrays are flat, one entry per voxel of a region.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

Floats = NDArray[np.float64]
BINS = 20
"""Bins of equal size of ENCE."""
STEPS = 100
"""Points of a sparsification curve."""
TWO_SIDED_95 = 1.959964


def auroc(score: ArrayLike, event: ArrayLike) -> float:
    """P(score of an event > score of a non-event), ties one half (Mann and Whitney 1947); NaN without both kinds."""
    found, wrong = np.asarray(score, float), np.asarray(event, bool)
    positives, negatives = int(wrong.sum()), int((~wrong).sum())
    if not positives or not negatives:
        return float("nan")
    return float((rankdata(found)[wrong].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def sparsification(order_by: ArrayLike, error: ArrayLike) -> Floats:
    """(STEPS,) mean error left after the share n / STEPS of the voxels with the largest ``order_by`` is taken away.

    Voxels of equal score leave together, each by its share: the order of the array cannot matter.
    """
    score, wrong = np.asarray(order_by, float), np.asarray(error, float)
    _, group = np.unique(-score, return_inverse=True)
    size = np.bincount(group)
    mean = np.bincount(group, wrong) / size
    gone_size, gone_error = (np.concatenate([[0.0], np.cumsum(a)]) for a in (size, size * mean))
    gone = np.arange(STEPS) / STEPS * score.size
    return (gone_error[-1] - np.interp(gone, gone_size, gone_error)) / (score.size - gone)


def ause(score: ArrayLike, error: ArrayLike) -> float:
    """Area between the sparsification curves of ``score`` and of the error itself, in units of the mean error (Ilg 2018).

    0 is a perfect order; NaN where there is no error.
    """
    wrong = np.abs(np.asarray(error, float))
    mean = wrong.mean() if wrong.size else 0.0
    if mean == 0:
        return float("nan")
    return float((sparsification(score, wrong) - sparsification(wrong, wrong)).mean() / mean)


def ence(deviation: ArrayLike, error: ArrayLike) -> float:
    """Expected normalised calibration error (Levi 2022): mean over bins of |root mean variance - RMSE| / root mean variance."""
    sd, wrong = np.asarray(deviation, float), np.asarray(error, float)
    parts = np.array_split(np.argsort(sd, kind="stable"), min(BINS, max(1, sd.size)))
    told = np.array([np.sqrt(np.mean(sd[part] ** 2)) for part in parts])
    true = np.array([np.sqrt(np.mean(wrong[part] ** 2)) for part in parts])
    return float(np.mean(np.abs(told - true) / np.maximum(told, 1e-6)))


def coverage(deviation: ArrayLike, error: ArrayLike) -> float:
    """Share of voxels whose error lies within 1.96 standard deviations; 0.95 is wanted."""
    return float(np.mean(np.abs(np.asarray(error, float)) <= TWO_SIDED_95 * np.asarray(deviation, float)))


def partial_rank_correlation(score: ArrayLike, error: ArrayLike, stratum: ArrayLike, given: ArrayLike) -> float:
    """Rank correlation of score and |error| within strata, with the rank of ``given`` taken out of both.

    Ranks are taken and centred per stratum (tissue), so that differences between strata count for nothing. NaN where nothing
    varies.
    """
    strata = np.asarray(stratum).ravel()
    columns = [_ranks_within(np.asarray(a, float).ravel(), strata) for a in (score, np.abs(error), given)]
    x, y, z = (c / max(float(np.sqrt(c @ c)), 1e-12) for c in columns)
    xy, xz, yz = float(x @ y), float(x @ z), float(y @ z)
    below = (1 - xz**2) * (1 - yz**2)
    return (xy - xz * yz) / float(np.sqrt(below)) if below > 1e-12 and x.any() and y.any() else float("nan")


def _ranks_within(values: Floats, strata: NDArray) -> Floats:
    """Ranks inside each stratum, centred, in units of its size."""
    ranks = np.zeros(values.size)
    for name in np.unique(strata):
        inside = strata == name
        found = rankdata(values[inside])
        ranks[inside] = (found - found.mean()) / found.size
    return ranks
