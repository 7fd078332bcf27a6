"""The demo's inputs: a digital heart's mask with a stenosis drawn into its LAD, and another digital heart as the template."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from StructDiffCore.domain import CARDIAC, ImageMaskPair, LabelMap, Template, Triple, Volume
from StructDiffCore.phantom.anatomy import HeartSettings
from StructDiffCore.phantom.appearance import draw_appearance
from StructDiffCore.phantom.coronary_painting import REACH_MM, lumen_on_grid
from StructDiffCore.phantom.formation import render
from StructDiffCore.phantom.heart import Heart, digital_heart
from StructDiffCore.vessels.branch import Branch
from StructDiffCore.vessels.graph import VesselGraph, nearest_along
from StructDiffCore.vessels.lesions import Stenosis
from StructDiffCore.vessels.painting import paint_distance

TARGET_SEED, TEMPLATE_SEED, APPEARANCE_SEED = 11, 21, 37
STENOSIS = Stenosis("LAD", centre_mm=30.0, length_mm=12.0, percent_diameter=60.0)
HEALTHY = HeartSettings(dominance="right", diseased=0.0)


@dataclass(frozen=True, eq=False)
class DemoCase:
    """What ``structdiff demo`` works on."""

    target: LabelMap
    """The edited mask."""
    template: Template
    tree: VesselGraph
    """The left coronary tree with the stenosis."""
    course: Branch
    """The centreline from the ostium through LM and LAD."""
    lesion_along_mm: float
    """Where the stenosis is narrowest, mm along ``course``."""
    lesion_mm: Triple
    """The same place in RAS+."""


def demo_case() -> DemoCase:
    """Both hearts, made anew from their seeds (a few seconds)."""
    heart = digital_heart(TARGET_SEED, settings=HEALTHY)
    tree = STENOSIS.apply(heart.trees["left"])
    course = tree.path_to("LAD")
    narrowest = tree.branch("LAD").point_at(STENOSIS.centre_mm)
    along, _ = nearest_along(course, narrowest)
    i, j, k = (float(v) for v in narrowest)
    return DemoCase(with_left_tree(heart, tree), _template(), tree, course, along, (i, j, k))


def with_left_tree(heart: Heart, tree: VesselGraph) -> LabelMap:
    """The heart's mask with its left coronary lumen drawn again after ``tree``; what the lumen leaves is unlabelled."""
    aorta, left, right = (CARDIAC.named(name).value for name in ("aorta", "left coronary tree", "right coronary tree"))
    labels = heart.mask.voxels.copy()
    distance, _ = paint_distance(tree, heart.geometry, REACH_MM)
    near_right = ndimage.binary_dilation(labels == right, np.ones((3, 3, 3), bool))
    lumen = lumen_on_grid(tree, distance, heart.geometry, labels == aorta, near_right)
    labels[labels == left] = 0
    labels[lumen] = left
    return LabelMap(labels, heart.geometry, heart.mask.scheme)


def _template() -> Template:
    """Another heart, scanned with an appearance of the training domain, in whole HU as a file would hold it."""
    heart = digital_heart(TEMPLATE_SEED, settings=HEALTHY)
    rng = np.random.default_rng(APPEARANCE_SEED)
    scan = render(heart, draw_appearance(rng), rng).noisy
    whole_hu = Volume(np.rint(scan.voxels), scan.geometry)
    return Template(ImageMaskPair(whole_hu, heart.mask), f"digital-heart-{TEMPLATE_SEED}")
