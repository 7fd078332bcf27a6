"""SSV, skip-sampling variance: where the generator is unsure, as the spread of its own clean estimates [R, METHODS section 1].

What a spread is worth, whether it is large where the volume is wrong, is measured by ``evaluation/confidence.py``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from StructDiffCore.config.settings import SynthesisSettings
from StructDiffCore.diffusion.ddim import ddim
from StructDiffCore.diffusion.denoiser import Denoiser
from StructDiffCore.diffusion.levels import Level, log_snr_levels
from StructDiffCore.diffusion.sampling import SamplingStep, last_clean, start_noise
from StructDiffCore.domain import Geometry, StructDiffError, Volume

from .running_variance import RunningVariance
from .ssv_calls import skipped_calls

DECIDING_SIGMA = (0.3, 5.0)
"""Noise levels, in units of the residual's spread, between which an estimate makes up its mind.

Of Gaussian data the estimate holds the share 1 / (1 + sigma^2): 4 % at 5, where every estimate is still the prior, 92 % at 0.3,
from where on all estimates repeat the result. Estimates outside would only dilute the spread, by a factor that hangs on the grid.
"""
FINE_LEVELS = 64
"""Levels of the log-SNR grid of which the skipped paths take theirs."""
GRID_STREAM = 2
"""Number of the random stream that draws the skipped grids: apart from the start noise and from the acquisition noise (1)."""
NOISE_STREAM = 3
"""The same for the start noises of ``noises``."""
PREFIX_SIGMA = 1.0
"""``tails`` part from the sample's path at its first level not above this."""
TAIL_SHARES = (0.1, 0.7)
"""A tail jumps to a level at this share of the prefix's: above, it has hardly moved; below, all tails repeat the result."""


class Spread(ABC):
    """One way to tell where a sample is unsure: sees every step of the sample's path, and may ask the denoiser for more."""

    name: str

    @property
    def extra_calls(self) -> int:
        """Network calls per tile beyond those of the sample's own path."""
        return 0

    @abstractmethod
    def watch(self, step: SamplingStep) -> None:
        """One step of the sample's own path."""

    @abstractmethod
    def variance(self, denoiser: Denoiser, start: Tensor) -> Tensor | None:
        """Variance in squared units of the residual, shaped like ``start`` (the noise at the first level), once the path is done.

        None where there is nothing to tell.
        """

    def as_dict(self) -> dict[str, Any]:
        """How the map was made; JSON-able."""
        return {"method": self.name}


class NoSpread(Spread):
    """No map is wanted."""

    name = "off"

    def watch(self, step: SamplingStep) -> None:
        """Not looked at."""

    def variance(self, denoiser: Denoiser, start: Tensor) -> None:
        return None


class TrajectorySpread(Spread):
    """Variance over the clean estimates of the one path that is made anyway.

    The steps at ``DECIDING_SIGMA`` enter, and the last one, which is the sample itself; None where these are fewer than two.
    """

    name = "trajectory"

    def __init__(self) -> None:
        self._seen = RunningVariance()
        self._sigmas: list[float] = []

    def watch(self, step: SamplingStep) -> None:
        if step.index + 1 == step.total or is_deciding(step.level):
            self._seen.add(step.clean)
            self._sigmas.append(round(step.level.noise_ratio, 4))

    def variance(self, denoiser: Denoiser, start: Tensor) -> Tensor | None:
        return self._seen.variance()

    def as_dict(self) -> dict[str, Any]:
        return {"method": self.name, "sigmas": self._sigmas}


class SkippedPathsSpread(Spread):
    """Variance over the results of deterministic paths that skip levels, all from the sample's own start noise and condition.

    The paths are DDIM's (eta = 0): first order, so that uneven steps are not extrapolated. The grids are drawn from ``seed``.
    """

    name = "full"

    def __init__(self, paths: int, steps: int, seed: int) -> None:
        rng = np.random.default_rng(np.random.SeedSequence([seed, GRID_STREAM]))
        self.grids = [skipped_levels(steps, rng) for _ in range(paths)]

    @property
    def extra_calls(self) -> int:
        return sum(len(grid) - 1 for grid in self.grids)

    def watch(self, step: SamplingStep) -> None:
        """Not looked at: the sample's own path is finer than the skipped ones."""

    def variance(self, denoiser: Denoiser, start: Tensor) -> Tensor | None:
        seen = RunningVariance()
        for grid in self.grids:
            seen.add(last_clean(ddim(denoiser, start, grid)))
        return seen.variance()

    def as_dict(self) -> dict[str, Any]:
        return {"method": self.name, "grids": [[round(level.sigma, 4) for level in grid[:-1]] for grid in self.grids]}


