"""The "real" domain of the few-shot experiments: held-out digital hearts in held-out looks, as another labeller draws them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from StructDiffCore.domain import ImageMaskPair, StructDiffError
from StructDiffCore.io.files import write_label_map, write_volume
from StructDiffCore.phantom.anatomy import HeartSettings
from StructDiffCore.phantom.appearance import draw_appearance
from StructDiffCore.phantom.domains import domain_named
from StructDiffCore.phantom.formation import render
from StructDiffCore.phantom.heart import Heart, digital_heart

from .labeller import relabelled

FIRST_SEED = 60_000_000
"""Far from the seeds of training pools and evaluation cases."""
ATTEMPTS = 20


def patient(number: int, spacing_mm: float = 0.8) -> ImageMaskPair:
    """The scan of patient ``number``: left dominance, heavy calcium, unseen noise texture and contrast phase, motion."""
    heart = _heart(FIRST_SEED + ATTEMPTS * number, spacing_mm)
    rng = np.random.default_rng([FIRST_SEED, number])
    return ImageMaskPair(render(heart, draw_appearance(rng, "held_out"), rng).noisy, relabelled(heart))


def written_patient(number: int, folder: Path, spacing_mm: float = 0.8) -> Path:
    """Folder patient-NNN with image.nii.gz and mask.nii.gz; made unless it is there."""
    place = folder / f"patient-{number:03d}"
    if not (place / "mask.nii.gz").is_file():
        place.mkdir(parents=True, exist_ok=True)
        pair = patient(number, spacing_mm)
        write_volume(pair.image, place / "image.nii.gz")
        write_label_map(pair.mask, place / "mask.nii.gz")
    return place


def _heart(seed: int, spacing_mm: float) -> Heart:
    """The first heart from ``seed`` on that can be grown and that the held-out domain shows."""
    wanted = domain_named("held_out")
    settings = HeartSettings(dominance="left", heavy_calcium=wanted.heavy_calcium)
    for candidate in range(seed, seed + ATTEMPTS):
        try:
            heart = digital_heart(candidate, spacing_mm=spacing_mm, settings=settings)
        except StructDiffError:
            continue
        if heart.dominance == "left":
            return heart
    raise StructDiffError(f"no held-out heart among the seeds {seed} to {seed + ATTEMPTS - 1}", "take another number")
