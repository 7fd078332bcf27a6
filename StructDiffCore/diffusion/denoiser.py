"""The one face between networks and samplers: noisy image and level in, clean estimate out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from StructDiffCore.domain import StructDiffError

from .levels import Level, LevelBatch

NetworkCall = Callable[[Tensor, Tensor], Tensor]
"""(scaled noisy [B, 1, I, J, K], c_noise [B]) -> F [B, 1, I, J, K]."""


class Denoiser(Protocol):
    """What a sampler knows: E[x_0 | x_t] at one level for the whole batch."""

    def __call__(self, noisy: Tensor, level: Level) -> Tensor:
        """x_t [B, 1, I, J, K] -> clean estimate [B, 1, I, J, K]."""


class TrainableDenoiser(Protocol):
    """What the loss knows: the same with a level per sample."""

    def __call__(self, noisy: Tensor, level: LevelBatch) -> Tensor:
        """x_t [B, 1, I, J, K] -> clean estimate [B, 1, I, J, K]."""


@dataclass(frozen=True, eq=False)
class Preconditioning:
    """The four coefficients of Karras et al. 2022, equation 7, each [B]."""

    c_skip: Tensor
    c_out: Tensor
    c_in: Tensor
    c_noise: Tensor

    @classmethod
    def at(cls, sigma: Tensor, sigma_data: float) -> Preconditioning:
        """The coefficients at noise levels ``sigma`` [B] > 0 (Karras et al. 2022, table 1, column EDM)."""
        total = torch.sqrt(sigma**2 + sigma_data**2)
        return cls((sigma_data / total) ** 2, sigma * sigma_data / total, 1 / total, torch.log(sigma) / 4)


class EDMDenoiser:
    """Preconditioned denoiser, clean = c_skip x + c_out F(c_in x, c_noise) (Karras et al. 2022, equation 7).

    Levels with alpha != 1 are brought to the same form by x / alpha and sigma / alpha. Computes in float32 at least,
    whatever the network computes in.
    """

    def __init__(self, network_call: NetworkCall, sigma_data: float = 1.0) -> None:
        if not sigma_data > 0:
            raise StructDiffError(f"sigma_data is {sigma_data}", "give the spread of the diffused variable, > 0")
        self.network_call = network_call
        self.sigma_data = sigma_data

    def __call__(self, noisy: Tensor, level: Level | LevelBatch) -> Tensor:
        """x_t [B, 1, I, J, K] -> clean estimate, float32 or float64. A ``Level`` with sigma = 0 needs no network call."""
        noisy = noisy.to(torch.promote_types(noisy.dtype, torch.float32))
        if isinstance(level, Level) and level.sigma == 0:
            return noisy / level.alpha
        levels = _per_sample(level, noisy)
        scaled = noisy / _column(levels.alpha, noisy)
        c = Preconditioning.at(levels.noise_ratio, self.sigma_data)
        answer = self.network_call(_column(c.c_in, noisy) * scaled, c.c_noise).to(noisy.dtype)
        if answer.shape != noisy.shape:
            shapes = f"{tuple(answer.shape)} for {tuple(noisy.shape)}"
            raise StructDiffError(f"the network answered with shape {shapes}", "report this", category="internal")
        return _column(c.c_skip, noisy) * scaled + _column(c.c_out, noisy) * answer


def _per_sample(level: Level | LevelBatch, noisy: Tensor) -> LevelBatch:
    if isinstance(level, Level):
        return LevelBatch.repeat(level, len(noisy), noisy.dtype, noisy.device)
    if len(level.sigma) != len(noisy):
        raise StructDiffError(f"{len(level.sigma)} levels for {len(noisy)} samples", "give one level per sample")
    return LevelBatch(level.alpha.to(noisy), level.sigma.to(noisy))


def _column(coefficient: Tensor, like: Tensor) -> Tensor:
    """[B] -> [B, 1, 1, ...], so that it multiplies sample by sample."""
    return coefficient.reshape(-1, *(1,) * (like.ndim - 1))
