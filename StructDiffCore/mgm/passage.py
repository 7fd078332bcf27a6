"""Passage: the shortest way of voxels through the background from one vessel to another that touches nothing else."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from StructDiffCore.domain import Geometry, StructDiffError

Index = NDArray[np.int64]
Floats = NDArray[np.float64]
LANDING_VOXELS = 1.5
"""Only this near to its two ends may the way lie beside what it shuns."""
MARGIN_MM = 8.0
CLOSED = -1.0
_TOUCH = np.ones((3, 3, 3), bool)


def passage(
    labels: NDArray[np.uint8],
    geometry: Geometry,
    start_mm: NDArray[np.float64],
    stop_mm: NDArray[np.float64],
    shunned: tuple[int, ...],
) -> Index:
    """Voxels (n, 3) of the background between the surfaces of two vessels, given a point inside each."""
    from skimage.graph import route_through_array

    ends = np.rint(geometry.to_index(np.stack([start_mm, stop_mm]))).astype(int)
    margin = np.ceil(MARGIN_MM / np.asarray(geometry.spacing)).astype(int)
    low = np.maximum(ends.min(axis=0) - margin, 0)
    high = np.minimum(ends.max(axis=0) + margin + 1, geometry.shape)
    part = labels[tuple(slice(a, b) for a, b in zip(low, high))]
    avoid = np.isin(part, shunned)
    skins = [_skin(part, avoid, end - low) for end in ends]
    if not all(len(skin) for skin in skins):
        raise StructDiffError("a bridge has no free place to begin or to end", "choose other places for it")
    first, last = _nearest_pair(skins[0], skins[1], np.asarray(geometry.spacing))
    free = (part == 0) & ~binary_dilation(avoid, _TOUCH)
    for end in (first, last):
        free[tuple(end)] = True
    cost = np.where(free, 1.0, CLOSED)
    try:
        route, _ = route_through_array(cost, tuple(first), tuple(last), fully_connected=True, geometric=True)
    except ValueError:
        raise StructDiffError("there is no way through the background for a bridge", "choose other places for it") from None
    return np.asarray(route) + low


def _skin(part: NDArray[np.uint8], avoid: NDArray[np.bool_], inside: Index) -> Index:
    """Background voxels on the vessel's surface around a point in it, with open background beyond."""
    value = part[tuple(inside)]
    if not avoid[tuple(inside)]:
        return np.empty((0, 3), np.int64)
    beside = (part == 0) & binary_dilation(part == value, _TOUCH) & ~binary_dilation(avoid & (part != value), _TOUCH)
    beside &= binary_dilation((part == 0) & ~binary_dilation(avoid, _TOUCH), _TOUCH)
    where = np.argwhere(beside)
    away = np.linalg.norm(where - inside, axis=1)
    return where[away <= away.min() + LANDING_VOXELS] if len(where) else where


def _nearest_pair(one: Index, other: Index, spacing: Floats) -> tuple[Index, Index]:
    away = (((one[:, None] - other[None]) * spacing) ** 2).sum(axis=2)
    a, b = np.unravel_index(away.argmin(), away.shape)
    return one[a], other[b]
