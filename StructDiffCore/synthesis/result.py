"""Synthesis: the volume that was made, with and without noise, and the record of how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.domain import Geometry, Volume

from .ssv import Uncertainty

HU_FLOOR, HU_CEILING = -1024.0, 3071.0
"""What a CT file stores."""


@dataclass(frozen=True, eq=False)
class Synthesis:
    """One synthetic scan."""

    clean: Volume
    """Without acquisition noise."""
    noisy: Volume
    """The scan."""
    record: dict[str, Any]
    """JSON-able: seed, settings, alignment, where each label's look came from, noise, memory-ladder steps."""
    uncertainty: Uncertainty | None = None
    """Where the generator was unsure; None where no map was made."""


def ct_volume(voxels: NDArray, geometry: Geometry) -> Volume:
    """Voxels (i, j, k) clipped to the HU range of CT."""
    return Volume(np.clip(voxels, HU_FLOOR, HU_CEILING).astype(np.float32), geometry)
