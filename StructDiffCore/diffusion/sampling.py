"""What all samplers share: the step they hand out, the walk down the levels, noise with one generator per sample."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from StructDiffCore.domain import StructDiffError

from .denoiser import Denoiser
from .levels import Level, check_levels


@dataclass(frozen=True, eq=False)
class SamplingStep:
    """One level of the walk: ``clean`` is the denoiser's estimate from ``noisy`` at ``level``.

    The last step's ``clean`` is the sample. A step's ``noisy`` and ``level`` can start another walk from here.
    """

    index: int
    """0 .. total - 1."""
    total: int
    level: Level
    noisy: Tensor
    clean: Tensor


Advance = Callable[[SamplingStep, Level], Tensor]
"""(step, the next level) -> x at the next level, whose sigma > 0."""


def walk(denoiser: Denoiser, start: Tensor, levels: Sequence[Level], advance: Advance) -> Iterator[SamplingStep]:
    """Denoise at every level but the last and hand out each step; no gradients.

    ``start`` is x [B, 1, I, J, K] at ``levels[0]``, and the last level must be sigma = 0: there, all samplers of this room
    return the clean estimate. Raises StructDiffError at once where the levels do not decrease to sigma = 0.
    """
    check_levels(levels)
    return _walk(denoiser, start, levels, advance)


@torch.no_grad()
def _walk(denoiser: Denoiser, start: Tensor, levels: Sequence[Level], advance: Advance) -> Iterator[SamplingStep]:
    noisy = start
    for index, (level, following) in enumerate(pairwise(levels)):
        step = SamplingStep(index, len(levels) - 1, level, noisy, denoiser(noisy, level))
        yield step
        if following.sigma > 0:
            noisy = advance(step, following)


def start_noise(
    shape: Sequence[int],
    generators: Sequence[torch.Generator],
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Unit noise of ``shape`` [B, ...]: sample b comes from ``generators[b]`` alone, whoever else is in the batch.

    Drawn on each generator's own device and then moved, so CPU generators give the same voxels on every device.
    """
    check_generators(generators, shape[0])
    draws = [torch.randn(tuple(shape[1:]), generator=g, dtype=dtype, device=g.device).to(device) for g in generators]
    return torch.stack(draws)


def check_generators(generators: Sequence[torch.Generator], count: int) -> None:
    """Refuse anything but one generator for each of ``count`` samples (StructDiffError)."""
    if len(generators) != count or len({id(generator) for generator in generators}) != count:
        different = len({id(generator) for generator in generators})
        raise StructDiffError(f"{different} different generators for {count} samples", "give every sample a generator of its own")


def last_clean(steps: Iterator[SamplingStep]) -> Tensor:
    """Run a sampler to its end and return the sample [B, 1, I, J, K]."""
    for step in steps:
        clean = step.clean
    return clean