class TailsSpread(Spread):
    """Variance over the sample and short paths that leave its path at ``PREFIX_SIGMA``: one jump to a random level, one estimate.

    The estimate at the parting level is the sample's own, so a tail costs one network call. None where no level of the path
    lies between the parting level and the end.
    """

    name = "tails"

    def __init__(self, paths: int, seed: int) -> None:
        rng = np.random.default_rng(np.random.SeedSequence([seed, GRID_STREAM]))
        low, high = TAIL_SHARES
        self.shares = [float(share) for share in low * (high / low) ** rng.random(paths)]
        self._prefix: SamplingStep | None = None
        self._last: SamplingStep | None = None

    @property
    def extra_calls(self) -> int:
        return len(self.shares)

    def watch(self, step: SamplingStep) -> None:
        if self._prefix is None and step.level.noise_ratio <= PREFIX_SIGMA:
            self._prefix = step
        self._last = step

    def variance(self, denoiser: Denoiser, start: Tensor) -> Tensor | None:
        if self._prefix is None or self._last is None:
            return None
        seen, prefix = RunningVariance(), self._prefix
        seen.add(self._last.clean)
        noise = (prefix.noisy - prefix.level.alpha * prefix.clean) / prefix.level.alpha
        for share in self.shares:
            seen.add(denoiser(prefix.clean + share * noise, Level(1.0, share * prefix.level.noise_ratio)))
        return seen.variance()

    def as_dict(self) -> dict[str, Any]:
        parted = None if self._prefix is None else round(self._prefix.level.noise_ratio, 4)
        return {"method": self.name, "prefix_sigma": parted, "shares": [round(share, 4) for share in self.shares]}


class NoisesSpread(Spread):
    """Variance over deterministic paths of one even grid from fresh start noises: what the generator thinks possible."""

    name = "noises"

    def __init__(self, paths: int, steps: int, seed: int, temperature: float = 1.0) -> None:
        streams = np.random.SeedSequence([seed, NOISE_STREAM]).generate_state(paths)
        self.seeds = [int(number) for number in streams]
        self.grid = log_snr_levels(skipped_calls(steps))
        self.strength = self.grid[0].sigma * temperature

    @property
    def extra_calls(self) -> int:
        return len(self.seeds) * (len(self.grid) - 1)

    def watch(self, step: SamplingStep) -> None:
        """Not looked at: every path is its own."""

    def variance(self, denoiser: Denoiser, start: Tensor) -> Tensor | None:
        seen = RunningVariance()
        for seed in self.seeds:
            noise = start_noise(start.shape, [torch.Generator().manual_seed(seed)]) * self.strength
            seen.add(last_clean(ddim(denoiser, noise, self.grid)))
        return seen.variance()

    def as_dict(self) -> dict[str, Any]:
        return {"method": self.name, "noise_seeds": self.seeds, "calls_per_path": len(self.grid) - 1}


def is_deciding(level: Level) -> bool:
    """Whether the level lies where modes are decided."""
    low, high = DECIDING_SIGMA
    return low <= level.noise_ratio <= high


def skipped_levels(steps: int, rng: np.random.Generator) -> list[Level]:
    """A grid of half of ``steps`` levels (three at least): the noisiest, the last, and between them random deciding ones."""
    fine = log_snr_levels(FINE_LEVELS)
    deciding = [level for level in fine if is_deciding(level)]
    chosen = sorted(rng.choice(len(deciding), skipped_calls(steps) - 2, replace=False))
    return [fine[0], *(deciding[index] for index in chosen), *fine[-2:]]


class SpreadMaker(Protocol):
    """What makes a spread of its own: a trained error head."""

    def spread(self) -> Spread: ...


def spread_of(settings: SynthesisSettings, seed: int, head: SpreadMaker | None = None) -> Spread:
    """A fresh ``Spread`` for one sample, as the settings name it; ``head`` is asked where they name the error head.

    Raises StructDiffError where a head is wanted and none is given.
    """
    if settings.ssv == "head":
        if head is None:
            raise StructDiffError("no error head fits these weights", "choose --ssv trajectory, or train a head for them")
        return head.spread()
    makers: dict[str, Callable[[], Spread]] = {
        "full": lambda: SkippedPathsSpread(settings.ssv_paths, settings.steps, seed),
        "tails": lambda: TailsSpread(settings.ssv_paths, seed),
        "noises": lambda: NoisesSpread(settings.ssv_paths, settings.steps, seed, settings.temperature),
        "trajectory": TrajectorySpread,
        "off": NoSpread,
    }
    return makers[settings.ssv]()


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """What a spread came to, on the volume's grid.

    A ``ConfidenceMap`` in [0, 1] can be made of it only once its relation to true errors has been measured.
    """

    variance_hu2: Volume
    """Variance of the clean-image estimates in HU^2."""
    record: dict[str, Any]
    """JSON-able: method, noise levels."""

    @property
    def deviation_hu(self) -> Volume:
        """Standard deviation in HU, as files and pictures show it."""
        return Volume(np.sqrt(self.variance_hu2.voxels), self.variance_hu2.geometry)

    @classmethod
    def of(cls, variance: Tensor | None, unit_hu: float, geometry: Geometry, spread: Spread) -> Uncertainty | None:
        """From a spread's variance [1, 1, I, J, K] on the padded grid, in squares of ``unit_hu``; None stays None."""
        if variance is None:
            return None
        i, j, k = geometry.shape
        return cls(Volume((variance[0, 0, :i, :j, :k] * unit_hu**2).numpy(), geometry), spread.as_dict())
