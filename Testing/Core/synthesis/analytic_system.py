"""Generators whose answer is known: no network, one formula."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from StructDiffCore.models.conditioning import ConditionMaps


@dataclass(frozen=True, eq=False)
class Maps:
    prior: Tensor


class PointwiseSystem:
    """x0 ~ N(mean, 1) with a mean per voxel that depends on the prior: the exact denoiser of a Gaussian."""

    multiple = 8

    def __init__(self) -> None:
        self.encoded = 0
        self.largest = 0

    def encode(self, conditions: Sequence[ConditionMaps]) -> Maps:
        self.encoded += 1
        return Maps(torch.from_numpy(np.stack([c.prior_hu for c in conditions]))[:, None])

    def denoiser(self, features: Maps):
        def clean(noisy: Tensor, level) -> Tensor:
            self.largest = max(self.largest, noisy.numel())
            mean = features.prior / 1000
            return mean + (noisy / level.alpha - mean) / (1 + level.noise_ratio**2)

        return clean

    def to_hu(self, residual: Tensor, prior_hu: Tensor) -> Tensor:
        return prior_hu + 50 * residual


class NeighbourSystem(PointwiseSystem):
    """The same, looking at a voxel's neighbours: what a network does, within a short reach."""

    def denoiser(self, features: Maps):
        pointwise = super().denoiser(features)

        def clean(noisy: Tensor, level) -> Tensor:
            padded = torch.nn.functional.pad(noisy, (1,) * 6, mode="replicate")
            return pointwise(torch.nn.functional.avg_pool3d(padded, 3, 1), level)

        return clean


class ForgetfulSystem(PointwiseSystem):
    """Runs out of memory on tiles above a size."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit

    def encode(self, conditions: Sequence[ConditionMaps]) -> Maps:
        if conditions[0].prior_hu.size > self.limit:
            raise torch.OutOfMemoryError("CUDA out of memory (pretended)")
        return super().encode(conditions)
