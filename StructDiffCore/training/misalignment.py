"""Misalignment: what registration leaves between template and target, a small affine map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from StructDiffCore.domain import Geometry


@dataclass(frozen=True, eq=False)
class AlignedScan:
    """A template on the target's grid."""

    image: NDArray[np.float32]
    labels: NDArray[np.integer]
    covered: NDArray[np.bool_]
    """Where the template has an image."""


@dataclass(frozen=True, eq=False)
class Misalignment:
    """y = matrix x + shift about the grid's centre, in voxels."""

    matrix: NDArray[np.float64]
    shift: NDArray[np.float64]

    @classmethod
    def draw(cls, geometry: Geometry, spread_mm: float, rng: np.random.Generator) -> Misalignment:
        """Shift of about ``spread_mm``, rotation of about 2 degrees, scaling and shear of about 2 %."""
        skew = rng.normal(0, 0.035, (3, 3))
        matrix = np.eye(3) + np.clip(0.5 * (skew - skew.T) + 0.5 * np.diag(rng.normal(0, 0.04, 3)), -0.1, 0.1)
        shift = np.clip(rng.normal(0, spread_mm, 3), -3 * spread_mm, 3 * spread_mm) / np.asarray(geometry.spacing)
        return cls(matrix, shift)

    def apply(self, image: NDArray[np.float32], labels: NDArray[np.integer]) -> AlignedScan:
        """Image (i, j, k) linearly and labels by nearest voxel; what comes from outside is not covered."""
        centre = (np.asarray(image.shape) - 1) / 2
        offset = centre + self.shift - self.matrix @ centre
        moved = ndimage.affine_transform(image, self.matrix, offset, order=1, mode="nearest")
        mask = ndimage.affine_transform(labels, self.matrix, offset, order=0, mode="nearest")
        return AlignedScan(moved, mask, self._covered(image.shape, offset))

    def _covered(self, shape: tuple[int, ...], offset: NDArray[np.float64]) -> NDArray[np.bool_]:
        axes = [np.arange(n).reshape([-1 if a == b else 1 for b in range(3)]) for a, n in enumerate(shape)]
        covered = np.ones(shape, bool)
        for row, shift, size in zip(self.matrix, offset, shape):
            source = row[0] * axes[0] + row[1] * axes[1] + row[2] * axes[2] + shift
            covered &= (source >= -0.5) & (source <= size - 0.5)
        return covered
