"""Painting: the signed distance of a grid's voxels to a vessel tree, a union of tapered capsules."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from StructDiffCore.domain import Geometry, StructDiffError

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
        ends, radii, owner, along = [], [], [], []
        for index, branch in enumerate(graph.branches):
            keep = simplified(np.column_stack([branch.points_mm, branch.radii_mm]), FOLLOWED_WITHIN_MM)
            points = geometry.to_index(branch.points_mm[keep]) * np.asarray(geometry.spacing)
            for chain, values in ((ends, points), (radii, branch.radii_mm[keep]), (along, branch.arclength_mm[keep])):
                chain.append(np.stack([values[:-1], values[1:]], axis=1))
            owner.append(np.full(len(points) - 1, index, np.int16))
        return cls(np.concatenate(ends), np.concatenate(radii), np.concatenate(owner), np.concatenate(along))


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
        return np.where(self.capsule < 0, np.int16(-1), self.capsules.branch[self.capsule])

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
    """Signed distance (i, j, k) float32 in mm to the tubes (negative inside, ``reach_mm`` beyond) and nearest branch (-1 beyond)."""
    painted = paint_tree(graph, geometry, reach_mm)
    return painted.distance_mm, painted.branch


@njit(cache=True, nogil=True, error_model="numpy")
def _paint(distance, capsule, ends, radii, spacing, reach):  # type: ignore[no-untyped-def]
    """Lower ``distance`` by every capsule in its bounding box; distances as in Quilez, "Round cone - exact"."""
    low, high = np.empty(3, np.int64), np.empty(3, np.int64)
    for m in range(len(ends)):
        a, b, r1, r2 = ends[m, 0], ends[m, 1], radii[m, 0], radii[m, 1]
        thick = max(r1, r2)
        for axis in range(3):
            first, last = min(a[axis], b[axis]) - thick - reach, max(a[axis], b[axis]) + thick + reach
            low[axis] = max(0, np.int64(np.ceil(first / spacing[axis])))
            high[axis] = min(distance.shape[axis] - 1, np.int64(np.floor(last / spacing[axis])))
        bx, by, bz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
        h = np.sqrt(bx * bx + by * by + bz * bz)
        swallowed = h <= abs(r1 - r2)  # one end sphere holds the other
        inverse = 0.0 if h == 0 else 1 / h
        sine = 0.0 if swallowed else (r1 - r2) * inverse
        cosine = np.sqrt(1 - sine * sine)
        bound = 0.5 * h + thick
        mx, my, mz = 0.5 * (a[0] + b[0]), 0.5 * (a[1] + b[1]), 0.5 * (a[2] + b[2])
        for i in range(low[0], high[0] + 1):
            x = i * spacing[0]
            for j in range(low[1], high[1] + 1):
                y = j * spacing[1]
                row2 = (x - mx) ** 2 + (y - my) ** 2
                if row2 > (reach + bound) ** 2:
                    continue
                for k in range(low[2], high[2] + 1):
                    z = k * spacing[2]
                    limit = distance[i, j, k] + bound
                    if limit <= 0 or row2 + (z - mz) ** 2 >= limit * limit:
                        continue
                    px, py, pz = x - a[0], y - a[1], z - a[2]
                    away2 = px * px + py * py + pz * pz
                    along = (px * bx + py * by + pz * bz) * inverse
                    radial = np.sqrt(max(away2 - along * along, 0.0))
                    slant = cosine * along - sine * radial
                    if swallowed:
                        far2 = away2 - 2 * along * h + h * h
                        d = min(np.sqrt(away2) - r1, np.sqrt(max(far2, 0.0)) - r2)
                    elif slant < 0:
                        d = np.sqrt(away2) - r1
                    elif slant > cosine * h:
                        d = np.sqrt(radial * radial + (along - h) ** 2) - r2
                    else:
                        d = radial * cosine + along * sine - r1
                    if d < distance[i, j, k]:
                        distance[i, j, k] = d
                        capsule[i, j, k] = m
