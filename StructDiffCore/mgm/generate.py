"""Generate: a recipe becomes a proved mask, or is refused with the reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from StructDiffCore.domain import Geometry, LabelMap, StructDiffError
from StructDiffCore.vessels.graph import VesselGraph

from .blend import blend_between
from .breaks import Break, Ground
from .contract import Contract, Roles
from .declared import broken_mask
from .draw import DrawSettings, draw_recipe
from .faults import draw_break
from .lumens import Course, lumen_wish
from .proof import Claim, Proof, prove
from .realise import realised
from .recipe import PartialRecipe, Recipe
from .reference import Reference
from .transplant import transplanted
from .warp import Warp

Floats = NDArray[np.float64]
TRIES = 16
"""Recipes drawn for one mask before the module gives up."""
BREAK_TRIES = 12
"""Faults drawn for one mask before the module gives up."""
MARGIN_MM = 8.0
"""Room around the carried points that stand for the heart (every fourth voxel of it, vessel radii)."""
VESSEL_MARGIN_MM = 2.0
"""A new grid ends no nearer to a vessel's lumen."""
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
    contract: Contract
    """What it keeps; with breaks: what it kept before them."""
    roles: Roles
    refused: tuple[str, ...] = ()
    """Why recipes drawn before this one were dropped."""

    @cached_property
    def small(self) -> NDArray[np.uint8]:
        """Every fourth voxel, for comparing masks."""
        return np.ascontiguousarray(self.mask.voxels[::4, ::4, ::4])


