"""From a mask and a template to a CT volume: the main job."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from StructDiffCore.config.settings import SynthesisSettings
from StructDiffCore.domain import LabelMap, Template, Volume
from StructDiffCore.systems.structdiff import StructDiff

from .acquisition_noise import sample_noise
from .error_head import TrainedHead, shipped_head
from .ladder import Rung, climb_down, ladder
from .precision import inference_dtype
from .prepared import Prepared, prepare
from .result import Synthesis, ct_volume
from .running_estimate import OnEstimate
from .tiles import plan_tiles
from .volume import OnStep, SampledVolume, sample_volume

OnMessage = Callable[[str], None]
UNTRAINED_MAP = "trajectory"
"""The map of weights for which no error head was trained: it costs nothing and needs no training."""


def synthesize(
    system: StructDiff,
    target: LabelMap,
    template: Template,
    settings: SynthesisSettings | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
    *,
    correspondence: Mapping[int, int] | None = None,
    on_step: OnStep | None = None,
    on_message: OnMessage | None = None,
) -> Synthesis:
    """A CT volume that obeys ``target`` and looks like ``template``; both may lie on any grids.

    ``on_step(stage, done, total)`` is called between network calls and may raise to stop; ``on_message`` hears of memory-ladder
    steps and of a map that is made otherwise than asked. Raises StructDiffError for bad input and for memory that runs out
    below the last rung.
    """
    return sample(
        system, prepare(target, template, correspondence), settings, seed, device, on_step=on_step, on_message=on_message
    )


def sample(
    system: StructDiff,
    prepared: Prepared,
    settings: SynthesisSettings | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
    *,
    on_step: OnStep | None = None,
    on_message: OnMessage | None = None,
    on_estimate: OnEstimate | None = None,
) -> Synthesis:
    """One volume of a prepared target; another seed gives another volume."""
    tell = on_message or (lambda message: None)
    asked = with_a_known_map(system, settings or SynthesisSettings(), tell)
    place = torch.device(device)
    source = prepared.detailed_source if asked.template_detail else prepared.source
    rungs = ladder(place, inference_dtype(asked.precision, place), asked.tile)

    def attempt(rung: Rung) -> tuple[SampledVolume, Rung]:
        runner = copy.deepcopy(system).to(rung.device, rung.dtype)
        fitted = replace(asked, tile=rung.tile, overlap=min(asked.overlap, rung.tile // 2))
        place = (source, prepared.geometry)
        head = head_for(system, asked, rung.device)
        return sample_volume(runner, *place, fitted, seed, on_step, rung.device, on_estimate, head), rung

    (sampled, rung), steps = climb_down(attempt, rungs, tell)
    made = sampled.volume
    record = {**prepared.record, **_record(system, asked, rung, made, seed), "memory_ladder": steps}
    if system.settings.noise == "diffusion":
        return Synthesis(made, made, record, sampled.uncertainty)
    noise = sample_noise(prepared.look.noise, prepared.geometry, noise_seed(seed))
    return Synthesis(made, ct_volume(made.voxels + noise, prepared.geometry), record, sampled.uncertainty)


def with_a_known_map(system: StructDiff, settings: SynthesisSettings, tell: OnMessage) -> SynthesisSettings:
    """The settings; where they ask for the error head and none belongs to the system's weights, with the trajectory's map."""
    if settings.ssv != "head" or shipped_head(system.sha256) is not None:
        return settings
    tell(f"no error head was trained for these weights: the confidence map is the {UNTRAINED_MAP}'s spread instead")
    return replace(settings, ssv=UNTRAINED_MAP)


def head_for(system: StructDiff, settings: SynthesisSettings, device: torch.device) -> TrainedHead | None:
    """The error head where the settings ask for it."""
    found = shipped_head(system.sha256) if settings.ssv == "head" else None
    if found is not None:
        found.head.to(device)
    return found


def noise_seed(seed: int) -> int:
    """The acquisition noise's own seed."""
    return int(np.random.SeedSequence([seed, 1]).generate_state(1)[0])


def _record(system: StructDiff, settings: SynthesisSettings, rung: Rung, made: Volume, seed: int) -> dict[str, Any]:
    plan = plan_tiles(made.geometry.shape, rung.tile, min(settings.overlap, rung.tile // 2), system.multiple)
    return {
        "generator": "structdiff",
        "weights_sha256": system.sha256,
        "seed": seed,
        "noise_seed": noise_seed(seed),
        "noise_made_by": system.settings.noise,
        "settings": settings.as_dict(),
        "device": str(rung.device),
        "precision": str(rung.dtype).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        "tiles": {"shape": list(plan.tile_shape), "count": len(plan.tiles), "overlap": settings.overlap},
        "geometry": made.geometry.as_dict(),
        "synthetic": True,
    }
