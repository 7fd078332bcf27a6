"""Generate: a recipe becomes a proved mask, or is refused with the reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.domain import Geometry, LabelMap, StructDiffError
from StructDiffCore.vessels.graph import VesselGraph

from .draw import DrawSettings, draw_recipe
from .lumens import Course
from .proof import Claim, Proof, prove
from .realise import realised
from .recipe import PartialRecipe, Recipe
from .reference import Reference
from .transplant import transplanted
from .warp import Warp

TRIES = 8
"""Recipes drawn for one mask before the module gives up."""
ALIKE = 0.98
"""A mask whose overlap (Dice over all labels) with an earlier one is higher counts as a copy."""


@dataclass(frozen=True, eq=False)
class NewMask:
    """A mask with its trees, its recipe and its proof."""

    mask: LabelMap
    trees: Mapping[int, VesselGraph]
    recipe: Recipe
    proof: Proof
    displacement_mm: float
    """Mean over the reference's labelled voxels."""
    refused: tuple[str, ...] = ()
    """Why recipes drawn before this one were dropped."""

    @cached_property
    def small(self) -> NDArray[np.uint8]:
        """Every fourth voxel, for comparing masks."""
        return np.ascontiguousarray(self.mask.voxels[::4, ::4, ::4])


def make_mask(references: Sequence[Reference], recipe: Recipe) -> NewMask:
    """The mask of a recipe, voxel for voxel the same every time, with its proof (which may fail)."""
    reference = _chosen(references, recipe.reference)
    geometry = _grid(reference, recipe)
    warp = Warp.from_recipe(recipe.warp, *reference.box_mm())
    own, courses = _courses(references, recipe, warp)
    labels, wishes = realised(reference, own.roles, warp, courses, geometry)
    trees = {value: course.after for value, course in courses.items()}
    scheme = reference.mask.scheme
    claim = Claim(
        labels, geometry, scheme, own.roles, own.contract, trees, wishes, own.volumes_ml(recipe.warp.size), warp.least_jacobian
    )
    moved = warp.mean_displacement_mm(_some_points(reference))
    return NewMask(LabelMap(labels, geometry, scheme), trees, recipe, prove(claim), moved)


def _chosen(references: Sequence[Reference], number: int) -> Reference:
    if not 0 <= number < len(references):
        raise StructDiffError(f"the recipe asks for reference {number}", f"there are {len(references)}, numbered from 0")
    return references[number]


def _grid(reference: Reference, recipe: Recipe) -> Geometry:
    geometry = reference.mask.geometry
    return geometry if recipe.spacing_mm is None else geometry.with_spacing(recipe.spacing_mm)


def _courses(references: Sequence[Reference], recipe: Recipe, warp: Warp) -> tuple[Reference, dict[int, Course]]:
    """The reference that the new mask answers to, and every tree before and after edits, both carried by the warp."""
    own = _chosen(references, recipe.reference)
    if recipe.trees_from is not None and recipe.trees_from != recipe.reference:
        own = transplanted(own, _chosen(references, recipe.trees_from))
    edited = dict(own.trees)
    for edit in recipe.edits:
        if edit.tree not in edited:
            has = ", ".join(str(value) for value in edited) or "none"
            raise StructDiffError(f"the mask has no vessel label {edit.tree} for a {edit.kind}", f"vessel labels: {has}")
        edited[edit.tree] = edit.apply(edited[edit.tree], own.epicardium if own.heart else None)
    carried = {value: (tree.moved(warp.carried), edited[value].moved(warp.carried)) for value, tree in own.trees.items()}
    return own, {value: Course(before, after, own.lumens.get(value)) for value, (before, after) in carried.items()}


def _some_points(reference: Reference) -> NDArray[np.float64]:
    index = np.argwhere(reference.ground[::4, ::4, ::4]) * 4
    return reference.geometry.to_world(index[:: max(1, len(index) // 2000)])


def new_masks(
    references: Sequence[Reference],
    count: int,
    seed: int = 0,
    settings: DrawSettings | None = None,
    fixed: PartialRecipe | None = None,
) -> Iterator[NewMask]:
    """``count`` proved masks, none a copy of another; a recipe whose proof fails is drawn again, at most ``TRIES`` times."""
    if count < 1:
        raise StructDiffError(f"{count} masks were asked for", "give a count of 1 or more")
    earlier: list[NewMask] = []
    for number in range(count):
        mask = _proved(references, np.random.default_rng([seed, number]), settings or DrawSettings(), fixed, earlier)
        earlier.append(mask)
        yield mask


def _proved(
    references: Sequence[Reference],
    rng: np.random.Generator,
    settings: DrawSettings,
    fixed: PartialRecipe | None,
    earlier: Sequence[NewMask],
) -> NewMask:
    refused: list[str] = []
    for _ in range(TRIES):
        recipe = draw_recipe(references, settings, rng)
        drawn_only = fixed is None
        if fixed is not None:
            recipe = fixed.completed(recipe)
        try:
            mask = make_mask(references, recipe)
        except StructDiffError as error:
            if not drawn_only:
                raise
            refused.append(error.fact)
            continue
        reason = mask.proof.broken[0] if not mask.proof.holds else _copied(mask, earlier)
        if not reason:
            return NewMask(mask.mask, mask.trees, recipe, mask.proof, mask.displacement_mm, tuple(refused))
        refused.append(reason)
    raise StructDiffError(
        f"no mask out of {TRIES} recipes passed its proof (last: {refused[-1]})",
        "use a weaker warp, fewer edits or a finer spacing",
    )


def _copied(mask: NewMask, earlier: Sequence[NewMask]) -> str:
    for number, other in enumerate(earlier):
        if other.small.shape == mask.small.shape and overlap(mask.small, other.small) > ALIKE:
            return f"the mask is a copy of mask {number}"
    return ""


def overlap(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Dice over all labels of two maps on one grid."""
    both = int(((one == other) & (one != 0)).sum())
    return 2 * both / max(1, int((one != 0).sum()) + int((other != 0).sum()))
