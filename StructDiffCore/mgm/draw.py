"""Draw: chance decides on a recipe, within ranges that keep a heart human."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from StructDiffCore.domain import StructDiffError

from .blend import can_blend
from .draw_edits import TreeEdits, between, drawn_switch
from .edit import Edit
from .edits import Calibre
from .recipe import Recipe
from .reference import Reference
from .warp import WarpRecipe


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
    ectasia_chance: float = 0.12
    shorten_chance: float = 0.3
    lengthen_chance: float = 0.25
    move_chance: float = 0.3
    dominance_chance: float = 0.1
    """Per heart: the posterior branches change hands (right, left or balanced); nothing else of the trees changes but calibre."""
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
    warp = WarpRecipe(int(rng.integers(2**31)), between(settings.warp_mm, rng), size=between(settings.size, rng))
    warp = _blended(warp, references, number, settings, rng)
    edits: list[Edit] = []
    trees = references[donor if mixes else number].trees
    switch = drawn_switch(trees, rng) if references[number].heart and rng.uniform() < settings.dominance_chance else None
    if switch is not None:
        edits = [switch, *(Calibre(v, tree.branches[0].name, between(settings.calibre, rng)) for v, tree in trees.items())]
        return Recipe(warp, number, donor if mixes else None, tuple(edits))
    for value, tree in trees.items():
        edits += TreeEdits(value, tree, settings, rng, references[number].heart != ()).drawn()
    return Recipe(warp, number, donor if mixes else None, tuple(edits))


def _blended(
    warp: WarpRecipe, references: Sequence[Reference], number: int, settings: DrawSettings, rng: np.random.Generator
) -> WarpRecipe:
    """The warp, by chance with a share of the way to another reference; as it is where none shares the organs."""
    others = [n for n, other in enumerate(references) if can_blend(references[number], other)]
    if not others or rng.uniform() >= settings.blend_chance:
        return warp
    return replace(warp, towards=others[int(rng.integers(len(others)))], share=between(settings.blend_share, rng))