def make_mask(references: Sequence[Reference], recipe: Recipe) -> NewMask:
    """The mask of a recipe, voxel for voxel the same every time, with its proof (which may fail)."""
    reference = _chosen(references, recipe.reference)
    warp = _warp(references, recipe)
    own, courses, ends = _courses(references, recipe, warp)
    whole = _grid(reference, recipe, courses)
    points = _some_points(reference)
    box = _needed_box(warp.carried(points), courses, whole)
    geometry = whole.cropped(tuple(side.start for side in box), tuple(side.stop - side.start for side in box))
    wishes = {value: lumen_wish(course, warp, geometry) for value, course in courses.items()}
    labels = realised(reference, own.roles, warp, wishes, geometry)
    trees = {value: course.after for value, course in courses.items()}
    scheme, volumes = reference.mask.scheme, _expected_volumes(own.volumes_ml(recipe.warp.size), courses)
    claim = Claim(
        labels, geometry, scheme, own.roles, own.contract, trees, wishes, volumes, warp.least_jacobian, ends, own.measures
    )
    voxels = np.zeros(whole.shape, np.uint8)
    voxels[box] = labels
    moved = warp.mean_displacement_mm(points[:: max(1, len(points) // 2000)])
    mask = LabelMap(voxels, whole, scheme)
    made = NewMask(mask, trees, replace(recipe, breaks=()), prove(claim), moved, own.contract, own.roles)
    return made if not recipe.breaks else with_breaks(made, recipe.breaks)


def with_breaks(clean: NewMask, breaks: tuple[Break, ...]) -> NewMask:
    """A good mask with faults laid into it; its proof says that they are what they declare, and the only ones."""
    mask, proof = broken_mask(clean.mask, _ground(clean), clean.contract, breaks)
    recipe = replace(clean.recipe, breaks=breaks)
    return replace(clean, mask=mask, recipe=recipe, proof=Proof(clean.proof.checks + proof.checks))


def _ground(clean: NewMask) -> Ground:
    return Ground(clean.mask.voxels.astype(np.uint8), clean.mask.geometry, clean.roles, clean.trees)


def with_drawn_breaks(clean: NewMask, count: int, rng: np.random.Generator) -> NewMask:
    """A good mask with ``count`` faults that chance chose; those that fail their proof are drawn again (bounded)."""
    refused: list[str] = []
    for _ in range(BREAK_TRIES):
        try:
            made = with_breaks(clean, tuple(draw_break(_ground(clean), rng) for _ in range(count)))
        except StructDiffError as error:
            refused.append(error.fact)
            continue
        if made.proof.holds:
            return replace(made, refused=clean.refused + tuple(refused))
        refused.append(made.proof.broken[0])
    raise StructDiffError(
        f"no faults out of {BREAK_TRIES} draws passed their proof (last: {refused[-1]})",
        "ask for fewer faults or give them in a recipe",
    )


def _expected_volumes(volumes_ml: Mapping[int, float], courses: Mapping[int, Course]) -> dict[int, float]:
    """Volumes of the reference, those of vessels as their edits change the tubes along their centrelines."""
    change = {value: _tubes(course.after) / max(_tubes(course.before), 1e-9) for value, course in courses.items()}
    return {value: ml * change.get(value, 1.0) for value, ml in volumes_ml.items()}


def _tubes(tree: VesselGraph) -> float:
    """Volume in mm3 of all branches as tubes."""
    return float(sum(np.pi * np.trapezoid(branch.radii_mm**2, branch.arclength_mm) for branch in tree.branches))


def _needed_box(organs_mm: Floats, courses: Mapping[int, Course], geometry: Geometry) -> tuple[slice, slice, slice]:
    """The part of the grid that the carried heart (n, 3) and its vessels need."""
    trees = [branch.points_mm for course in courses.values() for branch in course.after.branches]
    index = geometry.to_index(np.concatenate([organs_mm, *trees]))
    margin = np.ceil(MARGIN_MM / np.asarray(geometry.spacing)) + 2
    low = np.clip(np.floor(index.min(axis=0) - margin), 0, np.array(geometry.shape) - 1).astype(int)
    high = np.clip(np.ceil(index.max(axis=0) + margin), low + 1, geometry.shape).astype(int)
    i, j, k = (slice(int(a), int(b)) for a, b in zip(low, high))
    return i, j, k


def _chosen(references: Sequence[Reference], number: int) -> Reference:
    if not 0 <= number < len(references):
        raise StructDiffError(f"the recipe asks for reference {number}", f"there are {len(references)}, numbered from 0")
    return references[number]


def _warp(references: Sequence[Reference], recipe: Recipe) -> Warp:
    """The recipe's warp: its own smooth field, and its share of the way to another reference."""
    reference, towards = _chosen(references, recipe.reference), recipe.warp.towards
    way = None if towards is None else blend_between(reference, _chosen(references, towards)).velocity_at
    return Warp.from_recipe(recipe.warp, *reference.box_mm(), way)


def _grid(reference: Reference, recipe: Recipe, courses: Mapping[int, Course]) -> Geometry:
    """The reference's grid, with room for the warp and all vessels unless the heart stays in place; at the recipe's spacing."""
    geometry = _holding(reference.roomy, courses) if recipe.warp.moves else reference.mask.geometry
    return geometry if recipe.spacing_mm is None else geometry.with_spacing(recipe.spacing_mm)


def _holding(geometry: Geometry, courses: Mapping[int, Course]) -> Geometry:
    """The grid, widened where a vessel would leave it."""
    low, high = np.zeros(3), np.asarray(geometry.shape) - 1.0
    for course in courses.values():
        for branch in course.after.branches:
            index = geometry.to_index(branch.points_mm)
            margin = (float(branch.radii_mm.max()) + VESSEL_MARGIN_MM) / np.asarray(geometry.spacing)
            low, high = np.minimum(low, index.min(axis=0) - margin), np.maximum(high, index.max(axis=0) + margin)
    first, last = np.floor(low).astype(int), np.ceil(high).astype(int)
    shape = tuple(int(n) for n in last - first + 1)
    return geometry.cropped(tuple(int(n) for n in first), shape)  # type: ignore[arg-type]


def _courses(references: Sequence[Reference], recipe: Recipe, warp: Warp) -> tuple[Reference, dict[int, Course], dict[int, int]]:
    """The reference that the new mask answers to, every tree before and after edits (carried), and the ends it has to have."""
    own = _chosen(references, recipe.reference)
    if recipe.trees_from is not None and recipe.trees_from != recipe.reference:
        own = transplanted(own, _chosen(references, recipe.trees_from))
    edited = dict(own.trees)
    ends = {value: len(tree.tip_branches) for value, tree in own.trees.items()}
    for edit in recipe.edits:
        before, edited = edited, edit.changed(edited, own)
        for value, more in edit.more_ends(before).items():
            ends[value] += more
    carried = {value: (tree.moved(warp.carried), edited[value].moved(warp.carried)) for value, tree in own.trees.items()}
    return own, {value: Course(before, after, own.lumens.get(value)) for value, (before, after) in carried.items()}, ends


def _some_points(reference: Reference) -> Floats:
    """Points (n, 3) all over the reference's organs, every fourth voxel."""
    index = np.argwhere(reference.ground[::4, ::4, ::4]) * 4
    if len(index) == 0:
        index = np.argwhere(reference.ground)
    return reference.geometry.to_world(index)


def new_masks(
    references: Sequence[Reference],
    count: int,
    seed: int = 0,
    settings: DrawSettings | None = None,
    fixed: PartialRecipe | None = None,
    faults: int = 0,
) -> Iterator[NewMask]:
    """``count`` proved masks, none a copy of another; a recipe whose proof fails is drawn again, at most ``TRIES`` times.

    With ``faults``, each proved mask gets so many declared breaks afterwards.
    """
    if count < 1:
        raise StructDiffError(f"{count} masks were asked for", "give a count of 1 or more")
    if fixed is not None and fixed.whole and count > 1:
        raise StructDiffError(f"{count} masks were asked for, but the recipe leaves nothing to chance", "give --count 1")
    earlier: list[NDArray[np.uint8]] = []
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        mask = _proved(references, rng, settings or DrawSettings(), fixed, earlier)
        earlier.append(mask.small)
        yield mask if not faults else with_drawn_breaks(mask, faults, rng)


def _proved(
    references: Sequence[Reference],
    rng: np.random.Generator,
    settings: DrawSettings,
    fixed: PartialRecipe | None,
    earlier: Sequence[NDArray[np.uint8]],
) -> NewMask:
    refused: list[str] = []
    tries = 1 if fixed is not None and fixed.whole else TRIES
    for _ in range(tries):
        recipe = draw_recipe(references, settings, rng)
        try:
            mask = make_mask(references, recipe if fixed is None else fixed.completed(recipe))
        except StructDiffError as error:
            if fixed is not None:
                raise
            refused.append(error.fact)
            continue
        reason = mask.proof.broken[0] if not mask.proof.holds else _copied(mask, earlier)
        if not reason:
            return replace(mask, refused=tuple(refused))
        refused.append(reason)
    raise StructDiffError(
        f"no mask out of {tries} recipe(s) passed its proof (last: {refused[-1]})",
        "use a weaker warp, fewer edits or a finer spacing",
    )


def _copied(mask: NewMask, earlier: Sequence[NDArray[np.uint8]]) -> str:
    for number, other in enumerate(earlier):
        if other.shape == mask.small.shape and overlap(mask.small, other) > ALIKE:
            return f"the mask is a copy of mask {number}"
    return ""


def overlap(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Dice over all labels of two maps on one grid."""
    both = int(((one == other) & (one != 0)).sum())
    return 2 * both / max(1, int((one != 0).sum()) + int((other != 0).sum()))
