"""Exact Euclidean distance to the nearest seed voxel, and that seed's value (Felzenszwalb & Huttenlocher 2012)."""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from StructDiffCore.config.compiled import njit

FAR = np.float32(1e12)
T = TypeVar("T", bound=np.generic)


class Nearest(NamedTuple):
    """What lies nearest to every voxel."""

    distance_mm: NDArray[np.float32]
    """(i, j, k): mm between voxel centres; infinite where there is no seed at all."""
    value: NDArray[np.int32]
    """(i, j, k): the value of the nearest seed, 0 where there is none."""


def nearest_seed(seeds: NDArray[np.bool_], values: NDArray[np.integer], spacing_mm: ArrayLike) -> Nearest:
    """Distance (i, j, k) in mm to the nearest True voxel of ``seeds`` and the value of ``values`` there."""
    squared = np.where(seeds, np.float32(0), FAR).astype(np.float32)
    carried = np.where(seeds, values, 0).astype(np.int32)
    for axis, step in zip((2, 1, 0), np.asarray(spacing_mm, float)[::-1]):
        _sweep(np.moveaxis(squared, axis, 2), np.moveaxis(carried, axis, 2), step * step)
    squared[squared >= FAR] = np.inf
    return Nearest(np.sqrt(squared), carried)


def distance_to(seeds: NDArray[np.bool_], spacing_mm: ArrayLike) -> NDArray[np.float32]:
    """Distance (i, j, k) in mm from every voxel centre to the nearest True voxel's centre; infinite without any."""
    return nearest_seed(seeds, np.zeros(seeds.shape, np.int8), spacing_mm).distance_mm


def from_nearest(values: NDArray[T], hidden: NDArray[np.bool_], seen: NDArray[np.bool_]) -> NDArray[T]:
    """``values`` (i, j, k), where ``hidden`` those of the nearest ``seen`` voxel (counted in voxels, on any grid).

    ``seen`` must hold a voxel; of several equally near ones SciPy's feature transform chooses.
    """
    nearest = ndimage.distance_transform_edt(~seen, return_distances=False, return_indices=True)
    return np.where(hidden, values[tuple(nearest)], values)


def signed_distance(mask: NDArray[np.bool_], spacing_mm: ArrayLike) -> NDArray[np.float32]:
    """Signed distance (i, j, k) in mm to the mask's surface, half a voxel beyond the outermost centres; negative inside."""
    half_voxel = 0.5 * float(np.mean(np.asarray(spacing_mm, float)))
    outside = distance_to(mask, spacing_mm)
    if not mask.any():
        return outside
    inside = distance_to(~mask, spacing_mm)
    return np.where(mask, half_voxel - inside, outside - half_voxel).astype(np.float32)


@njit(cache=True)
def _sweep(squared: NDArray[np.float32], carried: NDArray[np.int32], step2: float) -> None:
    """One pass of the lower envelope of parabolas along the last axis, in place."""
    rows, columns, length = squared.shape
    height = np.empty(length, np.float64)
    label = np.empty(length, np.int32)
    vertex = np.empty(length, np.int64)
    border = np.empty(length + 1, np.float64)
    for row in range(rows):
        for column in range(columns):
            count = 0
            for q in range(length):
                height[q] = squared[row, column, q]
                label[q] = carried[row, column, q]
                if height[q] >= FAR:
                    continue
                crossing = -np.inf
                while count > 0:
                    v = vertex[count - 1]
                    crossing = 0.5 * ((height[q] - height[v]) / (step2 * (q - v)) + q + v)
                    if crossing > border[count - 1]:
                        break
                    count -= 1
                border[count] = crossing if count > 0 else -np.inf
                vertex[count] = q
                count += 1
            if count == 0:
                continue
            border[count] = np.inf
            part = 0
            for q in range(length):
                while border[part + 1] < q:
                    part += 1
                v = vertex[part]
                squared[row, column, q] = height[v] + step2 * (q - v) * (q - v)
                carried[row, column, q] = label[v]
