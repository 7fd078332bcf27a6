"""Noise-free error of an answer, told apart by place: where on the heart does it miss?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.measures.distance import distance_to

from .obedience import CORONARIES
from .scores import Scores

TUBE_VOXELS = 3
PLACES = ("labelled", "coronary lumen", "tube of 3 voxels", "unlabelled elsewhere")


def clean_errors(clean: NDArray[np.float32], truth: NDArray[np.float32], labels: NDArray[np.integer]) -> Scores:
    """RMSE and median |error| in HU of two noise-free images (i, j, k), split into four places that share no voxel; and, as
    "clean RMSE HU", over all labels together.
    """
    apart = np.abs(clean - truth)
    scores = {"clean RMSE HU": _rms(apart[labels > 0])}
    for name, place in places(labels).items():
        scores[f"clean RMSE HU, {name}"] = _rms(apart[place])
        scores[f"clean median error HU, {name}"] = float(np.median(apart[place])) if place.any() else float("nan")
    return scores


def places(labels: NDArray[np.integer]) -> dict[str, NDArray[np.bool_]]:
    """The coronaries' lumen, the shell of 3 voxels around it (labelled or not), and the rest within and without labels."""
    lumen = np.isin(labels, CORONARIES)
    near = distance_to(lumen, (1, 1, 1)) <= TUBE_VOXELS
    return dict(zip(PLACES, ((labels > 0) & ~near, lumen, near & ~lumen, (labels == 0) & ~near)))


def _rms(apart: NDArray[np.float32]) -> float:
    return float(np.sqrt(np.mean(np.square(apart, dtype=np.float64)))) if apart.size else float("nan")
