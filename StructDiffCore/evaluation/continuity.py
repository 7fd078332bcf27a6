"""Are the vessels there from ostium to tip? The trees' centrelines read in an image, as numbers for the evaluation."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from StructDiffCore.domain import LabelMap, LabelScheme, Volume
from StructDiffCore.measures.continuity import Calibre, Visibility, by_radius, lumen_hu, visibilities
from StructDiffCore.measures.crosswise import crossing
from StructDiffCore.vessels.graph import VesselGraph

Mask = NDArray[np.bool_]
Scores = dict[str, float]
RADIUS_EDGES_MM = (0.0, 0.6, 0.9, 1.2, 1.6, 2.2, 20.0)
SOLID = ("myocardium", "wall")
"""Words in the name of labels that are tissue, not blood: they may surround a vessel."""


@dataclass(frozen=True, eq=False)
class TreeContinuity:
    """One tree in one image."""

    full_hu: float
    """HU of its full lumen."""
    branches: dict[str, Visibility]
    """Each branch from its parent on."""
    paths: dict[str, Visibility]
    """From the ostium to every tip that lies at least partly in the image, named by the tip's branch."""


def tree_continuity(image: Volume, tree: VesselGraph, psf_sigma_mm: ArrayLike, usable: Mask | None = None) -> TreeContinuity:
    """Read all branches of a tree and all its ways from ostium to tip.

    ``psf_sigma_mm`` is the point spread that the image should have (the template's); ``usable`` (i, j, k) the voxels that may
    surround a vessel, from ``surroundings_of``.
    """
    crossings = {branch.name: crossing(image, branch, psf_sigma_mm, usable) for branch in tree.branches}
    full = lumen_hu(list(crossings.values()))
    tips = [tree.branches[index].name for index in tree.tip_branches]
    ways = {name: crossing(image, tree.path_to(name), psf_sigma_mm, usable) for name in tips}
    branches = dict(zip(crossings, visibilities(list(crossings.values()), full)))
    paths = {name: held for name, held in zip(ways, visibilities(list(ways.values()), full)) if held.judged_mm > 0}
    return TreeContinuity(full, branches, paths)


def surroundings_of(mask: LabelMap, solid: Collection[int] | None = None) -> Mask:
    """Voxels (i, j, k) that may serve as a vessel's surroundings: unlabelled or ``solid`` tissue, a voxel away from all blood.

    ``solid`` are labels of tissue; by default those with a word of ``SOLID`` in their names.
    """
    tissue = solid_values(mask.scheme) if solid is None else tuple(solid)
    blood = (mask.voxels != 0) & ~np.isin(mask.voxels, tissue)
    return np.asarray(~ndimage.binary_dilation(blood, ndimage.generate_binary_structure(3, 1)))


def solid_values(scheme: LabelScheme) -> tuple[int, ...]:
    return tuple(label.value for label in scheme.labels if any(word in label.name.lower() for word in SOLID))


def continuity_scores(
    image: Volume, trees: Sequence[VesselGraph], psf_sigma_mm: ArrayLike, mask: LabelMap | None = None
) -> Scores:
    """Of all ``trees`` in ``image``, best its noise-free version: "visible share of centrelines" (by length, 0 to 1), "longest
    gap mm" (on any way from ostium to tip) and "unbroken branches" (share of those ways without a gap of 1 mm).

    ``mask`` (the target, on the image's grid) keeps chambers and other vessels out of the surroundings. NaN where no tree crosses
    the image.
    """
    usable = None if mask is None else surroundings_of(mask)
    return scores_of([tree_continuity(image, tree, psf_sigma_mm, usable) for tree in trees])


def scores_of(found: Sequence[TreeContinuity]) -> Scores:
    """The three scores over several trees; NaN where nothing was judged."""
    branches, paths = ([v for one in found for v in side(one).values()] for side in (_branches, _paths))
    judged = sum(held.judged_mm for held in branches)
    return {
        "visible share of centrelines": sum(held.visible_mm for held in branches) / judged if judged else float("nan"),
        "longest gap mm": max((held.longest_gap_mm for held in paths), default=float("nan")),
        "unbroken branches": float(np.mean([held.unbroken for held in paths])) if paths else float("nan"),
    }


def calibres(found: Sequence[TreeContinuity]) -> list[Calibre]:
    """Visibility and apparent radius of all branches by their nominal radius."""
    return by_radius([held for one in found for held in one.branches.values()], RADIUS_EDGES_MM)


def _branches(one: TreeContinuity) -> dict[str, Visibility]:
    return one.branches


def _paths(one: TreeContinuity) -> dict[str, Visibility]:
    return one.paths
