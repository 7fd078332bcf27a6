"""Ancestral sampling with the exact posterior between any two levels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from StructDiffCore.domain import StructDiffError

from .denoiser import Denoiser
from .levels import Level
from .sampling import SamplingStep, check_generators, start_noise, walk


def ddpm(
    denoiser: Denoiser,
    start: Tensor,
    levels: Sequence[Level],
    generators: Sequence[torch.Generator],
    data_spread: float = 0.0,
) -> Iterator[SamplingStep]:
    """Draw x_s from q(x_s | x_t, x_0 = clean) (Ho et al. 2020, equations 6 and 7).

    The posterior is that of the two levels at hand, not of neighbours in a training schedule, so strided grids are right.
    ``data_spread`` is the spread of x_0 over the data. 0 takes the clean estimate for the truth (Ho's smaller variance), which
    loses spread in few steps; the data's own spread restores it (see ``reverse_spread``).
    """
    check_generators(generators, len(start))
    if data_spread < 0:
        raise StructDiffError(f"data_spread is {data_spread}", "give 0 or the data's standard deviation")

    def advance(step: SamplingStep, following: Level) -> Tensor:
        spread = reverse_spread(step.level, following, data_spread)
        return posterior_mean(step, following) + spread * start_noise(start.shape, generators, start.dtype, start.device)

    return walk(denoiser, start, levels, advance)


def posterior_mean(step: SamplingStep, following: Level) -> Tensor:
    """Mean of q(x_s | x_t, x_0) for levels t -> s, r (sigma_s / sigma_t) x_t + alpha_s (1 - r^2) x_0.

    r = (sigma_s / alpha_s) / (sigma_t / alpha_t); Ho's equation 7 for any alpha and sigma.
    """
    r = following.noise_ratio / step.level.noise_ratio
    return r * following.sigma / step.level.sigma * step.noisy + following.alpha * (1 - r**2) * step.clean


def reverse_spread(level: Level, following: Level, data_spread: float = 0.0) -> float:
    """Standard deviation of x_s given x_t: sqrt(sigma_s^2 (1 - r^2) + (alpha_s (1 - r^2))^2 Var[x_0 | x_t]).

    Var[x_0 | x_t] is that of Gaussian data of spread ``data_spread`` (Bao et al. 2022, Analytic-DPM, theorem 1). With
    alpha^2 + sigma^2 = 1, spreads 0 and 1 are Ho's two variances, beta-tilde and beta.
    """
    r = following.noise_ratio / level.noise_ratio
    unknown = (data_spread * level.sigma) ** 2 / ((level.alpha * data_spread) ** 2 + level.sigma**2)
    return math.sqrt(following.sigma**2 * (1 - r**2) + (following.alpha * (1 - r**2)) ** 2 * unknown)
