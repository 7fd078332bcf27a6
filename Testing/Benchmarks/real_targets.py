"""The questions of ``real_page.py``: real and modelled anatomy to be shown in the look of a real and of a drawn template."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from heart_around import AORTA, LEFT, RIGHT, main_ways, whole_heart

from StructDiffCore.config.resources import resources_folder
from StructDiffCore.domain import CARDIAC, LabelMap, Template
from StructDiffCore.evaluation.cases import REAL_IMAGE, REAL_MASK
from StructDiffCore.evaluation.warped_mask import warped_mask
from StructDiffCore.io.files import read_label_map, read_template, write_label_map
from StructDiffCore.io.schemes import load_scheme
from StructDiffCore.mgm.lumens import spine_of
from StructDiffCore.mgm.traced_tree import traced_trees
from StructDiffCore.preprocess.grids import resample_labels
from StructDiffCore.vessels.branch import Branch
from StructDiffCore.vessels.graph import VesselGraph

HRA = "hra_VH_F_heart_coronary_labels_0p5mm.nii.gz"
NARCO = "coronary_narco119_aorta1_lca2_rca3_0p4mm.nii.gz"
NARCO_PARTS = (1, 2, 3)
SCHEMES = Path(__file__).parents[1] / "Examples"
HRA_LOOKS_LIKE = {
    "thorax": {**dict.fromkeys((1, 2, 3, 4, 5, 6, 7, 8, 12, 13, 15), 1), 9: 3, 10: 2, 11: 2, 16: 3, 17: 3},
    "digital": {1: 1, 2: 1, 3: 3, 4: 5, 5: 2, 6: 4, 7: 1, 8: 1, 9: 6, 10: 7, 11: 2, 12: 4, 13: 4, 15: 4, 16: 8, 17: 9},
}
"""The real scan knows one heart label, the pulmonary artery and the aortic lumen (coronaries fill from it)."""
NARCO_LOOKS_LIKE = {"thorax": {**dict.fromkeys((1, 2, 3, 4, 5), 1), 6: 3, 7: 2, 8: 3, 9: 3}, "digital": None}
TWIG_MM = 12.0
"""Ends of a traced tree that are shorter come from bumps of its mask, not from vessels."""
WARP_MM = 4.0


@dataclass(frozen=True, eq=False)
class Target:
    """A mask with the rooted trees whose continuity is asked for, by side; none where the mask has no coronaries."""

    mask: LabelMap
    trees: Mapping[str, VesselGraph]


@dataclass(frozen=True, eq=False)
class Question:
    """A target to be shown in a template's look."""

    name: str
    target: Target
    template: Template
    looks_like: Mapping[int, int] | None


QUESTIONS = ("warped", "hra-thorax", "hra-digital", "narco-thorax", "narco-digital")


def question(name: str, folder: Path, out: Path, spacing_mm: float) -> Question:
    """One of ``QUESTIONS``; the heart made around narco119 is kept in ``out``."""
    thorax = read_template(folder / REAL_IMAGE, folder / REAL_MASK)
    if name == "warped":
        mask = warped_mask(thorax.pair.mask, WARP_MM, np.random.default_rng(1))
        return Question(name, Target(mask, {}), thorax, None)
    subject, look = name.split("-")
    template = thorax if look == "thorax" else digital_template()
    if subject == "hra":
        return Question(name, hra_target(folder, spacing_mm), template, HRA_LOOKS_LIKE[look])
    return Question(name, narco_target(folder, out, spacing_mm), template, NARCO_LOOKS_LIKE[look])


def digital_template() -> Template:
    folder = resources_folder() / "Templates" / "digital-heart"
    return read_template(folder / "image.nrrd", folder / "mask.seg.nrrd")


def hra_target(folder: Path, spacing_mm: float) -> Target:
    """The modelled whole heart; its trees are traced at 0.5 mm (of a tree in two pieces, the one at the root)."""
    left, right, aorta = 16, 17, 9
    whole = read_label_map(folder / HRA, load_scheme(SCHEMES / "scheme-hra-heart.json"))
    trees = traced_trees(whole)
    mask = resample_labels(whole, whole.geometry.with_spacing((spacing_mm,) * 3))
    kept = {value: without_twigs(trees[value]) for value in (left, right)}
    return Target(threaded(mask, kept, aorta), {"left": kept[left], "right": kept[right]})


def narco_target(folder: Path, out: Path, spacing_mm: float) -> Target:
    """The segmented coronaries and aorta in a digital heart bent around them; trees traced at 0.4 mm."""
    vessels = read_label_map(folder / NARCO, load_scheme(SCHEMES / "scheme-narco119.json"))
    _, left, right = NARCO_PARTS
    trees = {value: without_twigs(tree) for value, tree in traced_trees(vessels).items()}
    kept = out / f"narco119-in-a-heart-{spacing_mm:g}mm.seg.nrrd"
    if not kept.exists():
        write_label_map(whole_heart(vessels, NARCO_PARTS, trees, spacing_mm), kept)
    mask = threaded(read_label_map(kept, CARDIAC), {LEFT: trees[left], RIGHT: trees[right]}, AORTA)
    return Target(mask, {"left": left_named(trees[left]), "right": right_named(trees[right])})


def threaded(mask: LabelMap, trees: Mapping[int, VesselGraph], trunk: int) -> LabelMap:
    """The mask with the voxels along every tree's centreline in its label: a coarser grid tears vessels of about its spacing."""
    voxels = mask.voxels.copy()
    for value, tree in trees.items():
        spine = spine_of(tree, mask.geometry)
        voxels[tuple(spine[voxels[tuple(spine.T)] != trunk].T)] = value
    return LabelMap(voxels, mask.geometry, mask.scheme)


def without_twigs(tree: VesselGraph) -> VesselGraph:
    """The tree without end branches shorter than ``TWIG_MM``, taken off until none is left."""
    twigs = [index for index in tree.tip_branches if index and tree.branches[index].length_mm < TWIG_MM]
    if not twigs:
        return tree
    kept = [index for index in range(len(tree.branches)) if index not in twigs]
    place = {old: new for new, old in enumerate(kept)}
    branches = [tree.branches[index] for index in kept]
    renumbered = [b if b.parent is None else replace(b, parent=place[b.parent]) for b in branches]
    return without_twigs(VesselGraph(tuple(renumbered), tree.root_mm))


def left_named(tree: VesselGraph) -> VesselGraph:
    """The two longest branches called LAD and LCx: without chambers nothing else names them."""
    lad, lcx = (way.name for way in main_ways(tree))
    return _renamed(tree, {lad: "LAD", lcx: "LCx"})


def right_named(tree: VesselGraph) -> VesselGraph:
    longest = max(tree.branches, key=lambda branch: branch.length_mm)
    return _renamed(tree, {longest.name: "RCA"})


def _renamed(tree: VesselGraph, names: Mapping[str, str]) -> VesselGraph:
    branches: tuple[Branch, ...] = tuple(replace(branch, name=names.get(branch.name, branch.name)) for branch in tree.branches)
    return VesselGraph(branches, tree.root_mm)
