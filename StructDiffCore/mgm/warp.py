"""Warp: a diffeomorphism of the world, drawn as a stationary velocity field and made by scaling and squaring.

A diffeomorphism moves things smoothly; it does *not* keep a label's topology on a grid. That is the regrowth's task.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from StructDiffCore.config.compiled import njit
from StructDiffCore.domain import Geometry, StructDiffError
from StructDiffCore.preprocess.velocity import exponential, faded

Floats = NDArray[np.float64]
VelocityAt = Callable[[Floats], Floats]

GRID_MM = 4.0
MARGIN_MM = 24.0
"""The velocity fades to nothing over this margin around the heart."""
INVERSE_STEPS = 40
INVERSE_DAMPING = 0.6
"""Undamped iteration diverges where the displacement's slope exceeds 1."""
INVERSE_MM = 1e-5
"""A point that moves less per step has arrived."""


@dataclass(frozen=True)
class WarpRecipe:
    """Everything that decides a warp."""

    seed: int
    sd_mm: float = 3.2
    """Standard deviation of the velocity per axis."""
    smooth_mm: float = 18.0
    """Gaussian sigma that correlates it."""
    size: float = 1.0
    """Scaling about the heart's centre before the warp."""
    towards: int | None = None
    """Number of another reference whose shape the heart approaches."""
    share: float = 0.0
    """How much of the way to it."""

    def __post_init__(self) -> None:
        if not 0 <= self.sd_mm <= 12:
            raise StructDiffError(f"a warp of {self.sd_mm:g} mm cannot be", "give a standard deviation of 0 to 12 mm")
        if not 6 <= self.smooth_mm <= 100:
            raise StructDiffError(f"a warp smoothed over {self.smooth_mm:g} mm cannot be", "give 6 to 100 mm")
        if not 0.7 <= self.size <= 1.4:
            raise StructDiffError(f"a heart {self.size:g} times its size leaves the human range", "give a size of 0.7 to 1.4")
        if not 0 <= self.share <= 1:
            raise StructDiffError(f"a share of {self.share:g} of the way to another heart cannot be", "give 0 to 1")
        if self.share > 0 and self.towards is None:
            raise StructDiffError("the warp goes a share of the way, but towards no reference", "give its number in 'towards'")

    @property
    def moves(self) -> bool:
        """Whether anything changes its place."""
        return self.sd_mm > 0 or self.size != 1.0 or self.share > 0


@dataclass(frozen=True, eq=False)
class Warp:
    """Where every point of the new world comes from: ``source = centre + (y + displacement(y) - centre) / size``."""

    displacement_mm: NDArray[np.float32]
    """(3, a, b, c) in RAS mm on the grid."""
    grid: Geometry
    centre_mm: Floats
    size: float

    @classmethod
    def from_recipe(cls, recipe: WarpRecipe, low_mm: Floats, high_mm: Floats, way: VelocityAt | None = None) -> Warp:
        """The warp of a recipe around the box from ``low_mm`` (3,) to ``high_mm`` (3,) that holds the heart.

        ``way``: velocity (3, n) in mm at points (n, 3) of the reference, towards the other reference that the recipe names.
        """
        centre = 0.5 * (low_mm + high_mm)
        grid = warp_grid(low_mm, high_mm, recipe.size)
        velocity = _drawn_velocity(recipe, grid.shape)
        if way is not None and recipe.share > 0:
            points = grid.to_world(np.moveaxis(np.indices(grid.shape), 0, -1).reshape(-1, 3))
            blended = recipe.share * recipe.size * way(centre + (points - centre) / recipe.size)
            velocity += blended.reshape(velocity.shape).astype(np.float32)
        return cls(exponential(velocity, GRID_MM), grid, centre, recipe.size)

    @cached_property
    def least_jacobian(self) -> float:
        """Smallest Jacobian determinant of the displaced grid; 1 without a warp, <= 0 where space folds."""
        steps = np.stack([np.stack(np.gradient(axis, GRID_MM)) for axis in self.displacement_mm])
        steps += np.eye(3)[:, :, None, None, None]
        return float(np.linalg.det(np.moveaxis(steps, (0, 1), (-2, -1))).min())

    def displacement_at(self, points_mm: Floats) -> Floats:
        """Displacement (n, 3) in mm at world points (n, 3); nothing outside the grid."""
        points, moved = np.ascontiguousarray(points_mm, np.float64), np.empty((len(points_mm), 3))
        _displaced(self.displacement_mm, np.asarray(self.grid.origin), points, moved)
        return moved

    def source_of(self, points_mm: Floats) -> Floats:
        """Where points (n, 3) of the new world come from."""
        return np.asarray(self.centre_mm + (points_mm + self.displacement_at(points_mm) - self.centre_mm) / self.size)

    def carried(self, points_mm: Floats) -> Floats:
        """Where points (n, 3) of the reference go: the inverse of ``source_of`` by damped fixed-point iteration."""
        scaled = np.ascontiguousarray(self.centre_mm + (points_mm - self.centre_mm) * self.size)
        moved = scaled.copy()
        _carry(self.displacement_mm, np.asarray(self.grid.origin), scaled, moved)
        return moved

    def mean_displacement_mm(self, points_mm: Floats) -> float:
        """How far points (n, 3) of the reference go on average."""
        return float(np.linalg.norm(self.carried(points_mm) - points_mm, axis=1).mean())


