"""Examples for the error head: samples of digital hearts, made as a job makes them, with their errors.

The generator hardly ever fails to draw a vessel, so a head that saw its samples alone would not know what a missing one looks
like. Each example therefore carries the same picture with its vessels painted over, which ``faded`` lets show in places.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from StructDiffCore.config.settings import SynthesisSettings
from StructDiffCore.diffusion.levels import log_snr_levels
from StructDiffCore.diffusion.samplers import sampler_named
from StructDiffCore.diffusion.sampling import last_clean, start_noise
from StructDiffCore.domain import CARDIAC, StructDiffError
from StructDiffCore.measures.distance import from_nearest
from StructDiffCore.models.condition_encoder import Features
from StructDiffCore.models.conditioning import ConditionMaps
from StructDiffCore.systems.structdiff import StructDiff
from StructDiffCore.systems.tensor_file import read_tensors, write_tensors
from StructDiffCore.training.pool import HeartPool, fill_pool, open_pool
from StructDiffCore.training.seeds import numpy_generator
from StructDiffCore.training.settings import PairSettings

from .heart_window import HeartWindow
from .prepared import prepare

ATTEMPTS = 8
ANYWHERE = 3
"""Every such window lies anywhere in the field, the others around a coronary."""
BLURRED_VOXELS = 2
"""Blur carries a vessel's contrast so far beyond its label."""
GROUND = (0, 1)
"""What vessels run through: background and myocardium."""
GAP_VOXELS = (2.0, 8.0)
"""Radius of a ball that a vessel is faded in."""
FADED = (0.4, 1.0)
"""How much of a vessel's contrast is lost there."""


@dataclass(frozen=True)
class ExampleSettings:
    """What decides the examples."""

    hearts: int = 12
    """First hearts of the pool; evaluations take the ones behind them."""
    pool_seed: int = 7001
    """Another pool than the generator's: of hearts it has learnt, its errors are too small."""
    windows: int = 24
    """Examples: each is one heart under another one's look."""
    voxels: int = 96
    """Edge of the window that target and template show: what the template is aligned by."""
    crop: int = 64
    """Edge of the window's middle that is sampled."""
    steps: int = SynthesisSettings().steps
    """Denoising steps of a sample: those of a real job, so that the errors are."""
    temperature: float = SynthesisSettings().temperature
    """Strength of a sample's start noise, likewise."""
    seed: int = 11

    @property
    def sampling(self) -> SynthesisSettings:
        """How the samples are made."""
        return SynthesisSettings(steps=self.steps, temperature=self.temperature)


