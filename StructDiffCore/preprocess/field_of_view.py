"""Where an aligned template has voxels, and what stands in where it has none."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from StructDiffCore.domain import Geometry
from StructDiffCore.io.itk_images import resampled

COARSE_MM = 4.0


def covered_by(source: Geometry, target: Geometry, to_source: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which voxels of ``target`` (i, j, k) fall into the field of view of ``source`` under a motion of the world."""
    step = np.linalg.inv(source.affine) @ to_source @ target.affine
    covered = np.ones(target.shape, bool)
    i, j, k = (np.arange(n, dtype=np.float32) for n in target.shape)
    for axis in range(3):
        a, b, c, d = step[axis].astype(np.float32)
        index = (a * i)[:, None, None] + (b * j)[None, :, None] + (c * k + d)[None, None, :]
        covered &= (index >= -0.5) & (index <= source.shape[axis] - 0.5)
    return covered


def filled_beyond(
    voxels: NDArray[np.float32], covered: NDArray[np.bool_], usable: NDArray[np.bool_], grid: Geometry
) -> NDArray[np.float32]:
    """``voxels`` with the nearest usable ones, about 4 mm coarse and smooth, where they are not covered."""
    if covered.all() or not usable.any():
        return voxels
    strides = [max(1, round(COARSE_MM / s)) for s in grid.spacing]
    block = tuple(slice(None, None, s) for s in strides)
    known = usable[block] if usable[block].any() else covered[block]
    if not known.any():
        return voxels
    nearest = distance_transform_edt(
        ~known, sampling=[s * n for s, n in zip(grid.spacing, strides)], return_distances=False, return_indices=True
    )
    coarse = voxels[block][tuple(nearest)]
    spacing = tuple(s * n for s, n in zip(grid.spacing, strides))
    coarse_grid = Geometry(coarse.shape, spacing, grid.origin, grid.direction)  # type: ignore[arg-type]
    beyond = resampled(_extended(coarse), _extended_grid(coarse_grid), grid, sitk.sitkLinear, 0.0)
    return np.where(covered, voxels, beyond)


def _extended(coarse: NDArray[np.float32]) -> NDArray[np.float32]:
    """One voxel more at the far faces, so that strides which do not divide the size leave no gap."""
    return np.pad(coarse, ((0, 1), (0, 1), (0, 1)), mode="edge")


def _extended_grid(grid: Geometry) -> Geometry:
    i, j, k = grid.shape
    return Geometry((i + 1, j + 1, k + 1), grid.spacing, grid.origin, grid.direction)
