"""HuWindow: the part of the HU scale a picture shows or a network sees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from StructDiffCore.domain import StructDiffError


@dataclass(frozen=True)
class HuWindow:
    """From ``low`` to ``high`` HU."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.high > self.low:
            raise StructDiffError(f"the HU window runs from {self.low} to {self.high}", "give a low below the high")

    def to_unit(self, hu: ArrayLike) -> NDArray[np.float32]:
        """HU as float32 in [0, 1], clipped."""
        return np.clip((np.asarray(hu, np.float32) - self.low) / (self.high - self.low), 0, 1).astype(np.float32)

    def from_unit(self, unit: ArrayLike) -> NDArray[np.float32]:
        """The inverse of ``to_unit`` inside the window."""
        return (np.asarray(unit, np.float32) * (self.high - self.low) + self.low).astype(np.float32)


CARDIAC_CTA = HuWindow(-160.0, 640.0)
"""Fat to bright contrast medium."""
WHOLE_CT = HuWindow(-1024.0, 1500.0)
"""Air to dense bone."""
