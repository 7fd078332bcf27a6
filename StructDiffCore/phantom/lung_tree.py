"""Lung trees: arteries and veins that branch from the hila into both lungs, fixed in the body whatever the grid.

Branching after Weibel 1963 in the mean: daughters of 0.86 and 0.70 of the mother's radius, lengths of 3 to 5 diameters.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.config.compiled import njit
from StructDiffCore.domain import Geometry

from .anatomy import Materials
from .overlay import overlaid
from .thorax import MIDLINE_MM
from .tissues import Tissue

Points = NDArray[np.float64]
HILA_MM = ((MIDLINE_MM + 44.0, -22.0, 22.0), (MIDLINE_MM - 50.0, -26.0, 26.0))
"""Right and left hilum in the body."""
STEMS = 13
"""Segmental arteries and veins per lung."""
STEM_RADIUS_MM = (2.2, 3.6)
SMALLEST_MM = 0.45


def lung_trees(rng: np.random.Generator) -> NDArray[np.float64]:
    """Tapered stretches (n, 7) of both lungs in body mm: start, end, radius."""
    starts: list[Points] = []
    ways: list[Points] = []
    radii: list[Points] = []
    for side, hilum in zip((1.0, -1.0), HILA_MM):
        way = rng.standard_normal((STEMS, 3))
        way[:, 0] = side * (np.abs(way[:, 0]) + 0.35)
        way[:, 2] -= 0.35
        starts.append(np.asarray(hilum) + rng.normal(0.0, (5.0, 7.0, 9.0), (STEMS, 3)))
        ways.append(way / np.linalg.norm(way, axis=1, keepdims=True))
        radii.append(rng.uniform(*STEM_RADIUS_MM, STEMS))
    start, way, radius = np.concatenate(starts), np.concatenate(ways), np.concatenate(radii)
    grown = []
    while len(start):
        end = start + way * (radius**0.7 * rng.uniform(5.0, 10.0, len(radius)))[:, None]
        grown.append(np.column_stack([start, end, radius]))
        start, way, radius = _daughters(end, way, radius, rng)
    return np.concatenate(grown)


def _daughters(end: Points, way: Points, radius: Points, rng: np.random.Generator) -> tuple[Points, Points, Points]:
    """Two daughters at every end: the larger bends a little, the smaller more, to opposite sides."""
    across = np.cross(way, rng.standard_normal(way.shape))
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    large, small = rng.uniform(0.15, 0.45, len(way))[:, None], rng.uniform(0.5, 1.0, len(way))[:, None]
    ways = np.concatenate([np.cos(large) * way + np.sin(large) * across, np.cos(small) * way - np.sin(small) * across])
    radii = np.concatenate([0.86 * radius, 0.70 * radius])
    kept = radii >= SMALLEST_MM
    return np.concatenate([end, end])[kept], ways[kept], radii[kept]


def paint_lung_trees(materials: Materials, geometry: Geometry, rng: np.random.Generator) -> None:
    """Lay the trees into the lung of ``materials`` (changed in place), by partial volume."""
    trees = lung_trees(rng)
    voxel_mm = float(np.cbrt(geometry.voxel_volume_mm3))
    spacing = np.asarray(geometry.spacing)
    ends = np.stack([geometry.to_index(trees[:, :3]) * spacing, geometry.to_index(trees[:, 3:6]) * spacing], axis=1)
    coverage = np.zeros(geometry.shape, np.float32)
    _cover(coverage, ends, trees[:, 6], spacing, voxel_mm)
    lung = np.nonzero((coverage > 0.02) & (materials[0] == Tissue.LUNG))
    overlaid(materials, lung, coverage[lung], Tissue.LUNG_VESSEL)


@njit(cache=True, nogil=True)
def _cover(coverage, ends, radii, spacing, voxel_mm):  # type: ignore[no-untyped-def]
    """Share of every voxel that the capsules take; thinner than a voxel, no more than their cross-section."""
    low, high = np.empty(3, np.int64), np.empty(3, np.int64)
    for m in range(len(ends)):
        a, b, reach = ends[m, 0], ends[m, 1], radii[m] + 0.5 * voxel_mm
        for axis in range(3):
            low[axis] = np.int64(max(0.0, np.ceil((min(a[axis], b[axis]) - reach) / spacing[axis])))
            high[axis] = min(coverage.shape[axis] - 1, np.int64(np.floor((max(a[axis], b[axis]) + reach) / spacing[axis])))
        bx, by, bz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
        length2 = bx * bx + by * by + bz * bz
        most = min(1.0, np.pi * radii[m] ** 2 / voxel_mm**2)
        for i in range(low[0], high[0] + 1):
            for j in range(low[1], high[1] + 1):
                for k in range(low[2], high[2] + 1):
                    px, py, pz = i * spacing[0] - a[0], j * spacing[1] - a[1], k * spacing[2] - a[2]
                    t = min(1.0, max(0.0, (px * bx + py * by + pz * bz) / length2))
                    gap = np.sqrt((px - t * bx) ** 2 + (py - t * by) ** 2 + (pz - t * bz) ** 2) - radii[m]
                    share = np.minimum(most, 0.5 - gap / voxel_mm)
                    if share > coverage[i, j, k]:
                        coverage[i, j, k] = share
