"""DPM-Solver++ 2M: second order in log-SNR with one network call per step."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from .denoiser import Denoiser
from .levels import Level
from .sampling import SamplingStep, walk


def dpm_solver_pp_2m(
    denoiser: Denoiser, start: Tensor, levels: Sequence[Level], generators: Sequence[torch.Generator] = ()
) -> Iterator[SamplingStep]:
    """x_s = (sigma_s / sigma_t) x_t + alpha_s (1 - exp(-h)) D (Lu et al. 2022, DPM-Solver++, algorithm 2).

    D extrapolates the last two clean estimates to the middle of the step; the first step and the one to sigma = 0 are
    first order. Deterministic: ``generators`` are not used.
    """
    return walk(denoiser, start, levels, _TwoEstimates())


class _TwoEstimates:
    """The multistep memory: the clean estimate of the step before, with its level."""

    def __init__(self) -> None:
        self._before: tuple[Level, Tensor] | None = None

    def __call__(self, step: SamplingStep, following: Level) -> Tensor:
        h = _lambda(following) - _lambda(step.level)
        estimate = step.clean
        if self._before is not None:
            level_before, clean_before = self._before
            r = (_lambda(step.level) - _lambda(level_before)) / h
            estimate = (1 + 1 / (2 * r)) * step.clean - 1 / (2 * r) * clean_before
        self._before = (step.level, step.clean)
        return following.sigma / step.level.sigma * step.noisy - following.alpha * math.expm1(-h) * estimate


def _lambda(level: Level) -> float:
    """Half the log-SNR, log(alpha / sigma)."""
    return 0.5 * level.log_snr
