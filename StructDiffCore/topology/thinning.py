"""Homotopic thinning: a structure peeled to its centreline by simple points only, so its Betti numbers cannot change."""

from __future__ import annotations

import numba
import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from StructDiffCore.domain import Triple

from .simple_points import is_simple, neighbourhood


def centreline(structure: NDArray[np.bool_], spacing: Triple = (1.0, 1.0, 1.0)) -> NDArray[np.bool_]:
    """Curve skeleton of a boolean (i, j, k) array: same pieces, loops and cavities, one voxel thin.

    Voxels leave in the order of their distance to the background (mm), simple points only; ends of curves stay.
    """
    padded = np.pad(structure, 1).astype(np.uint8)
    depth = _depth_mm(padded, spacing)
    order = np.flatnonzero(padded)
    order = order[np.argsort(depth.ravel()[order], kind="stable")]
    while _peel(padded, order):
        order = order[padded.ravel()[order] > 0]
    return padded[1:-1, 1:-1, 1:-1].astype(bool)


def ends(skeleton: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Indices (n, 3) of skeleton voxels with exactly one 26-neighbour."""
    return _ends(np.pad(skeleton, 1).astype(np.uint8)) - 1


def _depth_mm(structure: NDArray[np.uint8], spacing: Triple) -> NDArray[np.float32]:
    image = sitk.GetImageFromArray(structure)
    image.SetSpacing(tuple(reversed(spacing)))
    distance = sitk.SignedMaurerDistanceMap(image, insideIsPositive=True, squaredDistance=False, useImageSpacing=True)
    return sitk.GetArrayFromImage(distance)


@numba.njit(cache=True)
def _peel(structure: NDArray[np.uint8], order: NDArray[np.int64]) -> int:
    """One pass in the given order; removes simple points that end no curve and returns how many."""
    _, nj, nk = structure.shape
    removed = 0
    for flat in order:
        i, j, k = flat // (nj * nk), flat // nk % nj, flat % nk
        bits = neighbourhood(structure, i, j, k)
        ends_a_curve = bits & (bits - np.uint32(1)) == 0
        if not ends_a_curve and is_simple(bits):
            structure[i, j, k] = 0
            removed += 1
    return removed


@numba.njit(cache=True)
def _ends(skeleton: NDArray[np.uint8]) -> NDArray[np.int64]:
    found = []
    ni, nj, nk = skeleton.shape
    for i in range(1, ni - 1):
        for j in range(1, nj - 1):
            for k in range(1, nk - 1):
                bits = neighbourhood(skeleton, i, j, k) if skeleton[i, j, k] else np.uint32(0)
                if bits and bits & (bits - np.uint32(1)) == 0:
                    found.append((i, j, k))
    return np.array(found, np.int64).reshape(-1, 3)
