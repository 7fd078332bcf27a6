"""Training loss: EDM-weighted squared error of the clean estimate, with a weight per voxel."""

from __future__ import annotations

import math
from statistics import NormalDist

import torch
from torch import Tensor

from StructDiffCore.domain import StructDiffError

from .denoiser import TrainableDenoiser
from .levels import SIGMA_MAX, SIGMA_MIN, LevelBatch

ROBUST_LIMIT = 3.0
"""Errors of the residual beyond this many units grow the robust loss only linearly at any noise level."""


def draw_sigma(
    count: int,
    generator: torch.Generator,
    sigma_max: float = SIGMA_MAX,
    sigma_min: float = SIGMA_MIN,
    median: float = 0.0,
    spread: float = 1.2,
) -> Tensor:
    """``count`` noise levels between sigma_min and sigma_max; [count] on the generator's device.

    Uniform in log sigma, or with a ``median`` log-normal about it with standard deviation ``spread`` of log sigma, cut to the
    range (Karras et al. 2022, table 1, P_mean and P_std): most training where modes are decided.
    """
    if not 0 < sigma_min < sigma_max < math.inf:
        raise StructDiffError(f"sigma range {sigma_min} to {sigma_max}", "give 0 < sigma_min < sigma_max")
    if not (0 <= median < math.inf and spread > 0):
        raise StructDiffError(
            f"noise levels about {median} with spread {spread}", "give a median >= 0 (0: uniform) and a spread > 0"
        )
    share = torch.rand(count, generator=generator, device=generator.device)
    if median == 0:
        return sigma_min * torch.exp(share * math.log(sigma_max / sigma_min))
    low, high = (NormalDist().cdf(math.log(end / median) / spread) for end in (sigma_min, sigma_max))
    return median * torch.exp(spread * torch.special.ndtri(low + (high - low) * share.double())).to(share)


def edm_weight(sigma: Tensor, sigma_data: float = 1.0) -> Tensor:
    """lambda(sigma) = (sigma^2 + sigma_data^2) / (sigma sigma_data)^2 = 1 / c_out^2 (Karras et al. 2022, table 1)."""
    return (sigma**2 + sigma_data**2) / (sigma * sigma_data) ** 2


def sample_losses(
    denoiser: TrainableDenoiser,
    clean: Tensor,
    noise: Tensor,
    sigma: Tensor,
    voxel_weight: Tensor | None = None,
    sigma_data: float = 1.0,
    robust: float = 0.0,
) -> Tensor:
    """Weighted squared error of each sample, [B]: mean(w e), e = lambda(sigma) |D(clean + sigma noise) - clean|^2.

    ``robust`` > 0 replaces e by the pseudo-Huber 2c (sqrt(e + c^2) - c): the same for small errors, linear beyond c, so that
    a few voxels of invented anatomy do not outweigh all the others. c grows with the noise, c = max(robust, sigma) up to
    ``ROBUST_LIMIT``: where two tissues are possible at high noise, the best estimate then is nearer their mean, which is what
    a sampler takes it for, than their median.

    ``clean`` and unit ``noise`` are [B, 1, I, J, K], ``sigma`` is [B], ``voxel_weight`` broadcasts to ``clean`` and is brought
    to mean 1 in every sample, so that it moves attention between voxels, not between samples.
    """
    clean, noise = clean.float(), noise.float()
    sigma = sigma.to(clean)
    if sigma.shape != clean.shape[:1] or noise.shape != clean.shape:
        shapes = f"{tuple(clean.shape)}, {tuple(noise.shape)}, {tuple(sigma.shape)}"
        raise StructDiffError(f"clean, noise and sigma have shapes {shapes}", "give [B, ...], the same, and [B]")
    noisy = clean + sigma.reshape(-1, *(1,) * (clean.ndim - 1)) * noise
    weight = edm_weight(sigma, sigma_data).reshape(-1, *(1,) * (clean.ndim - 1))
    error = weight * (denoiser(noisy, LevelBatch.exploding(sigma)) - clean) ** 2
    if robust > 0:
        c = sigma.clamp(robust, max(robust, ROBUST_LIMIT)).reshape(weight.shape)
        error = 2 * c * (torch.sqrt(error + c**2) - c)
    if voxel_weight is not None:
        error = error * mean_one(voxel_weight.to(clean).expand_as(clean))
    return error.flatten(1).mean(1)


def denoising_loss(
    denoiser: TrainableDenoiser,
    clean: Tensor,
    noise: Tensor,
    sigma: Tensor,
    voxel_weight: Tensor | None = None,
    sigma_data: float = 1.0,
) -> Tensor:
    """Mean of ``sample_losses`` over the batch, a scalar; without a voxel weight, or with a constant one, the plain EDM loss."""
    return sample_losses(denoiser, clean, noise, sigma, voxel_weight, sigma_data).mean()


def mean_one(voxel_weight: Tensor) -> Tensor:
    """The weight [B, ...] divided by each sample's mean; refuses negative weights and a sample without any."""
    mean = voxel_weight.flatten(1).mean(1)
    if bool((voxel_weight < 0).any()) or not bool((mean > 0).all()):
        raise StructDiffError("a voxel weight is negative, or zero in a whole sample", "give weights >= 0 with some > 0")
    return voxel_weight / mean.reshape(-1, *(1,) * (voxel_weight.ndim - 1))
