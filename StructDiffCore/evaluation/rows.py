"""Rows of the table: the truth, the rivals without a network, the network, and the network with inputs set to null."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from StructDiffCore.config.presets import SAMPLERS
from StructDiffCore.config.settings import SynthesisSettings
from StructDiffCore.domain import StructDiffError, Volume
from StructDiffCore.models.nulled import NULLED
from StructDiffCore.synthesis.acquisition_noise import sample_noise
from StructDiffCore.synthesis.prepared import Prepared
from StructDiffCore.synthesis.renderer import render_from_prior
from StructDiffCore.synthesis.result import ct_volume
from StructDiffCore.synthesis.synthesize import noise_seed, sample
from StructDiffCore.systems.structdiff import StructDiff

from .case import Case
from .nulled import Nulled

Made = tuple[Volume, Volume | None]
"""The scan and, where known, the scan without acquisition noise."""
Row = Callable[[Case, Prepared, StructDiff, SynthesisSettings, int], Made]


def truth(case: Case, prepared: Prepared, system: StructDiff, settings: SynthesisSettings, seed: int) -> Made:
    """The ceiling: the reference itself (for the real case it scores against itself)."""
    return case.reference.image, case.clean


def renderer(case: Case, prepared: Prepared, system: StructDiff, settings: SynthesisSettings, seed: int) -> Made:
    """Painted prior + point spread + noise fitted to the template; no network."""
    made = render_from_prior(prepared.source, prepared.geometry, prepared.look.noise, prepared.look.psf_sigma_mm, seed)
    return made.noisy, made.clean


def template(case: Case, prepared: Prepared, system: StructDiff, settings: SynthesisSettings, seed: int) -> Made:
    """The aligned template itself: real texture, but its own anatomy. What mask fidelity is without a generator."""
    image = ct_volume(prepared.source.template_image, prepared.geometry)
    return image, image


def network(case: Case, prepared: Prepared, system: StructDiff, settings: SynthesisSettings, seed: int) -> Made:
    """StructDiff."""
    made = sample(system, prepared, settings, seed)
    return made.noisy, made.clean


def mask_only(weights: str) -> Row:
    """The rival trained on masks alone (MONAI's DiffusionModelUNet of equal size), its answer with the template's noise."""

    def row(case: Case, prepared: Prepared, system: StructDiff, settings: SynthesisSettings, seed: int) -> Made:
        from .mask_only import MaskOnly

        clean = MaskOnly.load_weights(Path(weights)).sample(case.target.voxels, settings.steps, seed)
        noise = sample_noise(prepared.look.noise, prepared.geometry, noise_seed(seed))
        return ct_volume(clean + noise, prepared.geometry), ct_volume(clean, prepared.geometry)

    return row


def other_weights(weights: str) -> Row:
    """StructDiff with the weights of a file."""

    def row(case: Case, prepared: Prepared, system: StructDiff, settings: SynthesisSettings, seed: int) -> Made:
        return network(case, prepared, _loaded(weights), settings, seed)

    return row


@lru_cache(maxsize=4)
def _loaded(weights: str) -> StructDiff:
    return StructDiff.load_weights(Path(weights))


PLAIN: dict[str, Row] = {"truth": truth, "renderer": renderer, "template": template, "structdiff": network}
CHANGED: dict[str, dict[str, Any]] = {"one call": {"steps": 1}, "template detail": {"template_detail": True}}
"""Rows that are StructDiff with other settings."""
NAMES = (*PLAIN, *NULLED, *CHANGED, "structdiff@STEPS", "structdiff@STEPS:SAMPLER", "weights:FILE", "mask only:FILE")
"""What a row may be called."""


def row_named(name: str) -> Row:
    """The row of that name. 'structdiff@20:heun' takes other steps and sampler, 'one call' a single one from pure noise
    (regression with the same network), 'template detail' carries over what the template shows of unlabelled tissue;
    'without template', 'without codes', 'without prior', 'template stacking' set inputs of the trained network to null, which
    is no retrained ablation. Raises StructDiffError for unknown names.
    """
    if name in PLAIN:
        return PLAIN[name]
    if name in NULLED:
        return lambda case, prepared, system, *rest: network(case, prepared, Nulled(system, NULLED[name]), *rest)
    if name.startswith("mask only:"):
        return mask_only(name.removeprefix("mask only:"))
    if name.startswith("weights:"):
        return other_weights(name.removeprefix("weights:"))
    changes = CHANGED.get(name) or _changes(name)
    return lambda case, prepared, system, settings, seed: network(case, prepared, system, replace(settings, **changes), seed)


def weights_of(name: str) -> Path | None:
    """The weights file that a row's name asks for."""
    kind, _, file = name.partition(":")
    return Path(file) if kind in ("weights", "mask only") else None


def calls_of(name: str, steps: int) -> int:
    """Network calls of a row per tile, for rows that take ``steps`` unless their name says otherwise; 0 without a network."""
    if name in ("truth", "renderer", "template"):
        return 0
    changes = CHANGED.get(name) or (_changes(name) if name.startswith("structdiff@") else {})
    return replace(SynthesisSettings(steps=steps), **changes).denoiser_calls


def _changes(name: str) -> dict[str, Any]:
    """Steps and sampler of 'structdiff@STEPS:SAMPLER'."""
    head, _, tail = name.partition("@")
    steps, _, sampler = tail.partition(":")
    if head != "structdiff" or not steps.isdigit() or int(steps) < 1 or (sampler and sampler not in SAMPLERS):
        raise StructDiffError(f"unknown row '{name}' in the evaluation", f"choose from {', '.join(NAMES)}")
    return {"steps": int(steps)} | ({"sampler": sampler} if sampler else {})