@dataclass(frozen=True, eq=False)
class Example:
    """One sample with its error in units of the residual; all [1, C, ...]."""

    level: Tensor
    maps: Tensor
    clean: Tensor
    error: Tensor
    bare: Tensor
    """The clean estimate with its vessels painted over."""

    @classmethod
    @torch.no_grad()
    def of(
        cls,
        system: StructDiff,
        condition: ConditionMaps,
        truth_hu: NDArray[np.float32],
        labels: NDArray[np.integer],
        settings: SynthesisSettings,
        seed: int,
    ) -> Example:
        """Sample under the condition and compare with the truth (i, j, k), which shows these labels."""
        features: Features = system.encode([condition])
        prior, truth = (torch.from_numpy(np.array(a))[None, None] for a in (condition.prior_hu, truth_hu))
        levels = log_snr_levels(settings.steps)
        start = start_noise(prior.shape, [torch.Generator().manual_seed(seed)]) * (levels[0].sigma * settings.temperature)
        later = [torch.Generator().manual_seed(seed + 1)]
        clean = last_clean(sampler_named(settings.sampler)(system.denoiser(features), start, levels, later))
        bare = vessels_painted_over(system.to_hu(clean, prior)[0, 0].float().numpy(), labels)
        error, hidden = clean - system.to_residual(truth, prior), system.to_residual(torch.from_numpy(bare)[None, None], prior)
        return cls(features.levels[0].float(), features.detail.float(), clean, error, hidden)

    def write(self, path: Path) -> None:
        write_tensors(path, {field.name: getattr(self, field.name).half() for field in fields(self)}, {})

    @classmethod
    def read(cls, path: Path) -> Example:
        return cls(**{name: tensor.float() for name, tensor in read_tensors(path).tensors.items()})

    def piece(self, start: Sequence[int], edge: int) -> Example:
        """The cube of ``edge`` voxels from an even voxel."""
        i, j, k = (slice(s, s + edge) for s in start)
        p, q, r = (slice(s // 2, (s + edge) // 2) for s in start)
        fine = (whole[..., i, j, k] for whole in (self.maps, self.clean, self.error, self.bare))
        return Example(self.level[..., p, q, r], *fine)

    def faded(self, generator: torch.Generator) -> Example:
        """The vessels fade in a ball around a random voxel of theirs, and the error grows by what is lost; itself without any."""
        hidden = self.bare - self.clean
        vessel = hidden[0, 0].nonzero()
        if not len(vessel):
            return self
        centre = vessel[torch.randint(len(vessel), (1,), generator=generator)]
        radius, share = (low + (high - low) * torch.rand(1, generator=generator) for low, high in (GAP_VOXELS, FADED))
        away = torch.cartesian_prod(*(torch.arange(n) for n in hidden.shape[-3:])) - centre
        ball = (away.square().sum(1) <= radius.square()).reshape(hidden.shape[-3:])
        lost = share * ball * hidden
        return replace(self, clean=self.clean + lost, error=self.error + lost)


def vessels_painted_over(image_hu: NDArray[np.float32], labels: NDArray[np.integer]) -> NDArray[np.float32]:
    """The picture (i, j, k) whose coronaries, with their blur, look like the nearest tissue that vessels run through."""
    vessels, ground = np.isin(labels, CARDIAC.thin_values), np.isin(labels, GROUND)
    blurred = ndimage.binary_dilation(vessels, iterations=BLURRED_VOXELS)
    if not vessels.any() or not (ground & ~blurred).any():
        return image_hu
    return from_nearest(image_hu, blurred & (vessels | ground), ground & ~blurred)


def examples(system: StructDiff, folder: Path, pool: Path, settings: ExampleSettings) -> Iterator[Example]:
    """All examples in order: read where they lie in ``folder``, made and kept there where they do not."""
    pairs = PairSettings(hearts=settings.hearts, spacings_mm=(0.8,))
    for _ in fill_pool(pool, pairs, settings.pool_seed):
        pass
    hearts = open_pool(pool, pairs, settings.pool_seed)
    for number in range(settings.windows):
        path = folder / f"example-{number:03d}.safetensors"
        if not path.exists():
            _made(system, hearts, number, settings).write(path)
        yield Example.read(path)


def _made(system: StructDiff, hearts: HeartPool, number: int, settings: ExampleSettings) -> Example:
    """The first window whose template can be aligned, sampled."""
    edge = (settings.voxels - settings.crop) // 2
    middle = tuple(slice(edge, edge + settings.crop) for _ in range(3))
    for attempt in range(ATTEMPTS):
        rng = numpy_generator(settings.seed, "head", number, attempt)
        one, other = (int(n) for n in rng.choice(len(hearts), 2, replace=False))
        anywhere = number % ANYWHERE == ANYWHERE - 1
        window = HeartWindow.draw(hearts[one], hearts[other], settings.voxels, "training", rng, anywhere)
        try:
            source = prepare(window.target.mask, window.template).source
        except StructDiffError:
            continue
        condition = source.crop((edge,) * 3, (settings.crop,) * 3)
        truth, labels = window.truth.clean.voxels[middle], window.target.mask.voxels[middle]
        return Example.of(system, condition, truth, labels, settings.sampling, settings.seed + 10 * number)
    raise StructDiffError(f"no window of example {number} has a template that can be aligned", "give larger windows (voxels)")
