"""Streaks: bright and dark rays that dense calcium sends through its slices."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from StructDiffCore.domain import Geometry, Volume
from StructDiffCore.phantom.noise import axial_axis

MOST_SOURCES = 3
"""The largest pieces of calcium send rays."""
STRENGTH_HU = (25.0, 80.0)
"""Of the rays, 5 mm from their source."""
NEAR_MM = 5.0
LOBES = (4, 12)
"""Bright rays around a source."""


def with_streaks(image: Volume, dense: NDArray[np.bool_], rng: np.random.Generator) -> Volume:
    """The scan with rays from the largest pieces of ``dense`` (i, j, k); as it is where there is nothing dense."""
    pieces, count = ndimage.label(dense, np.ones((3, 3, 3), bool))
    if not count:
        return image
    sizes = np.bincount(pieces.ravel())[1:]
    voxels = np.array(image.voxels)
    for number in np.argsort(-sizes, kind="stable")[:MOST_SOURCES] + 1:
        voxels += _rays(pieces == number, image.geometry, rng)
    return Volume(np.clip(voxels, -1024, 3071), image.geometry)


def _rays(source: NDArray[np.bool_], grid: Geometry, rng: np.random.Generator) -> NDArray[np.float32]:
    """Waves around the source in its axial slices, falling off with the distance and beyond its first and last slice."""
    strength, phase = rng.uniform(*STRENGTH_HU), rng.uniform(0, 2 * np.pi)
    lobes = int(rng.integers(LOBES[0], LOBES[1] + 1))
    along = axial_axis(grid)
    found = np.argwhere(source)
    middle, reach = found.mean(axis=0), max(1.0, float(np.ptp(found[:, along])) / 2)
    offset = [(np.arange(n) - m) * s for n, m, s in zip(grid.shape, middle, grid.spacing)]
    first, second = (axis for axis in range(3) if axis != along)
    u, v = (np.moveaxis(offset[a][:, None, None], 0, a) for a in (first, second))
    radius, angle = np.hypot(u, v), np.arctan2(v, u)
    wave = strength * np.cos(lobes * angle + phase) * NEAR_MM * radius / (NEAR_MM**2 + radius**2) * 2
    slices = np.exp(-0.5 * (offset[along] / grid.spacing[along] / reach) ** 2)
    return np.asarray(wave * np.moveaxis(slices[:, None, None], 0, along), np.float32)
