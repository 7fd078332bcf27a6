"""Surface: the epicardium as coronaries see it, a signed distance that can be asked anywhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import map_coordinates

from StructDiffCore.domain import Geometry

Floats = NDArray[np.float64]

SLOPE_STEP_MM = 0.8
"""Half the stretch over which slopes are taken: wide enough to round the creases between chambers."""


class Surface(Protocol):
    """Anything that knows how far points lie from it; need not be an exact distance, only a monotone one near the surface."""

    def signed_distance(self, points_mm: Floats, /) -> Floats:
        """Distance (n,) in mm of points (n, 3), negative inside."""


@dataclass(frozen=True, eq=False)
class Ellipsoid:
    """An ellipsoid along the world axes: the simplest heart, for trials and tests."""

    radii_mm: tuple[float, float, float] = (38.0, 38.0, 52.0)
    centre_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def signed_distance(self, points_mm: Floats, /) -> Floats:
        """First-order distance (n,) in mm: level set over its slope."""
        radii = np.asarray(self.radii_mm)
        scaled = (points_mm - np.asarray(self.centre_mm)) / radii
        level = np.sqrt((scaled**2).sum(axis=1))
        slope = np.sqrt(((scaled / radii) ** 2).sum(axis=1))
        return np.asarray((level - 1) * level / np.maximum(slope, 1e-9))


@dataclass(frozen=True, eq=False)
class SampledSurface:
    """A signed distance stored on a grid, read by trilinear interpolation; beyond the grid its edge goes on."""

    distance_mm: NDArray[np.float32]
    geometry: Geometry

    def signed_distance(self, points_mm: Floats, /) -> Floats:
        """Distance (n,) in mm of points (n, 3), negative inside."""
        index = self.geometry.to_index(points_mm)
        return np.asarray(map_coordinates(self.distance_mm, index.T, order=1, mode="nearest", output=np.float64))


PROBES = np.concatenate([np.zeros((1, 3)), np.eye(3), -np.eye(3)]) * SLOPE_STEP_MM


def distance_and_slope(surface: Surface, points_mm: Floats) -> tuple[Floats, Floats]:
    """Signed distance (n,) and its gradient (n, 3) by central differences, in one call of the surface."""
    probes = (points_mm[:, None] + PROBES).reshape(-1, 3)
    values = surface.signed_distance(probes).reshape(-1, 7)
    return values[:, 0], (values[:, 1:4] - values[:, 4:]) / (2 * SLOPE_STEP_MM)


def normals(surface: Surface, points_mm: Floats) -> Floats:
    """Unit outward normals (n, 3) of the level sets through points (n, 3)."""
    return _unit(distance_and_slope(surface, points_mm)[1])


def project(
    surface: Surface, points_mm: Floats, offset_mm: ArrayLike, steps: int = 4, most_mm: float = 4.0
) -> tuple[Floats, Floats]:
    """Points (n, 3) moved to lie ``offset_mm`` outside the surface (Newton steps of at most ``most_mm``), and normals (n, 3)."""
    points, offset = np.array(points_mm, float), np.asarray(offset_mm, float)
    normal = np.zeros_like(points)
    for _ in range(steps):
        distance, slope = distance_and_slope(surface, points)
        normal = _unit(slope)
        excess = (distance - offset) / np.maximum(np.linalg.norm(slope, axis=1), 0.2)
        points -= np.clip(excess, -most_mm, most_mm)[:, None] * normal
    return points, normal


def tangential(vectors: Floats, normal: Floats) -> Floats:
    """Unit parts of vectors (..., 3) in the planes of the unit normals (..., 3)."""
    return _unit(vectors - (vectors * normal).sum(axis=-1, keepdims=True) * normal)


def _unit(vectors: Floats) -> Floats:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12))
