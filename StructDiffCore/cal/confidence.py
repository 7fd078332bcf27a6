"""From a confidence file to a ConfidenceMap on the pair's own grid."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from StructDiffCore.domain import ConfidenceMap, Geometry, StructDiffError, Volume
from StructDiffCore.io.files import read_volume
from StructDiffCore.io.integrity import naming

from .cases import PairFiles

KINDS = ("confidence", "deviation_hu", "none")
"""Which map of a pair is believed: the calibrated one (else the standard deviation), the standard deviation, or none at all."""
FILE_KIND = "file:"
"""A kind that begins so names a map in [0, 1] of the user's own, from the image's folder; {id} stands for the pair's id."""
TOLERANCE_MM = 0.01


@dataclass(frozen=True)
class TrustFile:
    """The map that a pair's weights come from."""

    path: Path
    is_deviation: bool
    """Whether it holds a standard deviation in HU, else confidences in [0, 1]."""

    @property
    def words(self) -> str:
        return "standard deviation through the error function" if self.is_deviation else "confidence in [0, 1]"


def trust_file(files: PairFiles, kind: str) -> TrustFile | None:
    """The map that ``kind`` asks for; None where the pair has none."""
    if kind.startswith(FILE_KIND):
        return TrustFile(files.image.parent / kind.removeprefix(FILE_KIND).replace("{id}", files.id), False)
    if kind == "confidence" and files.calibrated is not None:
        return TrustFile(files.calibrated, False)
    if kind in ("confidence", "deviation_hu") and files.confidence is not None:
        return TrustFile(files.confidence, True)
    return None


def confidence_of_deviation(deviation: Volume, tolerance_hu: float) -> ConfidenceMap:
    """P(|error| <= ``tolerance_hu``) of a normal error with this standard deviation: erf(X / (sqrt(2) sd)); 1 where sd = 0.

    Monotone, and in the form of the isotonic fit to P(error > X HU), which takes its place where a synthesis has written it. This
    one takes the deviation at its word, which skip-sampling variance is known to set too low.
    """
    sd = deviation.voxels.astype(np.float64)
    if sd.min() < 0:
        raise StructDiffError(f"the standard deviation goes down to {sd.min():.3g} HU", "give standard deviations, 0 or more")
    with np.errstate(divide="ignore"):
        return ConfidenceMap(erf(tolerance_hu / (np.sqrt(2.0) * sd)).astype(np.float32), deviation.geometry)


def with_full_trust(confidence: ConfidenceMap, at: float) -> ConfidenceMap:
    """min(1, confidence / ``at``): usual doubt, as at the blurred edge of every small vessel, counts for nothing (ADR 12)."""
    return ConfidenceMap(np.minimum(confidence.voxels / np.float32(at), np.float32(1)), confidence.geometry)


def refuse_no_trust(values: NDArray[np.number], path: Path) -> None:
    """Refuse confidences that are 0 everywhere, as read or as they are kept: too small ones vanish in coarser numbers."""
    if not values.any():
        with naming(path):
            raise StructDiffError("the confidence map is 0 everywhere: nothing in this pair is trusted", "leave the case out")


def read_confidence(source: TrustFile, grid: Geometry, tolerance_hu: float, full_trust_at: float = 1.0) -> ConfidenceMap:
    """The map of a pair on ``grid``; refuses another grid, NaN, values out of range and a map that trusts nothing."""
    path = source.path
    with naming(path):
        content = read_volume(path)
        if not content.geometry.same_as(grid, TOLERANCE_MM):
            raise StructDiffError(
                f"the confidence map lies on another grid than its image (shapes {content.geometry.shape} and {grid.shape})",
                "give the map on the image's own grid",
            )
        if source.is_deviation:
            found = confidence_of_deviation(content, tolerance_hu)
        else:
            found = ConfidenceMap(content.voxels, content.geometry)
        refuse_no_trust(found.voxels, path)
        return with_full_trust(found, full_trust_at)
