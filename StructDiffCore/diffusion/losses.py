"""Training loss: EDM-weighted squared error of the clean estimate, with a weight per voxel."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from StructDiffCore.domain import StructDiffError

from .denoiser import TrainableDenoiser
from .levels import SIGMA_MAX, SIGMA_MIN, LevelBatch


def draw_sigma(count: int, generator: torch.Generator, sigma_max: float = SIGMA_MAX, sigma_min: float = SIGMA_MIN) -> Tensor:
    """``count`` noise levels, uniform in log sigma between sigma_min and sigma_max; [count] on the generator's device."""
    if not 0 < sigma_min < sigma_max < math.inf:
        raise StructDiffError(f"sigma range {sigma_min} to {sigma_max}", "give 0 < sigma_min < sigma_max")
    share = torch.rand(count, generator=generator, device=generator.device)
    return sigma_min * torch.exp(share * math.log(sigma_max / sigma_min))


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

    ``robust`` c > 0 replaces e by the pseudo-Huber 2c (sqrt(e + c^2) - c): the same for small errors, linear beyond c, so that
    a few voxels of invented anatomy do not outweigh all the others.

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
        error = 2 * robust * (torch.sqrt(error + robust**2) - robust)
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
