"""Portrait: what is kept of a mask once it is written, enough to compare it with any other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from StructDiffCore.domain import Geometry, LabelMap
from StructDiffCore.vessels.graph import VesselGraph

Floats = NDArray[np.float64]
THINNED = 4
"""Organs are compared on every fourth voxel."""
FIT_STEPS = 15


@dataclass(frozen=True, eq=False)
class Lumen:
    """One vessel as a cloud of voxels with its centreline."""

    voxels: NDArray[np.int32]
    """(n, 3)"""
    geometry: Geometry
    tree: VesselGraph

    @property
    def centreline_mm(self) -> Floats:
        return np.concatenate([branch.resampled(1.0).points_mm for branch in self.tree.branches])

    def holds(self, points_mm: Floats) -> NDArray[np.bool_]:
        """Which points (n, 3) lie in the lumen."""
        index = np.rint(self.geometry.to_index(points_mm)).astype(np.int64)
        inside = np.all((index >= 0) & (index < self.geometry.shape), axis=1)
        flat = np.ravel_multi_index(tuple(np.where(inside[:, None], index, 0).T), self.geometry.shape)
        own = np.ravel_multi_index(tuple(self.voxels.astype(np.int64).T), self.geometry.shape)
        return np.asarray(inside & np.isin(flat, own))


@dataclass(frozen=True, eq=False)
class Portrait:
    """A mask in numbers."""

    volumes_ml: Mapping[str, float]
    thinned: NDArray[np.integer]
    """Every fourth voxel."""
    geometry: Geometry
    lumens: Mapping[int, Lumen]

    @classmethod
    def of(cls, mask: LabelMap, trees: Mapping[int, VesselGraph]) -> Portrait:
        counts = np.bincount(mask.voxels.ravel()) * mask.geometry.voxel_volume_mm3 / 1000
        volumes = {mask.scheme[value].name: float(counts[value]) for value in mask.present}
        lumens = {v: Lumen(np.argwhere(mask.voxels == v).astype(np.int32), mask.geometry, tree) for v, tree in trees.items()}
        thinned = np.ascontiguousarray(mask.voxels[::THINNED, ::THINNED, ::THINNED])
        return cls(volumes, thinned, mask.geometry, lumens)


def overlaps_in_own_frame(one: Lumen, other: Lumen) -> tuple[float, float]:
    """Dice and clDice of two vessels once the first's centreline is laid onto the other's as well as turning and moving can.

    The clDice takes the trees' centrelines for skeletons.
    """
    matrix, offset = _fitted(one.centreline_mm, other.centreline_mm)

    def carried(points: Floats) -> Floats:
        return np.asarray(points @ matrix.T + offset)

    def back(points: Floats) -> Floats:
        return np.asarray((points - offset) @ matrix)

    shared = int(other.holds(carried(one.geometry.to_world(one.voxels))).sum())
    scale = one.geometry.voxel_volume_mm3 / other.geometry.voxel_volume_mm3
    dice = 2 * shared * scale / (len(one.voxels) * scale + len(other.voxels))
    precision = float(other.holds(carried(one.centreline_mm)).mean())
    sensitivity = float(one.holds(back(other.centreline_mm)).mean())
    both = precision + sensitivity
    return dice, 0.0 if both == 0 else 2 * precision * sensitivity / both


def _fitted(moving: Floats, fixed: Floats) -> tuple[Floats, Floats]:
    """Rotation and offset of the closest fit (iterated nearest points, Besl and McKay 1992), from the centres of mass on."""
    matrix, offset = np.eye(3), fixed.mean(axis=0) - moving.mean(axis=0)
    near = cKDTree(fixed)
    for _ in range(FIT_STEPS):
        there = moving @ matrix.T + offset
        partner = fixed[near.query(there)[1]]
        a, b = moving - moving.mean(axis=0), partner - partner.mean(axis=0)
        u, _, vt = np.linalg.svd(b.T @ a)
        matrix = u @ np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))]) @ vt
        offset = partner.mean(axis=0) - matrix @ moving.mean(axis=0)
    return matrix, offset
