"""Overlay: one more material laid over the mixture that a voxel already holds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .anatomy import Materials
from .tissues import Tissue


def overlaid(materials: Materials, where: tuple[NDArray[np.intp], ...], coverage: NDArray[np.floating], material: Tissue) -> None:
    """Let ``material`` take its part (n,) of the voxels ``where``; the larger part becomes dominant."""
    tissue, second, share = materials
    old, inside = tissue[where], coverage >= 0.5
    kept = (coverage <= 0.0) | (old == material)
    tissue[where] = np.where(kept | ~inside, old, material)
    second[where] = np.where(kept, second[where], np.where(inside, old, material))
    amount = np.round(255.0 * np.where(inside, coverage, 1.0 - coverage)).astype(np.uint8)
    share[where] = np.where(kept, share[where], amount)
