"""Distances between the surfaces of two masks: 95th percentile Hausdorff and average symmetric."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage
from scipy.spatial import cKDTree


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
    one, other = (_border_points(mask[box], spacing_mm) for mask in (prediction, truth))
    there, back = cKDTree(other).query(one)[0], cKDTree(one).query(other)[0]
    hd95 = max(float(np.percentile(there, 95)), float(np.percentile(back, 95)))
    return SurfaceDistance(hd95, float(there.sum() + back.sum()) / (len(there) + len(back)))


def _border_points(mask: NDArray[np.bool_], spacing_mm: ArrayLike) -> NDArray[np.float64]:
    """Centres (n, 3) in mm of the mask's voxels with a face neighbour outside; the volume's edge counts as outside."""
    return np.argwhere(mask & ~ndimage.binary_erosion(mask)) * np.asarray(spacing_mm, float)


def _common_box(mask: NDArray[np.bool_]) -> tuple[slice, ...]:
    return tuple(ndimage.find_objects(mask.astype(np.uint8))[0])
