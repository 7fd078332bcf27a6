"""Euler and Heun on the probability-flow equation in sigma (Karras et al. 2022, algorithm 1, without churn)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from .denoiser import Denoiser
from .levels import Level
from .sampling import SamplingStep, walk


def euler(
    denoiser: Denoiser, start: Tensor, levels: Sequence[Level], generators: Sequence[torch.Generator] = ()
) -> Iterator[SamplingStep]:
    """First order: x / alpha moves along its slope from sigma_t / alpha_t to sigma_s / alpha_s.

    On any grid this is DDIM with eta = 0; the two are written from their own papers and tested against each other.
    Deterministic: ``generators`` are not used.
    """

    def advance(step: SamplingStep, following: Level) -> Tensor:
        stride = following.noise_ratio - step.level.noise_ratio
        return following.alpha * (step.noisy / step.level.alpha + stride * _slope(step.noisy, step.clean, step.level))

    return walk(denoiser, start, levels, advance)


def heun(
    denoiser: Denoiser, start: Tensor, levels: Sequence[Level], generators: Sequence[torch.Generator] = ()
) -> Iterator[SamplingStep]:
    """Second order: the mean of the slopes at both ends of the step; two network calls per step, one in the last.

    Deterministic: ``generators`` are not used.
    """

    def advance(step: SamplingStep, following: Level) -> Tensor:
        stride = following.noise_ratio - step.level.noise_ratio
        here, slope = step.noisy / step.level.alpha, _slope(step.noisy, step.clean, step.level)
        there = following.alpha * (here + stride * slope)
        slope_there = _slope(there, denoiser(there, following), following)
        return following.alpha * (here + stride * (slope + slope_there) / 2)

    return walk(denoiser, start, levels, advance)


def _slope(noisy: Tensor, clean: Tensor, level: Level) -> Tensor:
    """d(x / alpha) / d(sigma / alpha) of the probability flow: the noise that the clean estimate implies."""
    return (noisy / level.alpha - clean) / level.noise_ratio
