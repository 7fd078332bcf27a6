"""Blend: the way from one reference's shape to another's as a velocity field, of which a new heart may go a part."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from StructDiffCore.domain import Geometry, StructDiffError
from StructDiffCore.measures.distance import signed_distance
from StructDiffCore.preprocess.log_demons import log_demons

from .reference import Reference
from .transplant import SHARED_ORGANS, shared_frame
from .warp import GRID_MM, MARGIN_MM, warp_grid

Floats = NDArray[np.float64]
FARTHEST_MM = 20.0
SAMPLED_MM = 2.0
"""Labels are measured on about this grid."""
BORDER_MM = 6.0
"""What lies nearer to the border of a mask's view may be cut and tells nothing about shape."""


@dataclass(frozen=True, eq=False)
class Blend:
    """Velocity that takes a reference's organs onto another's, brought to its place and size first."""

    velocity_mm: NDArray[np.float32]
    """(3, a, b, c)"""
    grid: Geometry

    def velocity_at(self, points_mm: Floats) -> Floats:
        """Velocity (3, n) in mm at world points (n, 3) of the reference; 0 outside."""
        index = self.grid.to_index(points_mm).T
        return np.stack([map_coordinates(axis, index, order=1) for axis in self.velocity_mm])


def can_blend(reference: Reference, other: Reference) -> bool:
    """Whether two references are different masks of one scheme that share enough organs to find a common frame."""
    shared = set(reference.roles.organs) & set(other.roles.organs)
    return reference is not other and reference.mask.scheme.name == other.mask.scheme.name and len(shared) >= SHARED_ORGANS


@lru_cache(maxsize=16)
def blend_between(reference: Reference, other: Reference) -> Blend:
    """The whole way from ``reference`` to ``other``; found once per pair. StructDiffError where they cannot be compared."""
    if not can_blend(reference, other):
        raise StructDiffError(
            "a warp towards another reference needs two masks of one scheme that share three organs", "choose another reference"
        )
    matrix, offset = shared_frame(other, reference)
    grid = warp_grid(*reference.box_mm())
    points = grid.to_world(np.stack(np.meshgrid(*[np.arange(n) for n in grid.shape], indexing="ij"), axis=-1).reshape(-1, 3))
    there = (points - offset) @ np.linalg.inv(matrix).T
    scale = float(np.cbrt(np.linalg.det(matrix)))
    shared = [value for value in reference.roles.organs if value in other.roles.organs]
    moving = [_distance(reference, value, points, 1.0, grid.shape) for value in shared]
    fixed = [_distance(other, value, there, scale, grid.shape) for value in shared]
    seen = (_seen(reference, points) & _seen(other, there)).reshape(grid.shape).astype(np.float32)
    return Blend(log_demons(fixed, moving, seen, GRID_MM, MARGIN_MM), grid)


def _distance(reference: Reference, value: int, points: Floats, scale: float, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Signed distance (a, b, c) in mm, times ``scale``, from points (n, 3) to an organ; it grows on outside the view."""
    step = np.maximum(1, np.round(SAMPLED_MM / np.asarray(reference.geometry.spacing))).astype(int)
    coarse = np.pad(reference.ground[:: step[0], :: step[1], :: step[2]] == value, 1)
    distance = signed_distance(coarse, tuple(step * np.asarray(reference.geometry.spacing)))
    index = reference.geometry.to_index(points) / step + 1
    inside = np.clip(index, 0, np.asarray(coarse.shape) - 1)
    beyond = np.linalg.norm((index - inside) * step * np.asarray(reference.geometry.spacing), axis=1)
    found = map_coordinates(distance, inside.T, order=1) + beyond
    return np.clip(scale * found, -FARTHEST_MM, FARTHEST_MM).astype(np.float32).reshape(shape)


def _seen(reference: Reference, points: Floats) -> NDArray[np.bool_]:
    """Which points (n, 3) lie in the mask's view and not at its border."""
    geometry = reference.mask.geometry
    margin = BORDER_MM / np.asarray(geometry.spacing)
    index = geometry.to_index(points)
    return np.all((index >= margin) & (index <= np.asarray(geometry.shape) - 1 - margin), axis=1)
