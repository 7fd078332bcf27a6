"""Voxels turned so that their axes run to the patient's right-to-left, back-to-front and foot-to-head: ready to be drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.domain import Geometry, Triple


@dataclass(frozen=True)
class Turn:
    """Axis permutation and flips that bring a grid's axes as near to RAS+ as they come without resampling."""

    order: tuple[int, int, int]
    """Index axis that runs along R-L, P-A and I-S."""
    flipped: tuple[bool, bool, bool]
    """Whether that axis runs against R->, A->, S->."""

    @classmethod
    def of(cls, geometry: Geometry) -> Turn:
        """The turn of a grid: each world axis takes the index axis that is most along it."""
        direction = np.asarray(geometry.direction)
        order: list[int] = []
        for world in range(3):
            rest = [axis for axis in range(3) if axis not in order]
            order.append(max(rest, key=lambda axis: abs(direction[world, axis])))
        flipped = tuple(bool(direction[world, axis] < 0) for world, axis in enumerate(order))
        return cls(tuple(order), flipped)  # type: ignore[arg-type]  # both have three entries

    def voxels(self, voxels: NDArray) -> NDArray:
        """(i, j, k) -> (right, anterior, superior), a view."""
        turned = voxels.transpose(self.order)
        return turned[tuple(slice(None, None, -1) if flip else slice(None) for flip in self.flipped)]

    def spacing(self, geometry: Geometry) -> Triple:
        """Voxel size in mm along right, anterior, superior."""
        return tuple(geometry.spacing[axis] for axis in self.order)  # type: ignore[return-value]

    def index(self, index: tuple[float, float, float], geometry: Geometry) -> Triple:
        """Index (i, j, k) -> index in the turned voxels."""
        sizes = [geometry.shape[axis] for axis in self.order]
        values = [index[axis] for axis in self.order]
        turned = (n - 1 - v if flip else v for n, v, flip in zip(sizes, values, self.flipped))
        return tuple(float(v) for v in turned)  # type: ignore[return-value]
