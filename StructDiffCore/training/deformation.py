"""Deformation: the same heart in another shape, warped as geometry (a warped image would carry its noise along)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import ndimage

from StructDiffCore.domain import Geometry
from StructDiffCore.phantom.heart import Heart
from StructDiffCore.phantom.tissues import Tissue

COARSER = 4
"""The displacement is smooth: it is held on a lattice this many times coarser and interpolated linearly."""


@dataclass(frozen=True, eq=False)
class Deformation:
    """A smooth displacement on a coarse lattice of knots over the grid."""

    knots_mm: NDArray[np.float32]
    """(3, a, b, c): displacement along i, j, k of the point a voxel takes its material from."""

    @classmethod
    def draw(cls, geometry: Geometry, rng: np.random.Generator, spread_mm: float = 4.0, distance_mm: float = 28.0) -> Deformation:
        """Independent normal displacements of about ``spread_mm`` at knots ``distance_mm`` apart."""
        counts = [max(3, int(np.ceil(n * s / distance_mm)) + 1) for n, s in zip(geometry.shape, geometry.spacing)]
        return cls(np.clip(rng.normal(0, spread_mm, (3, *counts)), -2 * spread_mm, 2 * spread_mm).astype(np.float32))

    def apply(self, heart: Heart) -> Heart:
        """The deformed heart on the same grid; its vessel graphs are not carried along."""
        lattice = [n // COARSER + 2 for n in heart.geometry.shape]
        zoom = [n / k for n, k in zip(lattice, self.knots_mm.shape[1:])]
        shifts = [
            ndimage.zoom(axis_mm, zoom, order=3, mode="nearest", grid_mode=True) / spacing
            for axis_mm, spacing in zip(self.knots_mm, heart.geometry.spacing)
        ]
        shift = np.stack(shifts).astype(np.float32)
        materials = _warp(heart.tissue, heart.second, heart.share, shift, COARSER, len(Tissue))
        return Heart.of_materials(materials, heart.geometry, {}, heart.dominance, heart.seed)


@njit(cache=True)
def _interpolated(lattice: Any, i: float, j: float, k: float) -> Any:
    """Trilinear value of a lattice (a, b, c) at a fractional index inside it."""
    a, b, c = int(i), int(j), int(k)
    u, v, w = i - a, j - b, k - c
    low = (1 - v) * ((1 - w) * lattice[a, b, c] + w * lattice[a, b, c + 1])
    low += v * ((1 - w) * lattice[a, b + 1, c] + w * lattice[a, b + 1, c + 1])
    high = (1 - v) * ((1 - w) * lattice[a + 1, b, c] + w * lattice[a + 1, b, c + 1])
    high += v * ((1 - w) * lattice[a + 1, b + 1, c] + w * lattice[a + 1, b + 1, c + 1])
    return (1 - u) * low + u * high


@njit(cache=True)
def _keep_two(part: Any, touched: Any) -> Any:
    """The two materials with the largest parts and the share of the first in both, 0 to 255; clears ``part``."""
    best = touched[0]
    for material in touched:
        if part[material] > part[best]:
            best = material
    runner, most = best, np.float32(0.0)
    for material in touched:
        if material != best and part[material] > most:
            runner, most = material, part[material]
    share = 255.0 * part[best] / (part[best] + most) + 0.5
    for material in touched:
        part[material] = 0.0
    return best, runner, share


@njit(cache=True)
def _warp(tissue: Any, second: Any, share: Any, shift: Any, coarser: int, kinds: int) -> Any:
    """Materials (tissue, second, share) sampled at index + shift: trilinear parts of all materials, the two largest kept."""
    n0, n1, n2 = tissue.shape
    out = np.empty((3, n0, n1, n2), np.uint8)
    part, touched = np.zeros(kinds, np.float32), np.empty(16, np.int64)
    for i in range(n0):
        for j in range(n1):
            for k in range(n2):
                x = min(max(i + _interpolated(shift[0], i / coarser, j / coarser, k / coarser), 0.0), n0 - 1.001)
                y = min(max(j + _interpolated(shift[1], i / coarser, j / coarser, k / coarser), 0.0), n1 - 1.001)
                z = min(max(k + _interpolated(shift[2], i / coarser, j / coarser, k / coarser), 0.0), n2 - 1.001)
                a, b, c = int(x), int(y), int(z)
                u, v, w = x - a, y - b, z - c
                for corner in range(8):
                    da, db, dc = corner >> 2, (corner >> 1) & 1, corner & 1
                    weight = (u if da else 1 - u) * (v if db else 1 - v) * (w if dc else 1 - w)
                    first, other = tissue[a + da, b + db, c + dc], second[a + da, b + db, c + dc]
                    pure = weight * share[a + da, b + db, c + dc] / 255.0
                    part[first] += pure
                    part[other] += weight - pure
                    touched[2 * corner], touched[2 * corner + 1] = first, other
                out[0, i, j, k], out[1, i, j, k], out[2, i, j, k] = _keep_two(part, touched)
    return out[0], out[1], out[2]
