"""Tortuosity: smooth sideways offsets of a vessel, drawn once and applied to any curve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from StructDiffCore.domain import StructDiffError

from .frame import curved_frame
from .polyline import arclength

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Meander:
    """A sum of waves along a vessel, windowed to zero at both ends (ranges: our judgement)."""

    sd_mm: float
    """Standard deviation of the offset along the vessel, 0-2 mm."""
    wavelengths_mm: Floats
    """(w,) 10-20 mm."""
    phases: Floats
    """(w,) in radians."""

    def __post_init__(self) -> None:
        if not (np.isfinite(self.sd_mm) and self.sd_mm >= 0 and np.all(np.asarray(self.wavelengths_mm) > 0)):
            raise StructDiffError(
                f"a tortuosity of {self.sd_mm} mm over {self.wavelengths_mm} mm cannot be", "give sd >= 0 and wavelengths > 0"
            )

    @classmethod
    def draw(
        cls, sd_mm: float, rng: np.random.Generator, wavelength_mm: tuple[float, float] = (10.0, 20.0), waves: int = 3
    ) -> Meander:
        """Waves with lengths in the given range and random phases."""
        return cls(sd_mm, rng.uniform(*wavelength_mm, waves), rng.uniform(0, 2 * np.pi, waves))

    def offsets(self, along_mm: ArrayLike) -> Floats:
        """Offsets (n,) in mm at ascending arclengths (n,): zero with zero slope at both ends."""
        along = np.asarray(along_mm, float)
        length = along[-1] - along[0]
        if self.sd_mm == 0 or length <= 0:
            return np.zeros_like(along)
        from_start = along - along[0]
        wave = np.cos(2 * np.pi * from_start[:, None] / self.wavelengths_mm + self.phases).sum(axis=1)
        ramp = min(0.5 * length, float(np.max(self.wavelengths_mm)) / 2)
        to_end = np.minimum(from_start, length - from_start)
        return np.asarray(self.sd_mm * np.sqrt(2 / len(self.phases)) * wave * _smoothstep(to_end / ramp))

    def applied(self, points_mm: Floats, sideways: Floats | None = None) -> Floats:
        """The curve (n, 3) with the offsets added along unit vectors (n, 3), by default the frame's normal."""
        direction = curved_frame(points_mm).normal if sideways is None else sideways
        return np.asarray(points_mm + self.offsets(arclength(points_mm))[:, None] * direction)


def _smoothstep(share: Floats) -> Floats:
    share = np.clip(share, 0, 1)
    return np.asarray(share * share * (3 - 2 * share))
