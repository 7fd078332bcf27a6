"""The samplers by name; all have one signature."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from StructDiffCore.domain import StructDiffError

from .ddim import ddim
from .ddpm import ddpm
from .denoiser import Denoiser
from .dpm_solver import dpm_solver_pp_2m
from .euler import euler, heun
from .levels import Level
from .sampling import SamplingStep, last_clean, start_noise

__all__ = [
    "SAMPLERS",
    "Sampler",
    "SamplingStep",
    "ddim",
    "ddpm",
    "dpm_solver_pp_2m",
    "euler",
    "heun",
    "last_clean",
    "sampler_named",
    "start_noise",
]

Sampler = Callable[[Denoiser, Tensor, Sequence[Level], Sequence[torch.Generator]], Iterator[SamplingStep]]

SAMPLERS: dict[str, Sampler] = {
    "dpm_solver_pp_2m": dpm_solver_pp_2m,
    "ddim": ddim,
    "ddpm": ddpm,
    "euler": euler,
    "heun": heun,
}


def sampler_named(name: str) -> Sampler:
    """The sampler of that name; raises StructDiffError with the known names."""
    if name not in SAMPLERS:
        raise StructDiffError(f"no sampler is called '{name}'", f"choose one of {sorted(SAMPLERS)}")
    return SAMPLERS[name]
