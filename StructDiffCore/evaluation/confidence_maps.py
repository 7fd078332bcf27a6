"""All maps of one sample, made beside one path, and the baselines they must beat."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from StructDiffCore.config.settings import SynthesisSettings
from StructDiffCore.diffusion.levels import log_snr_levels
from StructDiffCore.diffusion.samplers import sampler_named
from StructDiffCore.diffusion.sampling import start_noise
from StructDiffCore.models.conditioning import ConditionMaps
from StructDiffCore.synthesis.ssv import Spread, SpreadMaker, spread_of
from StructDiffCore.synthesis.tiles import plan_tiles
from StructDiffCore.synthesis.volume import System, TiledDenoiser, unit_hu

from .confidence_cases import ConfidenceCase
from .confidence_settings import method_and_paths

Map = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Mapped:
    """A sample in HU (i, j, k) with the standard deviations that the methods tell."""

    clean_hu: NDArray[np.float32]
    deviations_hu: dict[str, Map]
    cost: dict[str, float]
    """Processor time of sample and map together, in units of the sample's own: wall time where nothing else runs."""
    calls: dict[str, float]
    """The same in network calls."""


def sampled_with_maps(
    system: System,
    condition: ConditionMaps,
    methods: Sequence[str],
    settings: SynthesisSettings,
    seed: int,
    head: SpreadMaker | None = None,
) -> Mapped:
    """One sample on the condition's grid and, beside its path, every method's map."""
    spreads = {name: _spread(name, settings, seed, head) for name in methods}
    denoiser = TiledDenoiser(system, condition, plan_tiles(condition.shape, 128, 16, system.multiple), settings)
    levels = log_snr_levels(settings.steps)
    strength = levels[0].sigma * settings.temperature
    start = start_noise((1, 1, *denoiser.plan.padded), [torch.Generator().manual_seed(seed)]) * strength
    began = time.process_time()
    for step in sampler_named(settings.sampler)(denoiser, start, levels, [torch.Generator().manual_seed(seed + 1)]):
        for spread in spreads.values():
            spread.watch(step)
    own = time.process_time() - began
    i, j, k = condition.shape
    clean = system.to_hu(step.clean[0, 0, :i, :j, :k], torch.from_numpy(condition.prior_hu.copy())).numpy()
    maps, cost, calls = {}, {}, {}
    for name, spread in spreads.items():
        began = time.process_time()
        variance = spread.variance(denoiser, start)
        if variance is None:
            continue
        maps[name] = (variance[0, 0, :i, :j, :k].double().sqrt() * unit_hu(system)).numpy()
        cost[name] = 1 + (time.process_time() - began) / own
        calls[name] = 1 + spread.extra_calls / settings.denoiser_calls
    return Mapped(clean, maps, cost, calls)


def _spread(name: str, settings: SynthesisSettings, seed: int, head: SpreadMaker | None) -> Spread:
    method, paths = method_and_paths(name)
    return spread_of(replace(settings, ssv=method, ssv_paths=max(2, paths)), seed, head)


def baselines(case: ConfidenceCase, clean_hu: NDArray[np.float32]) -> dict[str, Map]:
    """What costs nothing: nearness to a label's edge, local standard deviation of the sample, thinness of the nearest vessel."""
    hu = clean_hu.astype(float)
    local = ndimage.uniform_filter(hu**2, 3) - ndimage.uniform_filter(hu, 3) ** 2
    return {
        "edge nearness": -case.condition.edge_distance_mm.astype(float),
        "local deviation": np.sqrt(np.maximum(local, 0)),
        "inverse radius": _inverse_radius(case),
    }


def _inverse_radius(case: ConfidenceCase) -> Map:
    """1 / radius (1/mm) of the nearest centreline point within the tube, 0 outside."""
    branches = [branch for tree in case.window.target.trees.values() for branch in tree.branches]
    points, radii = (np.concatenate([getattr(b, name) for b in branches]) for name in ("points_mm", "radii_mm"))
    inside = np.argwhere(case.tube)
    found = np.zeros(case.tube.shape)
    if len(inside):
        world = case.window.target.geometry.to_world(inside + [b.start for b in case.box])
        found[tuple(inside.T)] = 1 / np.maximum(radii[cKDTree(points).query(world)[1]], 1e-3)
    return found
