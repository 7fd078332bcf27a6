"""Homotopic thinning: a structure peeled to its centreline by simple points only, so its Betti numbers cannot change."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.config.compiled import njit
from StructDiffCore.domain import Triple

from .depth import depth_mm
from .simple_points import is_simple, neighbourhood


def centreline(
    structure: NDArray[np.bool_], spacing: Triple = (1.0, 1.0, 1.0), anchor: NDArray[np.bool_] | None = None
) -> NDArray[np.bool_]:
    """Curve skeleton of a boolean (i, j, k) array: same pieces, loops and cavities, one voxel thin.

    Layer by layer of depth (mm), from six sides in turn and there in eight subfields of voxels that do not touch (so that
    nothing is eaten from its end), simple points only; ends of curves and the voxels of ``anchor`` stay.
    """
    padded = np.pad(structure, 1).view(np.uint8).copy()
    voxels = np.argwhere(padded)
    peel(padded, voxels, depth_mm(padded, voxels, spacing), spacing, None if anchor is None else np.pad(anchor, 1))
    return padded[1:-1, 1:-1, 1:-1].astype(bool)


def peel(
    padded: NDArray[np.uint8],
    voxels: NDArray[np.int64],
    depth: NDArray[np.float32],
    spacing: Triple,
    anchor: NDArray[np.bool_] | None = None,
    keep_ends: bool = True,
) -> None:
    """Thin ``padded`` (empty border) in place; ``voxels`` (n, 3) are all its voxels and ``depth`` (n,) theirs in mm.

    Without ``keep_ends`` curves shrink too: what is left are loops, shells and one voxel per other piece.
    """
    layer = np.floor(depth / (0.5 * min(spacing))).astype(np.int64)
    order = np.argsort(layer, kind="stable")
    voxels, layer = voxels[order], layer[order]
    if anchor is not None:
        free = ~anchor[tuple(voxels.T)]
        voxels, layer = voxels[free], layer[free]
    _peel(padded, voxels, layer, keep_ends)


def ends(skeleton: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Indices (n, 3) of skeleton voxels with exactly one 26-neighbour."""
    return _ends(np.pad(skeleton, 1).astype(np.uint8)) - 1


@njit(cache=True)
def _peel(structure: NDArray[np.uint8], voxels: NDArray[np.int64], layer: NDArray[np.int64], keep_ends: bool) -> None:
    """Peel layer after layer, what is left of the earlier ones included, until nothing more goes."""
    active = np.empty(len(voxels), np.int64)
    chosen = np.empty(len(voxels), np.int64)
    count = reached = 0
    while reached < len(voxels):
        now = layer[reached]
        while reached < len(voxels) and layer[reached] == now:
            active[count] = reached
            count += 1
            reached += 1
        removed = 1
        while removed:
            removed = 0
            for side in range(6):
                removed += _peel_side(structure, voxels, active[:count], chosen, side, keep_ends)
            kept = 0
            for a in range(count):
                i, j, k = voxels[active[a]]
                if structure[i, j, k]:
                    active[kept] = active[a]
                    kept += 1
            count = kept


@njit(cache=True)
def _peel_side(structure, voxels, active, chosen, side, keep_ends):  # type: ignore[no-untyped-def]
    """Remove the removable voxels that are open to one of the six sides now; returns how many."""
    axis, step = side // 2, 1 - 2 * (side % 2)
    di, dj, dk = step * (axis == 0), step * (axis == 1), step * (axis == 2)
    count = 0
    for n in active:
        i, j, k = voxels[n]
        if structure[i, j, k] and not structure[i + di, j + dj, k + dk] and _removable(structure, i, j, k, keep_ends):
            chosen[count] = n
            count += 1
    removed = 0
    for field in range(8):  # voxels of one field have equal index parities and do not touch
        for c in range(count):
            i, j, k = voxels[chosen[c]]
            mine = 4 * (i % 2) + 2 * (j % 2) + k % 2 == field
            if mine and _removable(structure, i, j, k, keep_ends):
                structure[i, j, k] = 0
                removed += 1
    return removed


@njit(cache=True)
def _removable(structure: NDArray[np.uint8], i: int, j: int, k: int, keep_ends: bool) -> bool:
    """Whether a voxel is simple and, if ends are kept, ends no curve."""
    bits = neighbourhood(structure, i, j, k)
    ends_a_curve = bits & (bits - np.uint32(1)) == 0
    return not (keep_ends and ends_a_curve) and is_simple(bits)


@njit(cache=True)
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
