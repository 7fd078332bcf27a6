"""Draw: chance decides on a recipe, within ranges that keep a heart human."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from StructDiffCore.domain import StructDiffError
from StructDiffCore.vessels.graph import VesselGraph

from .blend import can_blend
from .edit import Edit
from .edits import Calibre, Graft, Prune, Shorten, Stenosis, Tortuosity
from .recipe import Recipe
from .reference import Reference
from .warp import WarpRecipe

KEPT = ("lm", "lad", "lcx", "rca")
"""Main vessels, never pruned (by name; the longest way of an unnamed tree likewise)."""
SIDE_SHARE = 0.75
"""An unnamed side branch may be pruned when it is shorter than this part of its tree's longest branch."""

STUB_MM = 8.0
"""Pruning a shorter branch only frays its parent's wall."""
LONG_MM = 10.0
"""Only longer branches are shortened."""


@dataclass(frozen=True)
class DrawSettings:
    """How far new masks go from their references; chances are per tree."""

    warp_mm: tuple[float, float] = (2.4, 4.2)
    """Standard deviation of the velocity per axis."""
    size: tuple[float, float] = (0.93, 1.07)
    calibre: tuple[float, float] = (0.9, 1.15)
    tortuosity_mm: tuple[float, float] = (0.0, 1.0)
    most_pruned: int = 2
    graft_chance: float = 0.4
    stenosis_chance: float = 0.35
    shorten_chance: float = 0.3
    mix_chance: float = 0.0
    """Chance that the trees come from another reference."""
    blend_chance: float = 0.5
    """Chance that the heart goes a part of the way to another reference's shape, where there is one."""
    blend_share: tuple[float, float] = (0.2, 0.8)

    def __post_init__(self) -> None:
        for low, high in (self.warp_mm, self.size, self.calibre, self.tortuosity_mm, self.blend_share):
            if not low <= high:
                raise StructDiffError(f"a range from {low} to {high} is empty", "give the lower end first")


def draw_recipe(references: Sequence[Reference], settings: DrawSettings, rng: np.random.Generator) -> Recipe:
    """One recipe for any of the references."""
    number = int(rng.integers(len(references)))
    donor = int(rng.integers(len(references)))
    mixes = rng.uniform() < settings.mix_chance and donor != number and bool(references[donor].trees)
    warp = WarpRecipe(int(rng.integers(2**31)), _between(settings.warp_mm, rng), size=_between(settings.size, rng))
    warp = _blended(warp, references, number, settings, rng)
    edits: list[Edit] = []
    for value, tree in references[donor if mixes else number].trees.items():
        edits += _tree_edits(value, tree, settings if references[number].heart else replace(settings, graft_chance=0.0), rng)
    return Recipe(warp, number, donor if mixes else None, tuple(edits))


def _blended(
    warp: WarpRecipe, references: Sequence[Reference], number: int, settings: DrawSettings, rng: np.random.Generator
) -> WarpRecipe:
    """The warp, by chance with a share of the way to another reference; as it is where none shares the organs."""
    others = [n for n, other in enumerate(references) if can_blend(references[number], other)]
    if not others or rng.uniform() >= settings.blend_chance:
        return warp
    return replace(warp, towards=others[int(rng.integers(len(others)))], share=_between(settings.blend_share, rng))


def _tree_edits(value: int, tree: VesselGraph, settings: DrawSettings, rng: np.random.Generator) -> list[Edit]:
    root, tips = tree.branches[0].name, _side_branches(tree)
    rng.shuffle(tips)
    pruned = tips[: int(rng.integers(settings.most_pruned + 1))]
    left = [name for name in tips if name not in pruned]
    edits: list[Edit] = [Prune(value, name) for name in pruned]
    if left and tree.branch(left[-1]).length_mm > LONG_MM and rng.uniform() < settings.shorten_chance:
        edits.append(Shorten(value, left[-1], round(float(rng.uniform(0.15, 0.4)), 3)))
    edits.append(Calibre(value, root, _between(settings.calibre, rng)))
    stays = [branch for branch in tree.branches if branch.name not in pruned and branch.length_mm > 25]
    stays = [branch for branch in stays if not _springs_from(tree, branch.name, pruned)]
    for branch in stays:
        if branch.parent is not None:
            edits.append(Tortuosity(value, branch.name, _between(settings.tortuosity_mm, rng), int(rng.integers(2**31))))
    if stays and rng.uniform() < settings.stenosis_chance:
        branch = stays[int(rng.integers(len(stays)))]
        at = round(float(rng.uniform(0.2, 0.6) * branch.length_mm), 2)
        percent = round(float(rng.uniform(25, 60)), 1)
        edits.append(Stenosis(value, branch.name, at, round(float(rng.uniform(4, 14)), 1), percent))
    if stays and rng.uniform() < settings.graft_chance:
        branch = stays[int(rng.integers(len(stays)))]
        length, left_side = round(float(rng.uniform(14, 32)), 1), bool(rng.integers(2))
        at, seed = round(float(rng.uniform(0.25, 0.8)), 3), int(rng.integers(2**31))
        edits.append(Graft(value, branch.name, "graft", at, length, left_side, 0.6, seed))
    return edits


def _side_branches(tree: VesselGraph) -> list[str]:
    """Names of branches that may go: no main vessels, no stubs that lie in their parent's lumen; shorter than the longest."""
    longest = max(branch.length_mm for branch in tree.branches)
    return [
        branch.name
        for index, branch in enumerate(tree.branches)
        if branch.parent is not None
        and not tree.children[index]
        and branch.name.lower() not in KEPT
        and STUB_MM < branch.length_mm < SIDE_SHARE * longest
    ]


def _springs_from(tree: VesselGraph, name: str, names: Sequence[str]) -> bool:
    index = tree.index_of(name)
    while tree.branches[index].parent is not None:
        index = tree.branches[index].parent or 0
        if tree.branches[index].name in names:
            return True
    return False


def _between(span: tuple[float, float], rng: np.random.Generator) -> float:
    return round(float(rng.uniform(*span)), 4)
