"""Training pairs: two hearts of one look, each the other's template; crops of both directions (bidirectional, TCDM)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.domain import CARDIAC
from StructDiffCore.models.coarse_labels import part_borders
from StructDiffCore.models.conditioning import build_condition, template_codes, template_point_spread_mm
from StructDiffCore.phantom.appearance import Appearance, draw_appearance
from StructDiffCore.phantom.domains import refuse_held_out
from StructDiffCore.phantom.formation import Rendering, render
from StructDiffCore.phantom.heart import Heart

from .crops import TrainingCrop, crop_start, thin_weights
from .deformation import Deformation
from .label_augmentation import LabelAugmentation
from .misalignment import Misalignment
from .pool import HeartPool, calcium_mm3
from .settings import PairSettings, Phase

THIN = CARDIAC.thin_values
WHOLE_HEART_SAME = 0.85
"""Share of whole-heart pairs that are one heart in two shapes: only then does the template tell what lies inside."""


@dataclass(frozen=True, eq=False)
class Side:
    """One half of a pair: a heart, its scan and its (imperfect) mask."""

    heart: Heart
    rendering: Rendering
    labels: NDArray[np.uint8]

    @property
    def true_thin(self) -> NDArray[np.bool_]:
        """(i, j, k): the coronaries, labelled or not."""
        return np.isin(self.heart.mask.voxels, THIN)


@dataclass(frozen=True)
class PairStream:
    """Pairs of hearts from a pool; chance comes from the generator given alone."""

    pool: HeartPool
    settings: PairSettings
    noisy_target: bool = False
    """The target of training is the noisy image (noise setting 'diffusion')."""

    def crops(self, phase: Phase, rng: np.random.Generator) -> Iterator[TrainingCrop]:
        """All crops of one pair, first a -> b, then b -> a."""
        first, second = self._sides(rng)
        yield from self._direction(first, second, phase, rng)
        yield from self._direction(second, first, phase, rng)

    def _sides(self, rng: np.random.Generator) -> tuple[Side, Side]:
        appearance = draw_appearance(rng, "training")
        augmentation = LabelAugmentation.draw(self.settings.label_augmentation, rng, self.settings.label_jitter)
        same_heart = self.settings.same_heart
        if self.settings.whole_heart and rng.random() < self.settings.whole_heart:
            augmentation, same_heart = augmentation.with_whole_heart(), WHOLE_HEART_SAME
        if self.settings.sharper and rng.random() < self.settings.sharper:
            appearance = sharpened(appearance, rng.uniform(0.3, 1.0))
        one = int(rng.integers(len(self.pool)))
        other = int(rng.choice(self.pool.partners(one)))
        first = self.pool[one]
        refuse_held_out(first.dominance, calcium_mm3(first), appearance.phase, appearance.noise.texture)
        same = rng.random() < same_heart
        second = Deformation.draw(first.geometry, rng).apply(first) if same else self.pool[other]
        one_side, other_side = (Side(h, render(h, appearance, rng), augmentation.apply(h, rng)) for h in (first, second))
        return one_side, other_side

    def _direction(self, template: Side, target: Side, phase: Phase, rng: np.random.Generator) -> Iterator[TrainingCrop]:
        """Crops of ``target`` under ``template``."""
        spacing = target.heart.geometry.spacing
        template_labels = self._incomplete(template.labels, rng)
        noisy = template.rendering.noisy.voxels
        borders = part_borders(noisy, template_labels, spacing, THIN)
        psf = template_point_spread_mm(noisy, template_labels, spacing, THIN)
        codes = template_codes(noisy, template_labels, spacing, THIN, psf, borders)
        aligned = Misalignment.draw(target.heart.geometry, self.settings.misalignment_mm, rng).apply(noisy, template_labels)
        condition = build_condition(
            target.labels,
            aligned.image,
            aligned.labels,
            codes,
            spacing,
            scheme=CARDIAC,
            covered=aligned.covered,
            borders=borders,
            softness_mm=psf,
        )
        image = (target.rendering.noisy if self.noisy_target else target.rendering.clean).voxels
        thin = target.true_thin
        weight, thin_voxels = thin_weights(thin, self.settings.thin_weight), np.argwhere(thin)
        shape = (phase.crop, phase.crop, phase.crop)
        for _ in range(phase.crops_per_direction):
            on_vessel = rng.random() < self.settings.vessel_share
            start = crop_start(thin_voxels, on_vessel, image.shape, phase.crop, rng)
            box = tuple(slice(s, s + n) for s, n in zip(start, shape))
            crop = TrainingCrop(condition.crop(start, shape), image[box].copy(), weight[box] / weight[box].mean())
            yield crop.without_template() if rng.random() < self.settings.template_dropped else crop

    def _incomplete(self, labels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
        """The template's mask, now and then without one of its labels: the target's label then takes its group's code."""
        gone, lost = rng.random() < self.settings.template_label_lost, rng.choice(CARDIAC.values)
        return np.where(labels == lost, 0, labels).astype(np.uint8) if gone else labels


def sharpened(appearance: Appearance, share: float) -> Appearance:
    """The look with its point spread and slice thickness times ``share``: many data sets are sampled without averaging."""
    spread = appearance.point_spread
    narrow = replace(spread, sigma_mm=share * spread.sigma_mm, axial_sigma_mm=share * spread.axial_sigma_mm)
    return replace(appearance, point_spread=narrow, slice_thickness_mm=share * appearance.slice_thickness_mm)
