"""The cases a confidence map is judged on: unseen hearts with their clean truth, whole and with planted damage."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from StructDiffCore.domain import CARDIAC, ImageMaskPair, LabelMap, StructDiffError, Template, Volume
from StructDiffCore.measures.distance import from_nearest
from StructDiffCore.models.conditioning import ConditionMaps
from StructDiffCore.phantom.heart import Heart
from StructDiffCore.phantom.storage import load_heart, save_heart
from StructDiffCore.synthesis.heart_window import HeartWindow
from StructDiffCore.synthesis.prepared import Prepared, prepare
from StructDiffCore.training.pool import fill_pool, open_pool
from StructDiffCore.training.settings import PairSettings

from .cases import heart_of_domain
from .confidence_settings import ConfidenceSettings

THIN = CARDIAC.thin_values
TUBE_VOXELS = 3
PATCH_RADIUS_MM, PATCH_HU = 6.0, 300.0
MOVED_MM = 1.0
"""Asked; rounded to whole voxels, which at 0.8 mm is one along a diagonal, 1.13 mm."""
ATTEMPTS = 8
HELD_OUT_STEP = 40
"""Between the seeds of two held-out hearts: room for those that the domain does not allow."""


@dataclass(frozen=True)
class Asked:
    """A window that is not made yet: looked at whole and under every damage."""

    domain: str
    """"training" or "held_out"."""
    number: int
    damages: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.domain}-{self.number}"


@dataclass(frozen=True, eq=False)
class ConfidenceCase:
    """What the generator is asked in the middle of a window, and what is true there; arrays (i, j, k) of the middle."""

    asked: Asked
    damage: str
    window: HeartWindow
    condition: ConditionMaps
    box: tuple[slice, slice, slice]
    """The middle inside the window."""
    damaged: NDArray[np.bool_]
    """Where damage was planted."""

    @property
    def labels(self) -> NDArray[np.integer]:
        return self.window.target.mask.voxels[self.box]

    @property
    def truth_hu(self) -> NDArray[np.float32]:
        return self.window.truth.clean.voxels[self.box]

    @property
    def tube(self) -> NDArray[np.bool_]:
        """Within 3 voxels of the coronaries."""
        return tube_around(np.isin(self.window.target.mask.voxels, THIN))[self.box]


def asked_cases(settings: ConfidenceSettings) -> list[Asked]:
    """All windows in order: phantoms, the first of them with damage, then the held-out domain."""
    listed = [
        Asked("training", number, settings.damages * (number < settings.damaged_cases))
        for number in range(settings.phantom_cases)
    ]
    return listed + [Asked("held_out", number) for number in range(settings.held_out_cases)]


def cases_of(asked: Asked, settings: ConfidenceSettings) -> list[ConfidenceCase]:
    """The whole case, then one per damage, all of the first window whose template can be aligned in every one of them."""
    one, other = (_heart(asked.domain, asked.number + n, settings) for n in (0, 1))
    for attempt in range(ATTEMPTS):
        rng = np.random.default_rng([settings.seed, asked.domain == "held_out", asked.number, attempt])
        window = HeartWindow.draw(one, other, settings.voxels, asked.domain, rng)
        try:
            whole = prepare(window.target.mask, window.template)
            return [_case(asked, damage, window, whole, settings, rng) for damage in ("", *asked.damages)]
        except StructDiffError:
            continue
    raise StructDiffError(f"no window of {asked.name} has a template that can be aligned", "give larger windows (voxels)")


def _case(
    asked: Asked, damage: str, window: HeartWindow, whole: Prepared, settings: ConfidenceSettings, rng: np.random.Generator
) -> ConfidenceCase:
    edge = (settings.voxels - settings.crop) // 2
    box = (slice(edge, edge + settings.crop),) * 3
    prepared, damaged = _damaged(damage, window, whole, box, rng)
    source = prepared.source.with_template_detail() if settings.template_detail else prepared.source
    condition = source.crop((edge,) * 3, (settings.crop,) * 3)
    return ConfidenceCase(asked, damage, window, condition, box, damaged[box])


def _damaged(
    damage: str, window: HeartWindow, whole: Prepared, box: tuple[slice, ...], rng: np.random.Generator
) -> tuple[Prepared, NDArray[np.bool_]]:
    """The window's condition with the damage, and where that is."""
    mask = window.target.mask
    if damage == "patch":
        return bright_patch(whole, box, rng)
    if damage == "branch":
        return prepare(mask, without_tree(window.template)), tube_around(np.isin(mask.voxels, THIN))
    if damage == "moved":
        moved, changed = moved_tree(mask)
        return prepare(moved, window.template), changed
    return whole, np.zeros(mask.voxels.shape, bool)


