"""Deformable alignment: the smooth displacement that an affine motion leaves between two masks (log-domain demons)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.domain import Geometry

from .label_field import LabelField
from .log_demons import log_demons
from .velocity import exponential

STEP_MM = 4.0
"""Grid of the displacement: organs move as wholes, vessels are not pulled."""
ROUNDS = 20
FADED_MM = 12.0
BORDER_MM = 4.0
"""What lies nearer to the border of a field of view may be cut and tells nothing about shape."""


@dataclass(frozen=True, eq=False)
class Displacement:
    """x -> x + d(x), smooth, zero far from the labels."""

    mm: NDArray[np.float32]
    """(3, a, b, c): d in mm along world axes (RAS+)."""
    grid: Geometry

    @property
    def typical_mm(self) -> float:
        """Median length where anything moves."""
        length = np.linalg.norm(self.mm, axis=0)
        return float(np.median(length[length > 0.2])) if (length > 0.2).any() else 0.0

    @property
    def largest_mm(self) -> float:
        return float(np.linalg.norm(self.mm, axis=0).max())


def residual_displacement(
    target: LabelField, template: LabelField, matrix: NDArray[np.float64], groups: Iterable[int]
) -> Displacement:
    """d with ``template`` at matrix (x + d(x)) near ``target`` at x, from the signed distances of ``groups``.

    ``matrix`` (4x4, RAS+ mm) leads from target world to template world.
    """
    grid = _grid_over(target)
    world = grid.to_world(np.moveaxis(np.indices(grid.shape), 0, -1).reshape(-1, 3))
    there = world @ matrix[:3, :3].T + matrix[:3, 3]
    scale = float(np.cbrt(abs(np.linalg.det(matrix[:3, :3]))))
    fixed = [target.distance(group, world).reshape(grid.shape).astype(np.float32) for group in groups]
    moving = [(template.distance(group, there) / scale).reshape(grid.shape).astype(np.float32) for group in groups]
    seen = target.in_view(world, BORDER_MM) & template.in_view(there, BORDER_MM)
    velocity = log_demons(fixed, moving, seen.reshape(grid.shape).astype(np.float32), STEP_MM, FADED_MM, ROUNDS)
    along_axes = exponential(velocity, STEP_MM)
    return Displacement(np.einsum("wa,aijk->wijk", np.asarray(grid.direction, np.float32), along_axes), grid)


def _grid_over(field: LabelField) -> Geometry:
    geometry = field.geometry
    i, j, k = (max(4, int(np.ceil((n - 1) * s / STEP_MM)) + 1) for n, s in zip(geometry.shape, geometry.spacing))
    return Geometry((i, j, k), (STEP_MM,) * 3, geometry.origin, geometry.direction)
