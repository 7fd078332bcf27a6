"""A mask in a new shape: smooth random displacement, labels by nearest neighbour."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from StructDiffCore.domain import LabelMap

KNOTS_APART_MM = 35.0


def warped_mask(mask: LabelMap, spread_mm: float, rng: np.random.Generator) -> LabelMap:
    """The mask displaced by about ``spread_mm``; thin labels may break, so it serves to test looks, not topology."""
    shape, spacing = mask.geometry.shape, mask.geometry.spacing
    knots = [max(3, round(n * s / KNOTS_APART_MM) + 1) for n, s in zip(shape, spacing)]
    index = np.indices(shape, np.float32)
    for axis in range(3):
        coarse = rng.normal(0, spread_mm / spacing[axis], knots)
        index[axis] += ndimage.zoom(coarse, [n / k for n, k in zip(shape, knots)], order=3, mode="nearest", grid_mode=True)
    voxels = ndimage.map_coordinates(mask.voxels, index, order=0, mode="nearest")
    return LabelMap(voxels, mask.geometry, mask.scheme)
