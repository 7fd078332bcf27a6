"""Shapes: signed distances (mm, negative inside) of the solids a body is built from, and how they melt together.

Smooth minimum and ellipsoid bound after I. Quilez, "Distance functions" (iquilezles.org); all are compiled and act on one point.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from StructDiffCore.config.compiled import njit

FAR_MM = 20.0
"""Beyond this distance a tube answers with a lower bound instead of its distance."""


def tube(points_mm: ArrayLike, radii_mm: ArrayLike) -> NDArray[np.float64]:
    """A tube as ``tube_distance`` reads it: row 0 bounding sphere (x, y, z, radius), then one row (x, y, z, radius) per point."""
    points, radii = np.asarray(points_mm, float), np.asarray(radii_mm, float)
    centre = 0.5 * (points.min(axis=0) + points.max(axis=0))
    reach = float((np.linalg.norm(points - centre, axis=1) + radii).max())
    return np.vstack([[*centre, reach], np.column_stack([points, radii])])


@njit(cache=True, fastmath=True)
def tube_distance(x: float, y: float, z: float, rows: NDArray[np.float64]) -> float:
    """Distance to a tube of varying radius along a polyline; a lower bound where farther than ``FAR_MM``."""
    bound = np.sqrt((x - rows[0, 0]) ** 2 + (y - rows[0, 1]) ** 2 + (z - rows[0, 2]) ** 2) - rows[0, 3]
    if bound > FAR_MM:
        return bound
    best = 1e9
    for n in range(1, rows.shape[0] - 1):
        ax, ay, az = rows[n, 0], rows[n, 1], rows[n, 2]
        bx, by, bz = rows[n + 1, 0] - ax, rows[n + 1, 1] - ay, rows[n + 1, 2] - az
        px, py, pz = x - ax, y - ay, z - az
        t = (px * bx + py * by + pz * bz) / (bx * bx + by * by + bz * bz + 1e-9)
        t = min(1.0, max(0.0, t))
        gap = np.sqrt((px - t * bx) ** 2 + (py - t * by) ** 2 + (pz - t * bz) ** 2)
        best = min(best, gap - (rows[n, 3] + t * (rows[n + 1, 3] - rows[n, 3])))
    return best


@njit(cache=True, fastmath=True)
def ellipsoid_distance(x: float, y: float, z: float, rows: NDArray[np.float64]) -> float:
    """Distance (first order, exact on the surface) to an ellipsoid; rows: centre, half axes, then three unit axes."""
    px, py, pz = x - rows[0, 0], y - rows[0, 1], z - rows[0, 2]
    k0 = k1 = 0.0
    for axis in range(3):
        along = px * rows[2 + axis, 0] + py * rows[2 + axis, 1] + pz * rows[2 + axis, 2]
        half = rows[1, axis]
        k0 += (along / half) ** 2
        k1 += (along / (half * half)) ** 2
    k0, k1 = np.sqrt(k0), np.sqrt(k1)
    return k0 * (k0 - 1.0) / (k1 + 1e-9) if k0 > 0.2 else -min(rows[1, 0], rows[1, 1], rows[1, 2]) * 0.8


@njit(cache=True, fastmath=True)
def half_space(x: float, y: float, z: float, rows: NDArray[np.float64]) -> float:
    """Distance to a half space; rows: a point of the plane, the unit normal that points out of it."""
    return (x - rows[0, 0]) * rows[1, 0] + (y - rows[0, 1]) * rows[1, 1] + (z - rows[0, 2]) * rows[1, 2]


@njit(cache=True, fastmath=True)
def melt(a: float, b: float, width_mm: float) -> float:
    """Smooth union: the two solids flow into each other over ``width_mm``."""
    h = max(width_mm - abs(a - b), 0.0) / width_mm
    return min(a, b) - h * h * width_mm * 0.25


@njit(cache=True, fastmath=True)
def cut(a: float, b: float, width_mm: float) -> float:
    """Smooth intersection, the edge rounded over ``width_mm``; ``cut(a, gap - b)`` keeps ``a`` at a gap from ``b``."""
    return -melt(-a, -b, width_mm)


@njit(cache=True, fastmath=True)
def field_at(x: float, y: float, z: float, table: NDArray[np.float32], cell_mm: float) -> float:
    """Trilinear value of a periodic scalar field (n, n, n) with the given cell size at a point."""
    n = table.shape[0]
    fx, fy, fz = x / cell_mm, y / cell_mm, z / cell_mm
    i, j, k = int(np.floor(fx)), int(np.floor(fy)), int(np.floor(fz))
    u, v, w = fx - i, fy - j, fz - k
    i0, j0, k0 = i % n, j % n, k % n
    i1, j1, k1 = (i + 1) % n, (j + 1) % n, (k + 1) % n
    low = (table[i0, j0, k0] * (1 - u) + table[i1, j0, k0] * u) * (1 - v) + (
        table[i0, j1, k0] * (1 - u) + table[i1, j1, k0] * u
    ) * v
    high = (table[i0, j0, k1] * (1 - u) + table[i1, j0, k1] * u) * (1 - v) + (
        table[i0, j1, k1] * (1 - u) + table[i1, j1, k1] * u
    ) * v
    return low * (1 - w) + high * w
