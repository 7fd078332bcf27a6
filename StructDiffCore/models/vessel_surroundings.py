"""What surrounds a thin vessel and no mask draws: its wall, and the fat between it and the lung."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from StructDiffCore.measures.distance import distance_to, signed_distance

WALL_MM = 0.75
"""Mean thickness of a healthy coronary's wall (Fayad et al. 2000, Circulation 102:506: 0.75 +- 0.17 mm)."""
SHEATH_MM = 2.0
"""Coronaries run in epicardial fat: at least this much lies between wall and lung."""
RING_MM = 3.0
"""Where a template is asked in what its own thin vessels run."""
MOSTLY = 0.5


def wall_share(lumen: NDArray[np.bool_], spacing_mm: ArrayLike) -> NDArray[np.float32]:
    """Share of every voxel (i, j, k) outside the lumen that a wall of ``WALL_MM`` fills, 0 to 1."""
    return share_at(signed_distance(lumen, spacing_mm), spacing_mm)


def share_at(lumen_distance_mm: NDArray[np.float32], spacing_mm: ArrayLike) -> NDArray[np.float32]:
    """The same from the signed distance (mm, negative inside) to the lumen's surface."""
    voxel = float(np.mean(np.asarray(spacing_mm, float)))
    share = np.clip(0.5 - (lumen_distance_mm - WALL_MM) / voxel, 0, 1)
    return np.where(lumen_distance_mm > 0, share, 0).astype(np.float32)


def sheath(lumen: NDArray[np.bool_], spacing_mm: ArrayLike) -> NDArray[np.bool_]:
    """Voxels (i, j, k) near enough to a lumen that no lung is there."""
    return ~lumen & (distance_to(lumen, spacing_mm) <= WALL_MM + SHEATH_MM)


def runs_in(lumen: NDArray[np.bool_], tissue: NDArray[np.bool_], others: NDArray[np.bool_], spacing_mm: ArrayLike) -> bool:
    """Whether most of the unlabelled voxels (``others``) around the lumen are ``tissue``. All (i, j, k)."""
    ring = ~lumen & (distance_to(lumen, spacing_mm) <= RING_MM)
    found, rest = int((ring & tissue).sum()), int((ring & others & ~tissue).sum())
    return found > MOSTLY * max(1, found + rest)
