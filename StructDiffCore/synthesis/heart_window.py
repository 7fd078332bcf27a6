"""HeartWindow: two digital hearts in one look, one the target and one the template, where the truth is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from StructDiffCore.domain import CARDIAC, ImageMaskPair, Template
from StructDiffCore.phantom.appearance import draw_appearance
from StructDiffCore.phantom.formation import Rendering, render
from StructDiffCore.phantom.heart import Heart
from StructDiffCore.training.crops import crop_start


@dataclass(frozen=True, eq=False)
class HeartWindow:
    """Two hearts in one look, seen through one window."""

    target: Heart
    truth: Rendering
    template: Template

    @classmethod
    def draw(
        cls, one: Heart, other: Heart, voxels: int, domain: str, rng: np.random.Generator, anywhere: bool = False
    ) -> HeartWindow:
        """``voxels`` cubed around a coronary of ``one``, the target, or anywhere; ``other`` is the template, in the same look."""
        thin = np.argwhere(np.isin(one.mask.voxels, CARDIAC.thin_values))
        start = crop_start(thin, not anywhere, one.geometry.shape, voxels, rng)
        i, j, k = (min(s, n - voxels) for s, n in zip(start, other.geometry.shape))
        target, source = (heart.cropped((i, j, k), (voxels,) * 3) for heart in (one, other))
        appearance = draw_appearance(rng, domain)
        truth, shown = render(target, appearance, rng), render(source, appearance, rng)
        return cls(target, truth, Template(ImageMaskPair(shown.noisy, source.mask), f"phantom-{source.seed}"))
