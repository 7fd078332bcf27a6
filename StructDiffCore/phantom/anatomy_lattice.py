"""Lattice: the body's signed distances on a coarse grid fixed in the body, from which every voxel grid reads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from StructDiffCore.config.compiled import njit

from .anatomy_chambers import Distances, HeartShapes, bent, heart_distances
from .thorax import ThoraxDistances, ThoraxSizes, thorax_distances

HEART_CHANNELS = len(Distances._fields)
FAR_OFF_MM = 40.0
"""Stands for every distance to the heart outside the box it never leaves."""
LATTICE_MM = 2.0
"""A distance to a surface of curvature radius R errs by LATTICE_MM^2 / (8 R): 0.1 mm at R = 5 mm."""


@dataclass(frozen=True, eq=False)
class Lattice:
    """Distances (n, n, n, channels) in mm at corner + cell * index; the fields of ``Distances``, then of ``ThoraxDistances``."""

    values: NDArray[np.float32]
    corner_mm: NDArray[np.float64]
    cell_mm: float

    @classmethod
    def around(
        cls, heart: HeartShapes, thorax: ThoraxSizes, low_mm: ArrayLike, high_mm: ArrayLike, cell_mm: float = LATTICE_MM
    ) -> Lattice:
        """The distances over a box of the body; nodes lie at whole multiples of the cell, whatever the box."""
        first = np.floor(np.asarray(low_mm, float) / cell_mm)
        last = np.floor(np.asarray(high_mm, float) / cell_mm) + 1
        values = np.empty((*(last - first + 1).astype(int), len(Distances._fields) + len(ThoraxDistances._fields)), np.float32)
        _sample(values, first * cell_mm, cell_mm, heart, thorax)
        return cls(values, first * cell_mm, cell_mm)


@njit(cache=True, fastmath=True, nogil=True)
def _sample(
    values: NDArray[np.float32], corner: NDArray[np.float64], cell_mm: float, heart: HeartShapes, thorax: ThoraxSizes
) -> None:
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            for k in range(values.shape[2]):
                x, y, z = bent(corner[0] + cell_mm * i, corner[1] + cell_mm * j, corner[2] + cell_mm * k, heart.warp)
                for channel, distance in enumerate(thorax_distances(x, y, z, thorax)):
                    values[i, j, k, HEART_CHANNELS + channel] = distance
                low, high = heart.bound
                if x < low[0] or x > high[0] or y < low[1] or y > high[1]:
                    values[i, j, k, :HEART_CHANNELS] = FAR_OFF_MM
                    continue
                for channel, distance in enumerate(heart_distances(x, y, z, heart)):
                    values[i, j, k, channel] = distance


@njit(cache=True, fastmath=True, inline="always")
def read_lattice(
    values: NDArray[np.float32], fx: float, fy: float, fz: float, first: int, last: int, out: NDArray[np.float32]
) -> None:
    """Trilinear values of channels ``first`` to ``last`` at the fractional index (fx, fy, fz), written to ``out``."""
    i, j, k = int(np.floor(fx)), int(np.floor(fy)), int(np.floor(fz))
    u, v, w = np.float32(fx - i), np.float32(fy - j), np.float32(fz - k)
    one = np.float32(1.0)
    a, b, c, d = (one - u) * (one - v), u * (one - v), (one - u) * v, u * v
    for n in range(first, last):
        low = a * values[i, j, k, n] + b * values[i + 1, j, k, n] + c * values[i, j + 1, k, n] + d * values[i + 1, j + 1, k, n]
        high = (
            a * values[i, j, k + 1, n]
            + b * values[i + 1, j, k + 1, n]
            + c * values[i, j + 1, k + 1, n]
            + d * values[i + 1, j + 1, k + 1, n]
        )
        out[n] = low * (one - w) + high * w
