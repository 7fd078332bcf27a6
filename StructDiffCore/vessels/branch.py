"""Branch: one stretch of a vessel, a centreline with a radius at every point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from StructDiffCore.domain import StructDiffError

from .polyline import arclength, refined, resampled

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Branch:
    """A named centreline; between its points position and radius run linearly."""

    points_mm: Floats
    """Centreline (n, 3) in RAS+ mm, n >= 2, from the heart outwards."""
    radii_mm: Floats
    """Lumen radius (n,) in mm at every point, >= 0."""
    name: str
    """Segment name of the field: LM, LAD, D1, LCx, OM1, RCA, PDA, ..."""
    parent: int | None = None
    """Index of the parent branch in the graph; None for the root."""
    generation: int = 0
    """0 for the root, the parent's generation + 1 for a child."""

    def __post_init__(self) -> None:
        points = np.array(self.points_mm, np.float64)
        radii = np.array(self.radii_mm, np.float64)
        self._refuse_bad_arrays(points, radii)
        for name, array in (("points_mm", points), ("radii_mm", radii)):
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    def _refuse_bad_arrays(self, points: Floats, radii: Floats) -> None:
        if points.ndim != 2 or points.shape[1:] != (3,) or len(points) < 2:
            raise StructDiffError(f"branch {self.name} has points of shape {points.shape}", "give (n, 3) with n >= 2")
        if radii.shape != (len(points),):
            raise StructDiffError(
                f"branch {self.name} has {radii.shape} radii for {len(points)} points", "give one radius per point"
            )
        if not (np.isfinite(points).all() and np.isfinite(radii).all()) or radii.min() < 0:
            raise StructDiffError(f"branch {self.name} has a negative or non-finite point or radius", "repair the centreline")

    @cached_property
    def arclength_mm(self) -> Floats:
        """Distance (n,) along the centreline from its first point in mm."""
        along = arclength(self.points_mm)
        along.flags.writeable = False
        return along

    @property
    def length_mm(self) -> float:
        return float(self.arclength_mm[-1])

    def point_at(self, along_mm: ArrayLike) -> Floats:
        """Positions (..., 3) at distances (...) along the branch, clamped to its ends."""
        along = np.asarray(along_mm, float)
        return np.stack([np.interp(along, self.arclength_mm, self.points_mm[:, axis]) for axis in range(3)], axis=-1)

    def radius_at(self, along_mm: ArrayLike) -> Floats:
        """Radii (...) in mm at distances (...) along the branch, clamped to its ends."""
        return np.asarray(np.interp(np.asarray(along_mm, float), self.arclength_mm, self.radii_mm))

    def with_radii(self, radii_mm: ArrayLike) -> Branch:
        return replace(self, radii_mm=np.asarray(radii_mm, float))

    def refined(self, max_step_mm: float = 0.5) -> Branch:
        """The same polyline with points added so that no step is longer; every old point stays."""
        along = refined(self.arclength_mm, max_step_mm)
        return replace(self, points_mm=self.point_at(along), radii_mm=self.radius_at(along))

    def resampled(self, step_mm: float = 0.5) -> Branch:
        """Points at (nearly) equal steps; both end points stay."""
        points = resampled(self.points_mm, step_mm)
        at = np.linspace(0, self.length_mm, len(points))
        return replace(self, points_mm=points, radii_mm=self.radius_at(at))

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "name": self.name,
            "parent": self.parent,
            "generation": self.generation,
            "points_ras_mm": self.points_mm.tolist(),
            "radii_mm": self.radii_mm.tolist(),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Branch:
        """The inverse of ``as_dict``."""
        try:
            points, radii = np.array(content["points_ras_mm"], float), np.array(content["radii_mm"], float)
            return cls(points, radii, str(content["name"]), content["parent"], int(content["generation"]))
        except (KeyError, TypeError, ValueError) as error:
            raise StructDiffError(f"this is no vessel branch ({error!r})", "write the graph again with as_dict") from None
