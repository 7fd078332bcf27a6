"""Noise levels: x_t = alpha x_0 + sigma n, and the grids of levels a sampler walks down."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from StructDiffCore.domain import StructDiffError

SIGMA_MAX = 20.0
"""Noisiest level, in units of the diffused residual's spread."""
SIGMA_MIN = 0.02
"""Last level before zero, in the same units: 1 HU where one unit is 50 HU."""


@dataclass(frozen=True)
class Level:
    """One noise level, x_t = alpha x_0 + sigma n. alpha > 0, sigma >= 0; sigma = 0 is the clean image."""

    alpha: float
    sigma: float

    def __post_init__(self) -> None:
        for name in ("alpha", "sigma"):
            object.__setattr__(self, name, _number(name, getattr(self, name)))
        if self.alpha <= 0 or self.sigma < 0:
            raise StructDiffError(f"level alpha={self.alpha}, sigma={self.sigma}", "give alpha > 0 and sigma >= 0")

    @property
    def noise_ratio(self) -> float:
        """sigma / alpha: the noise level of x_t / alpha, Karras' sigma."""
        return self.sigma / self.alpha

    @property
    def log_snr(self) -> float:
        """log(alpha^2 / sigma^2); infinite at sigma = 0."""
        return math.inf if self.sigma == 0 else 2.0 * (math.log(self.alpha) - math.log(self.sigma))


@dataclass(frozen=True, eq=False)
class LevelBatch:
    """One level per sample: ``alpha`` and ``sigma`` are [B] tensors. For training, where levels differ within a batch."""

    alpha: Tensor
    sigma: Tensor

    def __post_init__(self) -> None:
        if self.alpha.ndim != 1 or self.alpha.shape != self.sigma.shape:
            shapes = f"{tuple(self.alpha.shape)} and {tuple(self.sigma.shape)}"
            raise StructDiffError(f"alpha and sigma have shapes {shapes}", "give one number per sample, [B] and [B]")

    @classmethod
    def exploding(cls, sigma: Tensor) -> LevelBatch:
        """Variance-exploding levels: alpha = 1, sigma [B]."""
        return cls(torch.ones_like(sigma), sigma)

    @classmethod
    def repeat(cls, level: Level, count: int, dtype: torch.dtype, device: torch.device) -> LevelBatch:
        """The same level for ``count`` samples."""
        alpha = torch.full((count,), level.alpha, dtype=dtype, device=device)
        return cls(alpha, torch.full((count,), level.sigma, dtype=dtype, device=device))

    @property
    def noise_ratio(self) -> Tensor:
        """sigma / alpha, [B]."""
        return self.sigma / self.alpha


def log_snr_levels(steps: int, sigma_max: float = SIGMA_MAX, sigma_min: float = SIGMA_MIN) -> list[Level]:
    """``steps`` levels uniform in log-SNR from sigma_max to sigma_min with alpha = 1, then sigma = 0.

    A first-order or multistep sampler makes ``steps`` network calls on it. The grid is DPM-Solver's
    (Lu et al. 2022, section 3.4: uniform lambda).
    """
    _check_steps(steps)
    if not 0 < sigma_min < sigma_max < math.inf:
        raise StructDiffError(f"sigma range {sigma_min} to {sigma_max}", "give 0 < sigma_min < sigma_max")
    shares = [i / max(steps - 1, 1) for i in range(steps)]
    sigmas = [sigma_max ** (1 - share) * sigma_min**share for share in shares]
    return [*(Level(1.0, sigma) for sigma in sigmas), Level(1.0, 0.0)]


def vp_levels(alpha_bar: Sequence[float] | Tensor, steps: int) -> list[Level]:
    """``steps`` variance-preserving levels uniform in t (alpha^2 = alpha_bar, sigma^2 = 1 - alpha_bar), then sigma = 0.

    ``alpha_bar`` is the cumulative product of the training schedule, decreasing in (0, 1). Timesteps are 'trailing': they
    begin with the noisiest (Lin et al. 2024, table 2).
    """
    table = [float(value) for value in alpha_bar]
    _check_steps(steps)
    if steps > len(table):
        raise StructDiffError(f"{steps} steps on a schedule of {len(table)}", "ask for fewer steps")
    if not all(1 > earlier > later > 0 for earlier, later in pairwise([*table, 0.5 * table[-1]])):
        raise StructDiffError("alpha_bar does not decrease inside (0, 1)", "give the cumulative product of the schedule")
    chosen = [table[timestep] for timestep in trailing_timesteps(len(table), steps)]
    return [*(Level(math.sqrt(a), math.sqrt(1 - a)) for a in chosen), Level(1.0, 0.0)]


def trailing_timesteps(count: int, steps: int) -> list[int]:
    """``steps`` timesteps of 0 .. count - 1, noisiest first, evenly spaced and ending one stride above -1."""
    return [round(count - i * count / steps) - 1 for i in range(steps)]


def linear_alpha_bar(count: int = 1000, beta_start: float = 1e-4, beta_end: float = 0.02) -> Tensor:
    """alpha_bar [count] of the linear beta schedule (Ho et al. 2020, section 4), float64."""
    return torch.cumprod(1 - torch.linspace(beta_start, beta_end, count, dtype=torch.float64), 0)


def flow_levels(steps: int, t_max: float = 0.999) -> list[Level]:
    """Rectified-flow levels uniform in t: alpha = 1 - t, sigma = t, from t_max to 0 (Liu et al. 2023). An ablation."""
    _check_steps(steps)
    if not 0 < t_max < 1:
        raise StructDiffError(f"flow time starts at {t_max}", "give 0 < t_max < 1")
    times = [t_max * (1 - i / steps) for i in range(steps + 1)]
    return [Level(1 - t, t) for t in times]


def check_levels(levels: Sequence[Level]) -> None:
    """Refuse a grid that does not walk down strictly from noise to sigma = 0 (StructDiffError)."""
    if len(levels) < 2:
        raise StructDiffError(f"the grid has {len(levels)} levels", "give at least one noisy level and sigma = 0")
    if levels[-1].sigma != 0:
        raise StructDiffError(f"the grid ends at sigma={levels[-1].sigma:g}", "end it with sigma = 0")
    for index, (level, following) in enumerate(pairwise(levels)):
        if not level.noise_ratio > following.noise_ratio:
            ratios = f"{level.noise_ratio:g} then {following.noise_ratio:g}"
            raise StructDiffError(
                f"sigma/alpha does not decrease at step {index}: {ratios}", "order the levels from noisy to clean"
            )


def _check_steps(steps: int) -> None:
    if steps < 1 or steps != int(steps):
        raise StructDiffError(f"{steps} sampling steps", "ask for 1 or more whole steps")


def _number(name: str, value: object) -> float:
    if isinstance(value, Tensor) or not hasattr(value, "__float__"):
        raise StructDiffError(f"{name} is a {type(value).__name__}", "a Level holds plain numbers; use LevelBatch for tensors")
    number = float(value)
    if not math.isfinite(number):
        raise StructDiffError(f"{name} is {number}", "give a finite number")
    return number
