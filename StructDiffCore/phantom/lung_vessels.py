"""Lung vessels: curves where two smooth random fields vanish, thick near the hila, painted into pure lung."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from StructDiffCore.domain import Geometry

from .heart import Heart
from .noise import Point
from .texture import smooth_field
from .tissues import Tissue

Materials = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]
"""Dominant material, second material and share (i, j, k)."""

MESH_MM = ((11.0, 2.5), (7.0, 1.5), (5.0, 0.75))
"""(mesh, radius at the hilum) of segmental, subsegmental and small vessels; radii after Huang 1996, orders 8 to 12."""
HILUM_MM, HILUM_REACH_MM = 40.0, 70.0
"""Radii fall to a third over the second length, beginning at the first one from the heart's centre."""
LUNG, LUNG_VESSEL = int(Tissue.LUNG), int(Tissue.LUNG_VESSEL)


def with_lung_vessels(heart: Heart, rng: np.random.Generator) -> Heart:
    """The same heart with vessels in its lungs; its labels stay as they are."""
    materials = (heart.tissue.copy(), heart.second.copy(), heart.share.copy())
    paint_lung_vessels(materials, heart.geometry, np.zeros(3), rng)
    return replace(heart, tissue=materials[0], second=materials[1], share=materials[2])


def paint_lung_vessels(materials: Materials, geometry: Geometry, centre_mm: Point, rng: np.random.Generator) -> None:
    """Turn part of the lung of ``materials`` (changed in place) into ``Tissue.LUNG_VESSEL``, with partial volume."""
    # A field of correlation length L climbs by about 1/L per mm, so L * hypot(f, g) is about the distance to the curve f = g = 0.
    if not np.any(materials[0] == Tissue.LUNG):
        return
    voxel_mm = float(np.cbrt(geometry.voxel_volume_mm3))
    origin = geometry.to_index(centre_mm)
    for mesh_mm, radius_mm in MESH_MM:
        first, second = (smooth_field(mesh_mm, geometry, rng) for _ in range(2))
        np.hypot(first, second, out=first)
        first *= np.float32(mesh_mm)
        _paint(*materials, first, np.float32(radius_mm), origin, np.asarray(geometry.spacing), voxel_mm)


@njit(cache=True, fastmath=True)
def _paint(tissue: Any, other: Any, share: Any, to_axis: Any, radius_mm: float, origin: Any, spacing: Any, h: float) -> None:
    """Vessels around the axes ``to_axis`` mm away, in voxels of ``h`` mm; they taper with the distance from ``origin``."""
    lung, vessel = np.uint8(LUNG), np.uint8(LUNG_VESSEL)
    for i in range(tissue.shape[0]):
        for j in range(tissue.shape[1]):
            for k in range(tissue.shape[2]):
                if tissue[i, j, k] != lung or share[i, j, k] < 255:
                    continue
                x, y, z = (i - origin[0]) * spacing[0], (j - origin[1]) * spacing[1], (k - origin[2]) * spacing[2]
                radius = radius_mm * np.exp(-max(np.sqrt(x * x + y * y + z * z) - HILUM_MM, 0.0) / HILUM_REACH_MM)
                coverage = min(0.5 - (to_axis[i, j, k] - radius) / h, 4.0 * (radius / h) ** 2, 1.0)
                if coverage > 0.5:
                    tissue[i, j, k], other[i, j, k], share[i, j, k] = vessel, lung, np.uint8(255.0 * coverage)
                elif coverage > 0.02:
                    other[i, j, k], share[i, j, k] = vessel, np.uint8(255.0 * (1.0 - coverage))
