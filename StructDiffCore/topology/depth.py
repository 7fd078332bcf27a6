"""Depth: how far each voxel of a thin structure lies from the background, found without a distance map of the whole grid."""

from __future__ import annotations

from functools import lru_cache
from itertools import product

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from StructDiffCore.config.compiled import njit
from StructDiffCore.domain import Triple

SEARCHED_VOXELS = 6_000
"""Neighbours looked at per voxel (a ball of about 11 voxels' radius); deeper structures take a full distance map."""
PROBED = 61
"""Every so many voxels one is tried first, to know a deep structure soon."""


def depth_mm(structure: NDArray[np.uint8], voxels: NDArray[np.int64], spacing: Triple) -> NDArray[np.float32]:
    """Distance (n,) in mm from voxels (n, 3) of the structure to the nearest background voxel's centre; outside is background."""
    if len(voxels) == 0:
        return np.empty(0, np.float32)
    offsets, length = _offsets_by_length(spacing)
    if len(_searched(structure, voxels[::PROBED], offsets, length)):
        depth = _searched(structure, voxels, offsets, length)
        if len(depth):
            return depth
    return _distance_map(structure, spacing)[tuple(voxels.T)]


@lru_cache(maxsize=8)
def _offsets_by_length(spacing: Triple) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Offsets (m, 3) and their lengths (m,) in mm, the shortest first; complete up to the last length."""
    reach_mm = (SEARCHED_VOXELS * float(np.prod(spacing)) * 3 / (4 * np.pi)) ** (1 / 3)
    sides = [range(-int(reach_mm / s), int(reach_mm / s) + 1) for s in spacing]
    offsets = np.array(list(product(*sides)), np.int64)
    length = np.sqrt(((offsets * np.asarray(spacing)) ** 2).sum(axis=1)).astype(np.float32)
    order = np.argsort(length, kind="stable")
    order = order[(length[order] <= reach_mm) & (length[order] > 0)]
    return offsets[order], length[order]


@njit(cache=True)
def _searched(structure, voxels, offsets, length):  # type: ignore[no-untyped-def]
    """Depths (n,), or none at all as soon as one voxel lies deeper than the last offset."""
    ni, nj, nk = structure.shape
    found = np.full(len(voxels), np.inf, np.float32)
    for n in range(len(voxels)):
        for m in range(len(offsets)):
            i, j, k = voxels[n, 0] + offsets[m, 0], voxels[n, 1] + offsets[m, 1], voxels[n, 2] + offsets[m, 2]
            outside = i < 0 or j < 0 or k < 0 or i >= ni or j >= nj or k >= nk
            if outside or structure[i, j, k] == 0:
                found[n] = length[m]
                break
        if found[n] == np.inf:
            return found[:0]
    return found


def _distance_map(structure: NDArray[np.uint8], spacing: Triple) -> NDArray[np.float32]:
    background = sitk.GetImageFromArray(np.pad(structure, 1) ^ np.uint8(1))
    background.SetSpacing(tuple(reversed(spacing)))
    distance = sitk.SignedMaurerDistanceMap(background, insideIsPositive=False, squaredDistance=False, useImageSpacing=True)
    return sitk.GetArrayFromImage(distance)[1:-1, 1:-1, 1:-1]