def tube_around(vessels: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The vessels and all within 3 voxels of them."""
    if not vessels.any():
        return np.zeros(vessels.shape, bool)
    return ndimage.distance_transform_edt(~vessels) <= TUBE_VOXELS


def moved_tree(mask: LabelMap) -> tuple[LabelMap, NDArray[np.bool_]]:
    """The mask with its coronaries moved by about ``MOVED_MM`` along a diagonal, in whole voxels, and where it changed."""
    spacing = np.asarray(mask.geometry.spacing)
    shift = np.rint(MOVED_MM / np.sqrt(2) / spacing[:2]).astype(int)
    thin = np.where(np.isin(mask.voxels, THIN), mask.voxels, 0)
    moved = ndimage.shift(thin, (*shift, 0), order=0)
    voxels = np.where(moved > 0, moved, np.where(thin > 0, 0, mask.voxels)).astype(mask.voxels.dtype)
    return LabelMap(voxels, mask.geometry, mask.scheme), voxels != mask.voxels


def without_tree(template: Template) -> Template:
    """The template with both coronary trees whole painted over by their surroundings and unlabelled."""
    image, mask = template.pair.image, template.pair.mask
    vessels = ndimage.binary_dilation(np.isin(mask.voxels, THIN))
    if vessels.all() or not vessels.any():
        return template
    painted = Volume(from_nearest(image.voxels, vessels, ~vessels), image.geometry)
    unlabelled = np.where(np.isin(mask.voxels, THIN), 0, mask.voxels)
    pair = ImageMaskPair(painted, LabelMap(unlabelled, mask.geometry, mask.scheme))
    return Template(pair, f"{template.id}-without-tree")


def bright_patch(prepared: Prepared, box: tuple[slice, ...], rng: np.random.Generator) -> tuple[Prepared, NDArray[np.bool_]]:
    """The aligned template with a ball 300 HU too bright inside the box, and that ball."""
    image = prepared.source.template_image
    spacing = np.asarray(prepared.geometry.spacing)
    reach = np.ceil(PATCH_RADIUS_MM / spacing).astype(int)
    centre = [int(rng.integers(b.start + r, max(b.start + r + 1, b.stop - r))) for b, r in zip(box, reach)]
    grid = np.moveaxis(np.indices(image.shape), 0, -1)
    ball = ((((grid - centre) * spacing) ** 2).sum(-1)) <= PATCH_RADIUS_MM**2
    bright = (image + PATCH_HU * ball).astype(np.float32)
    return replace(prepared, source=replace(prepared.source, template_image=bright)), ball


def _heart(domain: str, number: int, settings: ConfidenceSettings) -> Heart:
    if domain == "held_out":
        return _held_out_heart(settings.seed + 1000 + HELD_OUT_STEP * number, Path(settings.hearts))
    wanted = settings.first_heart + settings.phantom_cases + 1
    pairs = PairSettings(hearts=wanted, spacings_mm=(0.8,))
    folder = Path(settings.pool)
    for _ in fill_pool(folder, pairs, settings.pool_seed):
        pass
    return open_pool(folder, pairs, settings.pool_seed)[settings.first_heart + number]


def _held_out_heart(seed: int, folder: Path) -> Heart:
    """From the folder, or grown and kept there."""
    path = folder / f"held_out-{seed}.npz"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"part-{os.getpid()}-{path.name}")
        save_heart(heart_of_domain("held_out", seed), partial)
        os.replace(partial, path)
    return load_heart(path)
