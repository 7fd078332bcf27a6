"""Lung vessels: curves where two smooth random fields vanish, thick near the hila, painted into pure lung."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from StructDiffCore.domain import Geometry

from .noise import Point
from .texture import smooth_field
from .tissues import Tissue

Materials = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]
"""Dominant material, second material and share (i, j, k)."""

MESH_MM = ((11.0, 1.9), (6.5, 0.95), (4.0, 0.5))
"""(distance between vessels, radius at the hilum) of segmental, subsegmental and small vessels; radii: Weibel 1963, orders 10 to 16."""
HILUM_REACH_MM = 60.0
"""Distance from the heart's centre over which radii fall to a third."""


def paint_lung_vessels(materials: Materials, geometry: Geometry, centre_mm: Point, rng: np.random.Generator) -> None:
    """Turn part of the lung of ``materials`` (changed in place) into ``Tissue.LUNG_VESSEL``, with partial volume."""
    if not np.any(materials[0] == Tissue.LUNG):
        return
    voxel_mm = float(np.cbrt(geometry.voxel_volume_mm3))
    origin = geometry.to_index(centre_mm)
    for mesh_mm, radius_mm in MESH_MM:
        first, second = (smooth_field(mesh_mm, geometry, rng) for _ in range(2))
        _paint(*materials, first, second, np.float32(mesh_mm), np.float32(radius_mm), origin, np.asarray(geometry.spacing), voxel_mm)


@njit(cache=True, fastmath=True)
def _paint(
    tissue: Any, other: Any, share: Any, first: Any, second: Any, mesh_mm: float, radius_mm: float, origin: Any, spacing: Any, voxel_mm: float
) -> None:
    """A field of correlation length L climbs by about 1/L per mm, so L * sqrt(f^2 + g^2) is about the distance to the curve f = g = 0."""
    lung, vessel = np.uint8(1), np.uint8(2)
    for i in range(tissue.shape[0]):
        for j in range(tissue.shape[1]):
            for k in range(tissue.shape[2]):
                if tissue[i, j, k] != lung or share[i, j, k] < 255:
                    continue
                away = np.sqrt(
                    ((i - origin[0]) * spacing[0]) ** 2 + ((j - origin[1]) * spacing[1]) ** 2 + ((k - origin[2]) * spacing[2]) ** 2
                )
                radius = radius_mm * np.exp(-max(away - 30.0, 0.0) / HILUM_REACH_MM)
                distance = mesh_mm * np.sqrt(first[i, j, k] ** 2 + second[i, j, k] ** 2) - radius
                coverage = min(0.5 - distance / voxel_mm, (radius / (0.4 * voxel_mm)) ** 2, 1.0)
                if coverage > 0.5:
                    tissue[i, j, k], other[i, j, k], share[i, j, k] = vessel, lung, np.uint8(255.0 * coverage)
                elif coverage > 0.02:
                    other[i, j, k], share[i, j, k] = vessel, np.uint8(255.0 * (1.0 - coverage))
