"""TrainingCrop and TrainingBatch: what one sample and one step consist of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from StructDiffCore.models.condition_tensors import ConditionTensors, condition_tensors
from StructDiffCore.models.conditioning import ConditionMaps, Index
from StructDiffCore.models.nulled import NULLED


@dataclass(frozen=True, eq=False)
class TrainingCrop:
    """One sample: what the network is told and what it should say."""

    condition: ConditionMaps
    target_hu: NDArray[np.float32]
    """(i, j, k): the noise-free image (the noisy one when the noise is diffused too)."""
    weight: NDArray[np.float32]
    """(i, j, k): loss weight, mean 1."""

    def nulled(self, names: Sequence[str]) -> TrainingCrop:
        """The same sample without some inputs; without the prior, the residual is that to even tissue."""
        condition = self.condition
        for name in names:
            condition = NULLED[name](condition)
        return replace(self, condition=condition)

    def without_template(self) -> TrainingCrop:
        """The same sample with the template image withheld."""
        return self.nulled(["without template"])


@dataclass(frozen=True, eq=False)
class TrainingBatch:
    """One step's samples as tensors."""

    condition: ConditionTensors
    residual: Tensor
    """[B, 1, I, J, K]: (target - prior) / residual_scale_hu."""
    weight: Tensor
    """[B, 1, I, J, K]."""


def stack_crops(crops: Sequence[TrainingCrop], residual_scale_hu: float) -> TrainingBatch:
    """A batch from crops of one shape."""
    residual = np.stack([(crop.target_hu - crop.condition.prior_hu) / residual_scale_hu for crop in crops])
    weight = np.stack([crop.weight for crop in crops])
    return TrainingBatch(
        condition_tensors([crop.condition for crop in crops]),
        torch.from_numpy(residual.astype(np.float32))[:, None],
        torch.from_numpy(weight.astype(np.float32))[:, None],
    )


def thin_weights(thin: NDArray[np.bool_], thin_weight: float) -> NDArray[np.float32]:
    """(i, j, k): ``thin_weight`` on thin labels and two voxels around them, which show the vessel as much, 1 elsewhere."""
    return np.where(ndimage.binary_dilation(thin, iterations=2), thin_weight, 1.0).astype(np.float32)


def crop_start(
    thin_voxels: NDArray[np.integer], on_vessel: bool, shape: Sequence[int], crop: int, rng: np.random.Generator
) -> Index:
    """First voxel of a crop: around a random vessel voxel (a quarter of the crop off at most), or anywhere."""
    highest = np.asarray(shape) - crop
    anywhere = rng.integers(0, highest + 1)
    near = rng.integers(0, max(1, len(thin_voxels)))
    shift = rng.integers(-crop // 4, crop // 4 + 1, 3)
    if not on_vessel or not len(thin_voxels):
        return int(anywhere[0]), int(anywhere[1]), int(anywhere[2])
    i, j, k = np.clip(thin_voxels[near] - crop // 2 + shift, 0, highest)
    return int(i), int(j), int(k)
