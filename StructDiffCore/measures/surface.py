"""Distances between the surfaces of two masks: 95th percentile Hausdorff and average symmetric."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from .distance import distance_to


@dataclass(frozen=True)
class SurfaceDistance:
    """In mm; both infinite where just one mask is empty, 0 where both are."""

    hd95_mm: float
    """The larger of the two directed 95th percentiles."""
    assd_mm: float
    """Mean over the voxels of both surfaces."""


def surface_distance(prediction: NDArray[np.bool_], truth: NDArray[np.bool_], spacing_mm: ArrayLike) -> SurfaceDistance:
    """Distances between the border voxels (6-neighbourhood) of two masks (i, j, k)."""
    if not prediction.any() and not truth.any():
        return SurfaceDistance(0.0, 0.0)
    if not prediction.any() or not truth.any():
        return SurfaceDistance(float("inf"), float("inf"))
    box = _common_box(prediction | truth)
    one, other = _border(prediction[box]), _border(truth[box])
    there = distance_to(other, spacing_mm)[one]
    back = distance_to(one, spacing_mm)[other]
    hd95 = max(float(np.percentile(there, 95)), float(np.percentile(back, 95)))
    return SurfaceDistance(hd95, float(there.sum() + back.sum()) / (len(there) + len(back)))


def _border(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Voxels of the mask with a face neighbour outside; the volume's edge counts as outside."""
    return mask & ~ndimage.binary_erosion(mask)


def _common_box(mask: NDArray[np.bool_]) -> tuple[slice, ...]:
    return tuple(ndimage.find_objects(mask.astype(np.uint8))[0])