def warp_grid(low_mm: Floats, high_mm: Floats, size: float = 1.0) -> Geometry:
    """The grid of a velocity field: around a box, scaled about its middle, with the margin over which the field fades."""
    centre = 0.5 * (low_mm + high_mm)
    half = 0.5 * (high_mm - low_mm) * max(size, 1.0) + MARGIN_MM
    i, j, k = (int(n) for n in np.ceil(2 * half / GRID_MM).astype(int) + 1)
    x, y, z = (float(n) for n in centre - 0.5 * GRID_MM * (np.array([i, j, k]) - 1))
    return Geometry((i, j, k), (GRID_MM,) * 3, (x, y, z))


def _drawn_velocity(recipe: WarpRecipe, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Smooth noise (3, a, b, c) in mm that fades out at the grid's border."""
    rng = np.random.default_rng(recipe.seed)
    noise = rng.standard_normal((3, *shape), dtype=np.float32)
    velocity = np.stack([gaussian_filter(axis, recipe.smooth_mm / GRID_MM, mode="wrap") for axis in noise])
    velocity *= recipe.sd_mm / max(float(velocity.std()), 1e-12)
    return faded(velocity, GRID_MM, MARGIN_MM)


@njit(cache=True, nogil=True, inline="always")
def _look_up(field, origin, point, found):  # type: ignore[no-untyped-def]
    """Trilinear value (3,) of a field (3, a, b, c) at a world point; 0 outside."""
    x, y, z = (point[0] - origin[0]) / GRID_MM, (point[1] - origin[1]) / GRID_MM, (point[2] - origin[2]) / GRID_MM
    _, na, nb, nc = field.shape
    if not (0 <= x <= na - 1 and 0 <= y <= nb - 1 and 0 <= z <= nc - 1):
        found[:] = 0
        return
    a, b, c = min(int(x), na - 2), min(int(y), nb - 2), min(int(z), nc - 2)
    u, v, w = x - a, y - b, z - c
    for d in range(3):
        f = field[d]
        low = (f[a, b, c] * (1 - w) + f[a, b, c + 1] * w) * (1 - v) + (f[a, b + 1, c] * (1 - w) + f[a, b + 1, c + 1] * w) * v
        a1 = a + 1
        high = (f[a1, b, c] * (1 - w) + f[a1, b, c + 1] * w) * (1 - v) + (f[a1, b + 1, c] * (1 - w) + f[a1, b + 1, c + 1] * w) * v
        found[d] = low * (1 - u) + high * u


@njit(cache=True, nogil=True)
def _displaced(field, origin, points, found):  # type: ignore[no-untyped-def]
    for n in range(len(points)):
        _look_up(field, origin, points[n], found[n])


@njit(cache=True, nogil=True)
def _carry(field, origin, scaled, moved):  # type: ignore[no-untyped-def]
    step = np.empty(3)
    for n in range(len(scaled)):
        for _ in range(INVERSE_STEPS):
            _look_up(field, origin, moved[n], step)
            far = 0.0
            for d in range(3):
                change = INVERSE_DAMPING * (scaled[n, d] - step[d] - moved[n, d])
                moved[n, d] += change
                far = max(far, abs(change))
            if far < INVERSE_MM:
                break
