"""Geometry: where a voxel grid lies in the patient. World is RAS+ in mm inside the core."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import StructDiffError

Triple = tuple[float, float, float]
IDENTITY: tuple[Triple, Triple, Triple] = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


@dataclass(frozen=True, eq=False)
class Geometry:
    """A voxel grid in RAS+ world coordinates. A left-handed direction is legal, shear is not."""

    shape: tuple[int, int, int]
    """Number of voxels along i, j, k."""
    spacing: Triple = (1.0, 1.0, 1.0)
    """Voxel size along i, j, k in mm."""
    origin: Triple = (0.0, 0.0, 0.0)
    """World position (RAS+, mm) of the centre of voxel (0, 0, 0)."""
    direction: tuple[Triple, Triple, Triple] = IDENTITY
    """3x3 matrix; column c is the world direction of index axis c. Orthonormal."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))
        object.__setattr__(self, "spacing", tuple(float(s) for s in self.spacing))
        object.__setattr__(self, "origin", tuple(float(o) for o in self.origin))
        rows = tuple(tuple(float(v) for v in row) for row in np.asarray(self.direction, float).reshape(3, 3))
        object.__setattr__(self, "direction", rows)
        self._refuse_bad_sizes()
        self._refuse_shear()

    def _refuse_bad_sizes(self) -> None:
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise StructDiffError(f"the grid has shape {self.shape}, expected three sizes >= 1", "give a 3D volume")
        if len(self.spacing) != 3 or not np.all(np.isfinite(self.spacing)) or min(self.spacing) <= 0:
            raise StructDiffError(
                f"the voxel spacing is {self.spacing} mm, expected three positive numbers",
                "repair the file's header",
            )
        if len(self.origin) != 3 or not np.all(np.isfinite(self.origin)):
            raise StructDiffError(f"the origin is {self.origin}, expected three finite numbers", "repair the file's header")

    def _refuse_shear(self) -> None:
        matrix = np.asarray(self.direction)
        if not np.allclose(matrix.T @ matrix, np.eye(3), atol=1e-3):
            raise StructDiffError(
                f"the direction matrix is sheared or scaled: {np.round(matrix, 4).tolist()}",
                "resample the volume onto an orthogonal grid first",
            )

    @cached_property
    def affine(self) -> NDArray[np.float64]:
        """4x4 matrix from homogeneous index (i, j, k, 1) to RAS+ world in mm."""
        matrix = np.eye(4)
        matrix[:3, :3] = np.asarray(self.direction) * np.asarray(self.spacing)
        matrix[:3, 3] = self.origin
        return matrix

    @classmethod
    def from_affine(cls, shape: tuple[int, int, int], affine: ArrayLike) -> Geometry:
        """Geometry of a grid with the given 4x4 index-to-RAS matrix."""
        matrix = np.asarray(affine, float)
        spacing = np.linalg.norm(matrix[:3, :3], axis=0)
        if not np.all(spacing > 0):
            raise StructDiffError(
                f"the voxel spacing is {tuple(spacing)} mm, expected three positive numbers", "repair the file's header"
            )
        return cls(shape, tuple(spacing), tuple(matrix[:3, 3]), matrix[:3, :3] / spacing)

    def to_world(self, index: ArrayLike) -> NDArray[np.float64]:
        """World positions (..., 3) in mm of (fractional) voxel indices (..., 3)."""
        return np.asarray(index, float) @ self.affine[:3, :3].T + self.affine[:3, 3]

    def to_index(self, world: ArrayLike) -> NDArray[np.float64]:
        """Fractional voxel indices (..., 3) of world positions (..., 3) in mm."""
        return (np.asarray(world, float) - self.affine[:3, 3]) @ np.linalg.inv(self.affine[:3, :3]).T

    def same_as(self, other: Geometry, tolerance_mm: float = 1e-3) -> bool:
        """Whether both grids have one shape and no corner further apart than the tolerance."""
        if self.shape != other.shape:
            return False
        corners = np.array(np.meshgrid(*[(0, n - 1) for n in self.shape])).reshape(3, -1).T
        return bool(np.abs(self.to_world(corners) - other.to_world(corners)).max() <= tolerance_mm)

    def cropped(self, start: tuple[int, int, int], shape: tuple[int, int, int]) -> Geometry:
        """The sub-grid that begins at voxel ``start`` (which may lie outside: padding)."""
        return Geometry(shape, self.spacing, tuple(self.to_world(start)), self.direction)

    def with_spacing(self, spacing: Triple) -> Geometry:
        """The same field of view sampled with another spacing; outer voxel faces stay in place."""
        old, new = np.asarray(self.spacing), np.asarray(spacing, float)
        ni, nj, nk = (max(1, int(n)) for n in np.round(np.asarray(self.shape) * old / new))
        corner = self.to_world((-0.5, -0.5, -0.5))
        origin = corner + np.asarray(self.direction) @ (0.5 * new)
        return Geometry((ni, nj, nk), tuple(new), tuple(origin), self.direction)

    @property
    def voxel_volume_mm3(self) -> float:
        return float(np.prod(self.spacing))

    @property
    def size_mm(self) -> Triple:
        """Extent of the field of view along i, j, k in mm."""
        return tuple(n * s for n, s in zip(self.shape, self.spacing))  # type: ignore[return-value]

    def as_dict(self) -> dict[str, object]:
        """JSON form, as manifests carry it."""
        return {
            "shape": list(self.shape),
            "spacing_mm": list(self.spacing),
            "origin_ras_mm": list(self.origin),
            "direction_ras": [list(row) for row in self.direction],
        }
