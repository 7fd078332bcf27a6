"""The cases of an evaluation: digital hearts of unseen seeds, the held-out domain, and the real scan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from StructDiffCore.config.resources import shared_data_folder
from StructDiffCore.domain import ImageMaskPair, StructDiffError, Template
from StructDiffCore.io.files import read_template
from StructDiffCore.phantom.anatomy import HeartSettings
from StructDiffCore.phantom.appearance import draw_appearance
from StructDiffCore.phantom.domains import domain_named
from StructDiffCore.phantom.formation import render
from StructDiffCore.phantom.heart import Heart, digital_heart

from .case import Case
from .look import Scan
from .settings import EvaluationSettings
from .warped_mask import warped_mask

REAL_IMAGE, REAL_MASK = "ts_thorax_cta_1p5mm_ct.nii.gz", "ts_thorax_cta_1p5mm_labels.nii.gz"
ATTEMPTS = 20
HELD_OUT_APART = 1_000_000


@dataclass(frozen=True)
class Question:
    """A case that is not made yet."""

    name: str
    make: Callable[[], Case]


def questions(settings: EvaluationSettings) -> list[Question]:
    """All cases in a fixed order; the real ones only where the real scans are."""
    counts = {"training": settings.phantom_cases, "held_out": settings.held_out_cases}
    listed = [
        Question(f"{domain}-{number}", partial(phantom_case, domain, number, settings))
        for domain, count in counts.items()
        for number in range(count)
    ]
    folder = shared_data_folder()
    if settings.real_case and folder is not None:
        warps = range(settings.real_warps)
        listed += [Question(f"real-thorax-{number}", partial(real_case, folder, number, settings)) for number in warps]
    return listed


def phantom_case(domain: str, number: int, settings: EvaluationSettings) -> Case:
    """Another heart in the same look is the template; the true rendering is the reference. The next case's heart is the swapped
    mask, whether that case is asked for or not.
    """
    seed = _first_seed(domain, number, settings)
    rng = np.random.default_rng(seed)
    target, other = _target_heart(domain, seed, settings.spacing_mm, settings.voxels), _heart(domain, seed + ATTEMPTS, settings)
    appearance = draw_appearance(rng, domain)
    truth, shown = render(target, appearance, rng), render(other, appearance, rng)
    again = render(target, appearance, np.random.default_rng([seed, 1]))
    following = _target_heart(domain, _first_seed(domain, number + 1, settings), settings.spacing_mm, settings.voxels)
    return Case(
        name=f"{domain}-{number}",
        domain=domain,
        target=target.mask,
        template=Template(ImageMaskPair(shown.noisy, other.mask), f"phantom-{other.seed}"),
        reference=Scan(truth.noisy, target.mask),
        trees=tuple(target.trees.values()),
        clean=truth.clean,
        again=Scan(again.noisy, target.mask),
        other=following.mask,
    )


def _first_seed(domain: str, number: int, settings: EvaluationSettings) -> int:
    """Where the search for a case's hearts begins; the held-out domain lies apart from every number of cases."""
    return settings.seed + HELD_OUT_APART * (domain == "held_out") + 2 * ATTEMPTS * number


def real_case(folder: Path, number: int, settings: EvaluationSettings) -> Case:
    """The real thorax CT (never trained on) asked for its own mask in a new shape."""
    template = read_template(folder / REAL_IMAGE, folder / REAL_MASK)
    target = warped_mask(template.pair.mask, settings.warp_mm, np.random.default_rng(settings.seed + number))
    reference = Scan(template.pair.image, template.pair.mask)
    return Case(f"real-thorax-{number}", "real", target, template, reference, (), None)


@lru_cache(maxsize=2)
def _target_heart(domain: str, seed: int, spacing_mm: float, voxels: int) -> Heart:
    """Kept, because it is one case's target and another's swapped mask."""
    return _middle(heart_of_domain(domain, seed, spacing_mm), voxels)


def _heart(domain: str, seed: int, settings: EvaluationSettings) -> Heart:
    """A heart of the domain, cropped to the case's size."""
    return _middle(heart_of_domain(domain, seed, settings.spacing_mm), settings.voxels)


def heart_of_domain(domain: str, seed: int, spacing_mm: float = 0.8) -> Heart:
    """The first heart from ``seed`` on that the domain may show and the grid can carry, whole."""
    allowed = domain_named(domain)
    wanted = HeartSettings(dominance="left" if domain == "held_out" else None, heavy_calcium=allowed.heavy_calcium)
    for candidate in range(seed, seed + ATTEMPTS):
        try:
            heart = digital_heart(candidate, spacing_mm=spacing_mm, settings=wanted)
        except StructDiffError:
            continue
        if heart.dominance in allowed.dominances:
            return heart
    raise StructDiffError(
        f"no digital heart of the domain '{domain}' between seeds {seed} and {seed + ATTEMPTS}", "change the seed"
    )


def _middle(heart: Heart, voxels: int) -> Heart:
    """The central cube of a heart (all of it where it is not larger)."""
    size = tuple(min(voxels, n) for n in heart.geometry.shape)
    start = tuple((n - s) // 2 for n, s in zip(heart.geometry.shape, size))
    return heart.cropped(start, size)  # type: ignore[arg-type]
