"""A mask brought to its image's grid: completed where it covers a part of it, resampled only when asked."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from StructDiffCore.domain import Geometry, LabelMap, StructDiffError

from .itk_images import resampled

TOLERANCE_MM = 0.01


def on_grid(mask: LabelMap, grid: Geometry, resample: bool = False) -> LabelMap:
    """The mask on ``grid``. Another grid is refused unless ``resample`` (nearest neighbour); an empty result always is."""
    if mask.geometry.same_as(grid, TOLERANCE_MM):
        return LabelMap(mask.voxels, grid, mask.scheme)
    start = _start_within(mask.geometry, grid)
    if start is not None:
        return _completed(mask, grid, start)
    if not resample:
        raise _other_grid(mask.geometry, grid)
    voxels = resampled(mask.voxels, mask.geometry, grid, sitk.sitkNearestNeighbor, 0)
    if not voxels.any():
        raise StructDiffError("the mask does not reach into the image's field of view", "give the mask that belongs to the image")
    return LabelMap(voxels, grid, mask.scheme)


def _start_within(part: Geometry, whole: Geometry) -> tuple[int, int, int] | None:
    """The voxel of ``whole`` where ``part`` begins, if it is a block of its voxels."""
    i, j, k = (int(n) for n in np.rint(whole.to_index(part.origin)))
    end = np.add((i, j, k), part.shape)
    if min(i, j, k) < 0 or np.any(end > whole.shape):
        return None
    return (i, j, k) if whole.cropped((i, j, k), part.shape).same_as(part, TOLERANCE_MM) else None


def _completed(mask: LabelMap, grid: Geometry, start: tuple[int, int, int]) -> LabelMap:
    voxels = np.zeros(grid.shape, mask.voxels.dtype)
    voxels[tuple(slice(s, s + n) for s, n in zip(start, mask.geometry.shape))] = mask.voxels
    return LabelMap(voxels, grid, mask.scheme)


def _other_grid(mask: Geometry, image: Geometry) -> StructDiffError:
    def words(grid: Geometry) -> str:
        size = "x".join(str(n) for n in grid.shape)
        return f"{size} at {'x'.join(f'{s:.3g}' for s in grid.spacing)} mm from {np.round(grid.origin, 1).tolist()}"

    return StructDiffError(
        f"image and mask lie on different grids (image {words(image)}, mask {words(mask)})",
        "give both on one grid, or pass --resample",
    )
