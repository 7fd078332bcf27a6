"""The "real" domain of the few-shot experiments: held-out digital hearts in held-out looks, as another labeller draws them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.domain import ImageMaskPair, LabelMap, StructDiffError, Volume
from StructDiffCore.io.files import write_label_map, write_volume
from StructDiffCore.phantom.anatomy import HeartSettings
from StructDiffCore.phantom.appearance import Appearance, draw_appearance
from StructDiffCore.phantom.domains import domain_named
from StructDiffCore.phantom.formation import render
from StructDiffCore.phantom.heart import Heart, digital_heart
from StructDiffCore.phantom.tissues import Tissue

from .labeller import relabelled
from .streaks import with_streaks

FIRST_SEED = 60_000_000
"""Far from the seeds of training pools and evaluation cases."""
ATTEMPTS = 20
MOVING = 0.5
"""Share of the scans that show motion."""
STREAKED = 0.5
"""Share of the scans whose calcium sends streaks."""


def patient(
    number: int, spacing_mm: float = 0.8, voxels: int = 128, wanted: Callable[[ImageMaskPair], bool] = lambda pair: True
) -> ImageMaskPair:
    """The scan of patient ``number``, a cube of ``voxels`` around the coronaries: the first one that is ``wanted``.

    All show left dominance, heavy calcium, an unseen noise texture and an unseen contrast phase; half of them motion, half
    streaks. The labeller moves borders by half a voxel and misses vessels of a radius below 0.7 mm.
    """
    seed = FIRST_SEED + ATTEMPTS * number
    for heart in _hearts(seed, spacing_mm):
        pair = _scanned(heart, np.random.default_rng([FIRST_SEED, number]), voxels)
        if wanted(pair):
            return pair
    raise StructDiffError(f"no held-out heart among the seeds {seed} to {seed + ATTEMPTS - 1}", "take another number")


def tissue_of(number: int, spacing_mm: float = 0.8, voxels: int = 128) -> NDArray[np.uint8]:
    """``Tissue`` values (i, j, k) under the scan of ``patient(number)``, as it is without a wish."""
    heart = next(_hearts(FIRST_SEED + ATTEMPTS * number, spacing_mm))
    return np.array(heart.tissue[_middle(heart.geometry.shape, voxels)])


def _scanned(heart: Heart, rng: np.random.Generator, voxels: int) -> ImageMaskPair:
    look, streaked = _look(rng), rng.random() < STREAKED
    image = render(heart, look, rng).noisy
    if streaked:
        image = with_streaks(image, heart.tissue == Tissue.CALCIFIED_PLAQUE, rng)
    return _cut(ImageMaskPair(image, relabelled(heart)), voxels)


def write_pair(pair: ImageMaskPair, folder: Path) -> None:
    """image.nii.gz and mask.nii.gz in a folder that exists."""
    write_volume(pair.image, folder / "image.nii.gz")
    write_label_map(pair.mask, folder / "mask.nii.gz")


def _look(rng: np.random.Generator) -> Appearance:
    """A look of the held-out domain; motion as often as ``MOVING`` says."""
    look, moves = draw_appearance(rng, "held_out"), rng.random() < MOVING
    while (look.motion.kind != "none") != moves:
        look = replace(look, motion=draw_appearance(rng, "held_out").motion)
    return look


def _cut(pair: ImageMaskPair, voxels: int) -> ImageMaskPair:
    """The middle cube of a pair."""
    box = _middle(pair.geometry.shape, voxels)
    grid = pair.geometry.cropped((box[0].start, box[1].start, box[2].start), (voxels,) * 3)
    mask = LabelMap(pair.mask.voxels[box].copy(), grid, pair.mask.scheme)
    return ImageMaskPair(Volume(pair.image.voxels[box].copy(), grid), mask)


def _middle(shape: tuple[int, int, int], voxels: int) -> tuple[slice, slice, slice]:
    if min(shape) < voxels:
        raise StructDiffError(f"a patient of {voxels} voxels was asked for", f"choose at most {min(shape)}")
    i, j, k = (slice((n - voxels) // 2, (n - voxels) // 2 + voxels) for n in shape)
    return i, j, k


def _hearts(seed: int, spacing_mm: float) -> Iterator[Heart]:
    """The hearts from ``seed`` on that can be grown and that the held-out domain shows."""
    wanted = domain_named("held_out")
    settings = HeartSettings(dominance="left", heavy_calcium=wanted.heavy_calcium)
    for candidate in range(seed, seed + ATTEMPTS):
        try:
            heart = digital_heart(candidate, spacing_mm=spacing_mm, settings=settings)
        except StructDiffError:
            continue
        if heart.dominance == "left":
            yield heart
