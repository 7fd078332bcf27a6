"""DDIM: from deterministic (eta = 0) to ancestral (eta = 1)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from StructDiffCore.domain import StructDiffError

from .denoiser import Denoiser
from .levels import Level
from .sampling import SamplingStep, check_generators, start_noise, walk


def ddim(
    denoiser: Denoiser,
    start: Tensor,
    levels: Sequence[Level],
    generators: Sequence[torch.Generator] = (),
    eta: float = 0.0,
) -> Iterator[SamplingStep]:
    """x_s = alpha_s clean + sqrt(sigma_s^2 - spread^2) noise + spread z (Song et al. 2021, equations 12 and 16).

    ``noise`` is the noise that the clean estimate implies, z is fresh; spread = eta sigma_s sqrt(1 - r^2) with
    r = (sigma_s / alpha_s) / (sigma_t / alpha_t). Generators are needed only where eta > 0.
    """
    if not 0 <= eta <= 1:
        raise StructDiffError(f"DDIM eta is {eta}", "give 0 (deterministic) to 1 (ancestral)")
    if eta > 0:
        check_generators(generators, len(start))

    def advance(step: SamplingStep, following: Level) -> Tensor:
        r = following.noise_ratio / step.level.noise_ratio
        share = eta**2 * (1 - r**2)
        noise = (step.noisy - step.level.alpha * step.clean) / step.level.sigma
        moved = following.alpha * step.clean + following.sigma * math.sqrt(1 - share) * noise
        if eta == 0:
            return moved
        fresh = start_noise(start.shape, generators, start.dtype, start.device)
        return moved + following.sigma * math.sqrt(share) * fresh

    return walk(denoiser, start, levels, advance)
