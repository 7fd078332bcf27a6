"""Deformation: the same heart in a slightly different shape, by a smooth displacement that is drawn first and then applied."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from StructDiffCore.domain import Geometry, StructDiffError

from .heart import Heart
from .smooth_noise import smooth_field

CELLS = 24
CELL_MM = 12.0
BEND_MM = 26.0
"""Correlation length of the displacement; an amplitude far below it cannot fold space."""
MOST_MM = 0.3 * BEND_MM


@dataclass(frozen=True, eq=False)
class Displacement:
    """A smooth periodic displacement of world space around a point."""

    table_mm: NDArray[np.float32]
    """(3, n, n, n) world displacement in mm on cells of ``CELL_MM``."""
    centre_mm: NDArray[np.float64]

    @classmethod
    def draw(cls, geometry: Geometry, rng: np.random.Generator, amplitude_mm: float) -> Displacement:
        """Displacement with a standard deviation of ``amplitude_mm`` per axis; refuses one that would fold space."""
        if not 0 <= amplitude_mm <= MOST_MM:
            raise StructDiffError(f"a deformation of {amplitude_mm} mm cannot stay smooth", f"give 0 to {MOST_MM:.1f} mm")
        table = np.stack([smooth_field(rng, BEND_MM / CELL_MM, CELLS) for _ in range(3)])
        return cls((amplitude_mm * table).astype(np.float32), geometry.to_world((np.asarray(geometry.shape) - 1) / 2))

    def at(self, points_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Displacement (n, 3) in mm at world points (n, 3)."""
        where = ((points_mm - self.centre_mm) / CELL_MM + CELLS / 2).T
        return np.stack([map_coordinates(axis, where, order=1, mode="grid-wrap") for axis in self.table_mm], axis=1).astype(float)

    def carried(self, points_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where material points (n, 3) go: the y with y + displacement(y) = point, by fixed-point iteration."""
        moved = np.array(points_mm, float)
        for _ in range(12):
            moved = points_mm - self.at(moved)
        return moved


def deformed(heart: Heart, rng: np.random.Generator, amplitude_mm: float = 2.0) -> Heart:
    """The heart bent smoothly: materials taken by nearest neighbour, trees carried along (radii kept).

    Nearest-neighbour warps may break a label's topology on the grid: for image pairs, not for topology claims.
    """
    displacement = Displacement.draw(heart.geometry, rng, amplitude_mm)
    to_index = np.linalg.inv(heart.geometry.affine[:3, :3])
    affine = np.ascontiguousarray(heart.geometry.affine[:3])
    sources = (heart.tissue, heart.second, heart.share)
    bent = tuple(np.empty_like(source) for source in sources)
    _take(affine, to_index, displacement.centre_mm, displacement.table_mm, *sources, *bent)
    trees = {side: tree.moved(displacement.carried) for side, tree in heart.trees.items()}
    return Heart.of_materials((bent[0], bent[1], bent[2]), heart.geometry, trees, heart.dominance, heart.seed)


@njit(cache=True, nogil=True)
def _take(affine, to_index, centre, table, tissue, second, share, out_tissue, out_second, out_share):  # type: ignore[no-untyped-def]
    """Fill the outputs (i, j, k) with the voxels nearest to every voxel's displaced position."""
    n = table.shape[1]
    point, moved = np.empty(3), np.empty(3)
    for i in range(tissue.shape[0]):
        for j in range(tissue.shape[1]):
            for k in range(tissue.shape[2]):
                for a in range(3):
                    point[a] = (
                        affine[a, 0] * i + affine[a, 1] * j + affine[a, 2] * k + affine[a, 3] - centre[a]
                    ) / CELL_MM + n / 2
                p, q, r = int(np.floor(point[0])), int(np.floor(point[1])), int(np.floor(point[2]))
                u, v, w = point[0] - p, point[1] - q, point[2] - r
                p0, q0, r0, p1, q1, r1 = p % n, q % n, r % n, (p + 1) % n, (q + 1) % n, (r + 1) % n
                for a in range(3):
                    t = table[a]
                    low = (t[p0, q0, r0] * (1 - u) + t[p1, q0, r0] * u) * (1 - v) + (
                        t[p0, q1, r0] * (1 - u) + t[p1, q1, r0] * u
                    ) * v
                    high = (t[p0, q0, r1] * (1 - u) + t[p1, q0, r1] * u) * (1 - v) + (
                        t[p0, q1, r1] * (1 - u) + t[p1, q1, r1] * u
                    ) * v
                    moved[a] = low * (1 - w) + high * w
                x = i + to_index[0, 0] * moved[0] + to_index[0, 1] * moved[1] + to_index[0, 2] * moved[2]
                y = j + to_index[1, 0] * moved[0] + to_index[1, 1] * moved[1] + to_index[1, 2] * moved[2]
                z = k + to_index[2, 0] * moved[0] + to_index[2, 1] * moved[1] + to_index[2, 2] * moved[2]
                ix = min(max(round(x), 0), tissue.shape[0] - 1)
                iy = min(max(round(y), 0), tissue.shape[1] - 1)
                iz = min(max(round(z), 0), tissue.shape[2] - 1)
                out_tissue[i, j, k] = tissue[ix, iy, iz]
                out_second[i, j, k] = second[ix, iy, iz]
                out_share[i, j, k] = share[ix, iy, iz]
