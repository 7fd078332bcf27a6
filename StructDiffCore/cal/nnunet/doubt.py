"""Doubt = 1 - confidence in whole steps, on the way through nnU-Net's preprocessing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from StructDiffCore.domain import StructDiffError

STEPS = 10_000
"""Steps from full trust to none: whole numbers, as nnU-Net's loader casts what lies beside the segmentation to int16."""
Resample = Callable[[NDArray, Sequence[int], Sequence[float], Sequence[float]], NDArray]
"""A map (1, x, y, z), its new shape, its spacing and the new spacing -> the map there."""


def confidence_of(doubt: Tensor) -> Tensor:
    """Confidence of doubt that was padded (with -1 or 0: trusted) and interpolated; float32.

    Rounded to whole steps, so that what was fully trusted or not at all is so again, whatever the interpolation's last bits.
    """
    return 1.0 - doubt.float().clamp(0, STEPS).round() / STEPS


@dataclass(frozen=True)
class Passage:
    """What nnU-Net's preprocessing did to a case."""

    transpose: tuple[int, ...]
    """Axes in the order of the plans; nnU-Net reads them as (k, j, i)."""
    shape_before: tuple[int, ...]
    """Shape in that order, before the crop."""
    box: tuple[tuple[int, int], ...]
    """What was kept of each axis."""
    spacing: tuple[float, ...]
    new_spacing: tuple[float, ...]
    new_shape: tuple[int, ...]
    resample: Resample

    def doubt(self, confidence: NDArray[np.floating]) -> NDArray[np.int16]:
        """Steps of doubt at the voxels that nnU-Net trains on, from a confidence (i, j, k) at those of the image."""
        turned = confidence.transpose(2, 1, 0).transpose(self.transpose)
        if turned.shape != self.shape_before:
            raise StructDiffError(
                f"the confidence map has {turned.shape} voxels, the preprocessed case had {self.shape_before}",
                "run nnUNetv2_plan_and_preprocess again",
            )
        kept = 1.0 - turned[tuple(slice(a, b) for a, b in self.box)].astype(np.float32)
        moved = np.asarray(self.resample(kept[None], self.new_shape, self.spacing, self.new_spacing))[0]
        return np.rint(np.clip(moved, 0.0, 1.0) * STEPS).astype(np.int16)
