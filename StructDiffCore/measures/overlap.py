"""Overlap of two masks: Dice, and clDice for vessels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def dice(prediction: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """2 |A and B| / (|A| + |B|) of two masks (i, j, k); 1 where both are empty."""
    total = int(prediction.sum()) + int(truth.sum())
    return 1.0 if total == 0 else 2.0 * int((prediction & truth).sum()) / total


def label_dice(prediction: NDArray[np.integer], truth: NDArray[np.integer]) -> dict[int, float]:
    """Dice per label value found in either map, background apart."""
    values = np.union1d(np.unique(prediction), np.unique(truth))
    return {int(v): dice(prediction == v, truth == v) for v in values if v != 0}


def centreline_dice(prediction: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """clDice (Shit 2021): harmonic mean of how much of each skeleton lies in the other mask; 1 where both are empty.

    Skeletons are scikit-image's, as in the literature (it does not keep topology exactly).
    """
    from skimage.morphology import skeletonize

    if not prediction.any() and not truth.any():
        return 1.0
    if not prediction.any() or not truth.any():
        return 0.0
    precision = _share_inside(skeletonize(prediction), truth)
    sensitivity = _share_inside(skeletonize(truth), prediction)
    return 0.0 if precision + sensitivity == 0 else 2 * precision * sensitivity / (precision + sensitivity)


def _share_inside(skeleton: NDArray[np.bool_], mask: NDArray[np.bool_]) -> float:
    points = skeleton > 0
    return float(mask[points].mean()) if points.any() else 0.0
