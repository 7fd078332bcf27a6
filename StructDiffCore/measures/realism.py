"""Can two sets of patches be told apart? A cross-validated classifier and the kernel distance, on named features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

KERNEL_DEGREE = 3


def kernel_distance(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Unbiased squared MMD with the polynomial kernel of the KID (Binkowski 2018), features standardised by ``other``.

    Both are (n, features). 0 for equal distributions, also negative by chance; the value depends on the features, not on n.
    """
    middle, spread = other.mean(0), other.std(0) + 1e-9
    x, y = (np.clip((set_ - middle) / spread, -5, 5) for set_ in (one, other))
    return mean_discrepancy(_kernel(x, x), _kernel(y, y), _kernel(x, y))


def kernel_distances_without(
    one: NDArray[np.float64],
    other: NDArray[np.float64],
    one_region: NDArray[np.int64],
    other_region: NDArray[np.int64],
    regions: int,
) -> NDArray[np.float64]:
    """``kernel_distance`` with each of ``regions`` regions left out of both sets in turn, standardised as with all of them; NaN
    where fewer than two patches of a set are left.
    """
    middle, spread = other.mean(0), other.std(0) + 1e-9
    x, y = (np.clip((set_ - middle) / spread, -5, 5) for set_ in (one, other))
    xx, yy, xy = _kernel(x, x), _kernel(y, y), _kernel(x, y)
    found = []
    for region in range(regions):
        mine, theirs = one_region != region, other_region != region
        enough = min(mine.sum(), theirs.sum()) >= 2
        parts = (xx[np.ix_(mine, mine)], yy[np.ix_(theirs, theirs)], xy[np.ix_(mine, theirs)])
        found.append(mean_discrepancy(*parts) if enough else np.nan)
    return np.array(found)


def mean_discrepancy(within: NDArray, within_other: NDArray, between: NDArray) -> float:
    """Unbiased squared MMD from the kernel matrices (n, n), (m, m) and (n, m)."""
    own = sum((k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)) for k in (within, within_other))
    return float(own - 2 * between.mean())


def _kernel(a: NDArray, b: NDArray) -> NDArray[np.float64]:
    return (a @ b.T / a.shape[1] + 1) ** KERNEL_DEGREE


def area_under_curve(score: NDArray[np.float64], real: NDArray[np.bool_]) -> float:
    """Probability that a real patch scores above a made one."""
    ranks = rankdata(score)
    n, m = int(real.sum()), int((~real).sum())
    return float((ranks[real].sum() - n * (n + 1) / 2) / max(n * m, 1))


@dataclass(frozen=True)
class Verdict:
    """How well real and made patches are told apart: 0.5 not at all, 1 always; and the mean weight of each feature."""

    area: float
    weights: NDArray[np.float64]
    scores: NDArray[np.float64]
    """Per patch, from the classifier that never saw its region; real ones score high."""


def cross_validated(features: NDArray[np.float64], real: NDArray[np.bool_], region: NDArray[np.int64]) -> Verdict:
    """Logistic regression on the features and their squares, judged on left-out regions."""
    standard = (features - features.mean(axis=0)) / (features.std(axis=0) + 1e-9)
    design = np.hstack([np.clip(standard, -4, 4), np.clip(standard, -3, 3) ** 2, np.ones((len(features), 1))])
    scores, weights = np.zeros(len(real)), []
    for fold in np.unique(region % 4):
        held = region % 4 == fold
        if len(np.unique(real[~held])) < 2:
            continue
        weight = _logistic(design[~held], real[~held].astype(float))
        weights.append(weight)
        scores[held] = design[held] @ weight
    return Verdict(area_under_curve(scores, real), np.mean(weights, axis=0)[: features.shape[1]], scores)


def _logistic(design: NDArray[np.float64], target: NDArray[np.float64], ridge: float = 1.0) -> NDArray[np.float64]:
    """Newton's iterations on the ridge-penalised likelihood, classes weighted equally."""
    weight = np.zeros(design.shape[1])
    balance = np.where(target > 0, 0.5 / max(target.mean(), 1e-9), 0.5 / max(1 - target.mean(), 1e-9))
    for _ in range(12):
        p = 1.0 / (1.0 + np.exp(-np.clip(design @ weight, -30, 30)))
        gradient = design.T @ (balance * (p - target)) + ridge * weight
        hessian = (design * (balance * p * (1 - p))[:, None]).T @ design + ridge * np.eye(len(weight))
        weight -= np.linalg.solve(hessian, gradient)
    return weight
