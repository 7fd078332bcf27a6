"""Which voxels of an exported mask a segmenter shall not learn from: those the generator is not sure of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.domain import StructDiffError, Volume

from .export_pair import ExportPair


@dataclass(frozen=True)
class IgnoreRule:
    """Thresholds on a pair's maps; a voxel beyond any of them takes the data set's ignore label."""

    above_hu: float | None = None
    """Standard deviation in HU."""
    below: float | None = None
    """Calibrated confidence in [0, 1]."""

    def __post_init__(self) -> None:
        if self.above_hu is not None and not self.above_hu > 0:
            raise StructDiffError(f"voxels above {self.above_hu} HU would be ignored", "give a number of HU > 0")
        if self.below is not None and not 0 < self.below <= 1:
            raise StructDiffError(f"voxels below a confidence of {self.below} would be ignored", "give a number > 0, at most 1")

    @property
    def applies(self) -> bool:
        return self.above_hu is not None or self.below is not None

    def voxels(self, pair: ExportPair) -> NDArray[np.bool_] | None:
        """Voxels (i, j, k) to ignore, None where nothing is asked for; refuses a pair without the map it needs."""
        found = []
        if self.above_hu is not None:
            found.append(_map(pair.confidence, pair, "confidence map", "ignore-above").voxels > self.above_hu)
        if self.below is not None:
            found.append(_map(pair.calibrated, pair, "calibrated confidence map", "ignore-below").voxels < self.below)
        return np.any(found, axis=0) if found else None

    def as_dict(self) -> dict[str, Any]:
        """For the manifest."""
        return {"ignore_above_hu": self.above_hu, "ignore_below": self.below}


def _map(found: Volume | None, pair: ExportPair, words: str, option: str) -> Volume:
    if found is None:
        raise StructDiffError(f"{pair.name} has no {words}", f"synthesize with --ssv, or leave --{option} out")
    return found
