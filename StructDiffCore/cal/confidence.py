"""From a confidence file to a ConfidenceMap on the pair's own grid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.special import erf

from StructDiffCore.domain import ConfidenceMap, Geometry, StructDiffError, Volume
from StructDiffCore.io.files import read_volume
from StructDiffCore.io.integrity import naming

KINDS = ("deviation_hu", "confidence")
"""What a file may hold: a standard deviation in HU (as a synthesis writes it) or confidences in [0, 1]."""
TOLERANCE_MM = 0.01


def confidence_of_deviation(deviation: Volume, tolerance_hu: float) -> ConfidenceMap:
    """P(|error| <= ``tolerance_hu``) of a normal error with this standard deviation: erf(X / (sqrt(2) sd)); 1 where sd = 0.

    Monotone, and in the form of the isotonic fit to P(error > X HU) that will take its place once it was measured; until then
    it takes the deviation at its word, which skip-sampling variance is known to set too low (METHODS, section 1).
    """
    sd = deviation.voxels.astype(np.float64)
    if sd.min() < 0:
        raise StructDiffError(f"the standard deviation goes down to {sd.min():.3g} HU", "give standard deviations, 0 or more")
    with np.errstate(divide="ignore"):
        return ConfidenceMap(erf(tolerance_hu / (np.sqrt(2.0) * sd)).astype(np.float32), deviation.geometry)


def read_confidence(path: Path, grid: Geometry, kind: str, tolerance_hu: float) -> ConfidenceMap:
    """The map of a pair on ``grid``; refuses another grid, NaN, values out of range and a map that trusts nothing."""
    with naming(path):
        content = read_volume(path)
        if not content.geometry.same_as(grid, TOLERANCE_MM):
            raise StructDiffError(
                f"the confidence map lies on another grid than its image (shapes {content.geometry.shape} and {grid.shape})",
                "give the map on the image's own grid",
            )
        if kind == "deviation_hu":
            found = confidence_of_deviation(content, tolerance_hu)
        else:
            found = ConfidenceMap(content.voxels, content.geometry)
        if not found.voxels.any():
            raise StructDiffError("the confidence map is 0 everywhere: nothing in this pair is trusted", "leave the case out")
        return found
