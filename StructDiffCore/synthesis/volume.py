"""Whole volumes by overlapping tiles that are blended inside every denoising step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from StructDiffCore.config.settings import SynthesisSettings
from StructDiffCore.diffusion.denoiser import Denoiser
from StructDiffCore.diffusion.levels import Level, log_snr_levels
from StructDiffCore.diffusion.samplers import sampler_named
from StructDiffCore.diffusion.sampling import start_noise
from StructDiffCore.domain import Geometry, Volume
from StructDiffCore.models.conditioning import ConditionMaps

from .feature_cache import FeatureCache
from .result import ct_volume
from .running_estimate import Condition, OnEstimate, PriorPlanes, RunningEstimate
from .ssv import SpreadMaker, Uncertainty, spread_of
from .tiles import TilePlan, plan_tiles

OnStep = Callable[[str, int, int], None]
"""(stage, network calls done, network calls in all), between two network calls; it may raise to stop the work."""
TileAnswer = Callable[[Any, Tensor], Tensor]
"""(features of a tile, its piece of a volume [1, 1, i, j, k]) -> what is made of it, of the same shape."""


class System(Protocol):
    """What a generator must offer: features of a tile's condition, a denoiser under them, and its unit in HU."""

    @property
    def multiple(self) -> int: ...
    def encode(self, conditions: Sequence[ConditionMaps]) -> Any: ...
    def denoiser(self, features: Any) -> Denoiser: ...
    def to_hu(self, residual: Tensor, prior_hu: Tensor) -> Tensor: ...


@dataclass(frozen=True, eq=False)
class SampledVolume:
    """The generator's volume in HU, and where it was unsure (None where that was not asked for or there is nothing to tell)."""

    volume: Volume
    uncertainty: Uncertainty | None


def synthesize_volume(
    system: System,
    condition: Condition,
    geometry: Geometry,
    settings: SynthesisSettings,
    seed: int,
    on_step: OnStep | None = None,
    device: torch.device | str = "cpu",
) -> Volume:
    """The generator's volume in HU on ``geometry``, whatever its size: ``sample_volume`` without a confidence map."""
    return sample_volume(system, condition, geometry, replace(settings, ssv="off"), seed, on_step, device).volume


def sample_volume(
    system: System,
    condition: Condition,
    geometry: Geometry,
    settings: SynthesisSettings,
    seed: int,
    on_step: OnStep | None = None,
    device: torch.device | str = "cpu",
    on_estimate: OnEstimate | None = None,
    head: SpreadMaker | None = None,
) -> SampledVolume:
    """The generator's volume in HU on ``geometry`` and its spread, whatever the size.

    The start noise is drawn once for the whole volume, so no tile plan changes it. The network sees one tile at a time;
    its clean estimates are blended before the sampler goes on. ``on_step`` is called after every network call and may raise
    to stop the work, ``on_estimate`` after every step of the sampler. ``head`` makes the map of the method ``head``.
    """
    plan = plan_tiles(geometry.shape, settings.tile, settings.overlap, system.multiple)
    spread = spread_of(settings, seed, head)
    calls = settings.denoiser_calls + spread.extra_calls
    denoiser = TiledDenoiser(system, condition, plan, settings, on_step, device, calls)
    levels = log_snr_levels(settings.steps)
    start = start_noise((1, 1, *plan.padded), [torch.Generator().manual_seed(seed)]) * (levels[0].sigma * settings.temperature)
    later = torch.Generator().manual_seed(seed + 1)
    show, prior = on_estimate or (lambda estimate: None), PriorPlanes(condition)
    for step in sampler_named(settings.sampler)(denoiser, start, levels, [later]):
        spread.watch(step)
        show(RunningEstimate(step.index, step.total, step.clean[0, 0], prior, system.to_hu))
        residual = step.clean
    i, j, k = geometry.shape
    volume = ct_volume(_in_hu(system, condition, residual[0, 0, :i, :j, :k], plan), geometry)
    return SampledVolume(volume, Uncertainty.of(spread.variance(denoiser, start), unit_hu(system), geometry, spread))


def unit_hu(system: System) -> float:
    """HU of one unit of the diffused residual."""
    one, zero = torch.ones(1), torch.zeros(1)
    return float(system.to_hu(one, zero) - system.to_hu(zero, zero))


class TiledDenoiser:
    """A ``Denoiser`` of the whole volume [1, 1, I, J, K] made of the network's answers on tiles."""

    def __init__(
        self,
        system: System,
        condition: Condition,
        plan: TilePlan,
        settings: SynthesisSettings,
        on_step: OnStep | None = None,
        device: torch.device | str = "cpu",
        calls: int | None = None,
    ) -> None:
        """``calls``: how often the whole volume will be asked for (the sampler's own calls by default), for the progress."""
        self.system = system
        self.plan = plan
        self.device = torch.device(device)
        self.features = FeatureCache(
            lambda tile: system.encode([condition.crop(tile.start, tile.shape)]), settings.feature_cache_mib
        )
        self.total = len(plan.tiles) * (settings.denoiser_calls if calls is None else calls)
        self.done = 0
        self.on_step = on_step or (lambda stage, done, total: None)

    def __call__(self, noisy: Tensor, level: Level) -> Tensor:
        """x_t -> clean estimate, both on the CPU in float32."""

        def estimate(features: Any, piece: Tensor) -> Tensor:
            return self.system.denoiser(features)(piece, level)

        def count() -> None:
            self.done += 1
            self.on_step("synthesize", self.done, self.total)

        return self.blended(estimate, noisy, count)

    @torch.no_grad()
    def blended(self, answer: TileAnswer, volume: Tensor, after_tile: Callable[[], None] = lambda: None) -> Tensor:
        """``answer`` of every tile, blended [1, 1, I, J, K]; it is given the tile's features and its piece of ``volume``."""
        whole = torch.zeros_like(volume)
        for tile in self.plan.tiles:
            box = (..., *tile.box)
            piece = volume[box].contiguous().to(self.device)
            whole[box] += torch.from_numpy(tile.weight) * answer(self.features.of(tile), piece).float().cpu()
            after_tile()
        return whole


def _in_hu(system: System, condition: Condition, residual: Tensor, plan: TilePlan) -> NDArray[np.float32]:
    """Prior plus residual (i, j, k), slab by slab so that no whole-volume condition is made."""
    i, j, k = residual.shape
    hu = np.empty((i, j, k), np.float32)
    slab = plan.tile_shape[0]
    for begin in range(0, i, slab):
        depth = min(slab, i - begin)
        prior = torch.from_numpy(np.array(condition.crop((begin, 0, 0), (depth, j, k)).prior_hu))
        hu[begin : begin + depth] = system.to_hu(residual[begin : begin + depth], prior).numpy()
    return hu
