"""Painting: the signed distance of a grid's voxels to a vessel tree, a union of tapered capsules."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.config.compiled import njit
from StructDiffCore.domain import Geometry, StructDiffError

from .branch import Branch
from .graph import VesselGraph
from .polyline import simplified

Floats = NDArray[np.float64]
Distance = NDArray[np.float32]

FOLLOWED_WITHIN_MM = 0.01
"""How far the painted polyline may leave the graph's, in position and radius (fewer, longer capsules)."""


@dataclass(frozen=True, eq=False)
class Capsules:
    """All stretches of a tree as tapered capsules, in the grid's own axes."""

    ends_mm: Floats
    """(m, 2, 3): start and end, index times spacing, so that distances are those of the world."""
    radii_mm: Floats
    """(m, 2)"""
    branch: NDArray[np.int16]
    """(m,) branch that each capsule belongs to."""
    along_mm: Floats
    """(m, 2): distance along the branch at start and end."""

    @classmethod
    def of(cls, graph: VesselGraph, geometry: Geometry) -> Capsules:
        """The tree's capsules as seen from a grid."""
        chains = [_chain(branch, geometry) for branch in graph.branches]
        owner = np.repeat(np.arange(len(chains), dtype=np.int16), [len(ends) for ends, _, _ in chains])
        ends, radii, along = (np.concatenate(parts) for parts in zip(*chains))
        return cls(ends, radii, owner, along)


def _chain(branch: Branch, geometry: Geometry) -> tuple[Floats, Floats, Floats]:
    """Ends (m, 2, 3) in the grid's axes, radii (m, 2) and distances along the branch (m, 2) of its capsules."""
    keep = simplified(np.column_stack([branch.points_mm, branch.radii_mm]), FOLLOWED_WITHIN_MM)
    points = geometry.to_index(branch.points_mm[keep]) * np.asarray(geometry.spacing)
    values = (points, branch.radii_mm[keep], branch.arclength_mm[keep])
    ends, radii, along = (np.stack([chain[:-1], chain[1:]], axis=1) for chain in values)
    return ends, radii, along


@dataclass(frozen=True, eq=False)
class PaintedTree:
    """What every voxel near a tree knows of it; arrays (i, j, k)."""

    distance_mm: Distance
    """Signed distance to the tube surface, negative inside, ``reach_mm`` beyond."""
    capsule: NDArray[np.int32]
    """Nearest capsule, -1 beyond reach."""
    capsules: Capsules
    geometry: Geometry

    @property
    def branch(self) -> NDArray[np.int16]:
        """Nearest branch, -1 beyond reach."""
        near = self.capsule >= 0
        nearest = np.full(self.capsule.shape, -1, np.int16)
        nearest[near] = self.capsules.branch[self.capsule[near]]
        return nearest

    def at(self, index: NDArray[np.integer]) -> tuple[NDArray[np.int16], Floats, Floats]:
        """Branch (n,), mm along it (n,) and lumen radius (n,) of the nearest centreline points of voxels (n, 3) within reach."""
        capsule = self.capsule[tuple(index.T)]
        start, end = self.capsules.ends_mm[capsule, 0], self.capsules.ends_mm[capsule, 1]
        step, position = end - start, index * np.asarray(self.geometry.spacing)
        share = ((position - start) * step).sum(axis=1) / np.maximum((step**2).sum(axis=1), 1e-18)
        share = np.clip(share, 0, 1)
        along, radii = self.capsules.along_mm[capsule], self.capsules.radii_mm[capsule]
        mixed = [pair[:, 0] * (1 - share) + pair[:, 1] * share for pair in (along, radii)]
        return self.capsules.branch[capsule], mixed[0], mixed[1]


def paint_tree(graph: VesselGraph, geometry: Geometry, reach_mm: float = 4.0) -> PaintedTree:
    """Signed distance and nearest capsule of every voxel; only voxels within reach of the tree are touched."""
    if not reach_mm > 0:
        raise StructDiffError(f"the painting reach is {reach_mm} mm", "give a positive length")
    capsules = Capsules.of(graph, geometry)
    distance = np.full(geometry.shape, reach_mm, np.float32)
    capsule = np.full(geometry.shape, -1, np.int32)
    _paint(distance, capsule, capsules.ends_mm, capsules.radii_mm, np.asarray(geometry.spacing), reach_mm)
    return PaintedTree(distance, capsule, capsules, geometry)


def paint_distance(graph: VesselGraph, geometry: Geometry, reach_mm: float = 4.0) -> tuple[Distance, NDArray[np.int16]]:
    """Signed distance (i, j, k) in mm to the tubes (negative inside, ``reach_mm`` beyond), and nearest branch (-1 beyond)."""
    painted = paint_tree(graph, geometry, reach_mm)
    return painted.distance_mm, painted.branch


@njit(cache=True, nogil=True, error_model="numpy")
def _paint(distance: Distance, capsule: NDArray[np.int32], ends: Floats, radii: Floats, spacing: Floats, reach: float) -> None:
    """Lower ``distance`` by every capsule within its bounding box, past voxels that it cannot bring nearer."""
    for m in range(len(ends)):
        a, b, thick = ends[m, 0], ends[m, 1], radii[m].max()
        low = np.ceil((np.minimum(a, b) - thick - reach) / spacing)
        high = np.floor((np.maximum(a, b) + thick + reach) / spacing)
        middle, axis = 0.5 * (a + b), b - a
        length = np.sqrt((axis * axis).sum())
        axis = axis / max(length, 1e-12)
        bound = 0.5 * length + thick
        for i in range(max(0, int(low[0])), min(distance.shape[0], int(high[0]) + 1)):
            x = i * spacing[0]
            for j in range(max(0, int(low[1])), min(distance.shape[1], int(high[1]) + 1)):
                y = j * spacing[1]
                row2 = (x - middle[0]) ** 2 + (y - middle[1]) ** 2
                if row2 > (reach + bound) ** 2:
                    continue
                for k in range(max(0, int(low[2])), min(distance.shape[2], int(high[2]) + 1)):
                    z = k * spacing[2]
                    limit = distance[i, j, k] + bound
                    if limit <= 0 or row2 + (z - middle[2]) ** 2 >= limit * limit:
                        continue
                    px, py, pz = x - a[0], y - a[1], z - a[2]
                    away2 = px * px + py * py + pz * pz
                    along = px * axis[0] + py * axis[1] + pz * axis[2]
                    d = _capsule_distance(away2, along, length, radii[m, 0], radii[m, 1])
                    if d < distance[i, j, k]:
                        distance[i, j, k] = d
                        capsule[i, j, k] = m


@njit(cache=True, inline="always")
def _capsule_distance(away2: float, along: float, length: float, r1: float, r2: float) -> float:
    """Signed distance to a tapered capsule (Quilez, "Round cone - exact") from a point's squared distance and axial position."""
    if length <= abs(r1 - r2):  # one end sphere holds the other
        far2 = max(away2 - 2 * along * length + length * length, 0.0)
        return min(np.sqrt(away2) - r1, np.sqrt(far2) - r2)
    radial = np.sqrt(max(away2 - along * along, 0.0))
    sine = (r1 - r2) / length
    cosine = np.sqrt(1 - sine * sine)
    slant = cosine * along - sine * radial
    if slant < 0:
        return np.sqrt(away2) - r1
    if slant > cosine * length:
        return np.sqrt(radial * radial + (along - length) ** 2) - r2
    return radial * cosine + along * sine - r1
