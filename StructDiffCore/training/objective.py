"""The training objective: one noise level per sample, the EDM-weighted, voxel-weighted error of the clean estimate."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from StructDiffCore.diffusion.denoiser import EDMDenoiser
from StructDiffCore.diffusion.losses import draw_sigma, sample_losses
from StructDiffCore.models.condition_tensors import ConditionTensors
from StructDiffCore.models.network import StructDiffNetwork

from .seeds import torch_generator


class Objective(nn.Module):
    """Network and loss as one module, so that the device's precision (and DDP) wraps them together."""

    def __init__(self, network: StructDiffNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(
        self,
        maps: Tensor,
        occupancy: Tensor,
        codes: Tensor,
        residual: Tensor,
        weight: Tensor,
        noise: Tensor,
        sigma: Tensor,
        robust: float = 0.0,
    ) -> Tensor:
        """Loss of each sample, [B]; ``residual``, ``weight``, ``noise`` are [B, 1, I, J, K], ``sigma`` is [B]."""
        features = self.network.encode(ConditionTensors(maps, occupancy, codes))

        def network_call(noisy: Tensor, c_noise: Tensor) -> Tensor:
            return self.network(noisy, c_noise, features).float()

        return sample_losses(EDMDenoiser(network_call), residual, noise, sigma, weight, robust=robust)


def draw_noise(
    shape: Sequence[int],
    seed: int,
    step: int,
    first_sample: int,
    sigma_range: tuple[float, float],
    sigma_law: tuple[float, float] = (0.0, 1.2),
) -> tuple[Tensor, Tensor]:
    """Unit noise of ``shape`` [B, 1, I, J, K] and noise levels [B]; sample b of step s draws from hash(seed, s, its number)."""
    generators = [torch_generator(seed, "noise", step, first_sample + b) for b in range(shape[0])]
    low, high = sigma_range
    sigma = torch.cat([draw_sigma(1, generator, high, low, *sigma_law) for generator in generators])
    noise = torch.stack([torch.randn(tuple(shape[1:]), generator=generator) for generator in generators])
    return noise, sigma
