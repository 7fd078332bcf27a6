"""Gaussian data, for which every answer is known: voxels N(mean, spread^2), independent."""

import math
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class GaussianData:
    """Exact denoiser, exact marginal spread and exact probability-flow map of voxels N(mean, spread^2)."""

    mean: float = 0.3
    spread: float = 0.4

    def __call__(self, noisy, level):
        """E[x_0 | x_t], linear regression of x_0 on x_t."""
        gain = level.alpha * self.spread**2 / self.marginal_spread(level) ** 2
        return self.mean + gain * (noisy - level.alpha * self.mean)

    def marginal_spread(self, level):
        return math.hypot(level.alpha * self.spread, level.sigma)

    def start(self, level, shape, seed=0):
        """A true draw of x_t, float64."""
        unit = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        return level.alpha * self.mean + self.marginal_spread(level) * unit

    def flow(self, noisy, level, following):
        """The probability-flow map from one level to another: a voxel keeps its quantile."""
        quantile = (noisy - level.alpha * self.mean) / self.marginal_spread(level)
        return following.alpha * self.mean + self.marginal_spread(following) * quantile


@dataclass(frozen=True)
class KnownImage:
    """Data of one single image: the denoiser knows it, so any ancestral chain must have exact marginals at any stride."""

    image: torch.Tensor

    def __call__(self, noisy, level):
        return self.image.expand_as(noisy)
