"""Blends: registration between references, and hearts that go a part of the way to another."""

from functools import cache

import numpy as np
import pytest
from independent_checker import faults
from mgm_hearts import CARDIAC_GROUPS, a_digital_reference, a_toy, ball

from StructDiffCore.domain import CARDIAC, Geometry, LabelMap, StructDiffError
from StructDiffCore.mgm.blend import blend_between, can_blend
from StructDiffCore.mgm.draw import DrawSettings
from StructDiffCore.mgm.generate import make_mask, new_masks
from StructDiffCore.mgm.recipe import PartialRecipe, Recipe
from StructDiffCore.mgm.reference import Reference
from StructDiffCore.mgm.transplant import shared_frame
from StructDiffCore.mgm.warp import WarpRecipe
from StructDiffCore.preprocess.log_demons import log_demons
from StructDiffCore.preprocess.velocity import exponential


@cache
def of_balls(radius, spread=12):
    """Three balls, the first of a given radius; on a grid of 1.5 mm."""
    mask = np.zeros((64, 60, 56), np.uint8)
    for value, centre, r in ((2, (32 - spread, 30, 28), radius), (4, (32 + spread, 30, 28), 8), (5, (32, 30 + 14, 40), 6)):
        mask[ball(mask.shape, centre, r)] = value
    return Reference.prepared(LabelMap(mask, Geometry(mask.shape, (1.5, 1.5, 1.5)), CARDIAC), {})


def test_a_small_ball_becomes_a_large_one_by_demons():
    index = np.stack(np.meshgrid(*[np.arange(32.0)] * 3, indexing="ij"))
    away = 4 * np.sqrt(((index - 15.5) ** 2).sum(axis=0)).astype(np.float32)
    velocity = log_demons([away - 28], [away - 20], np.ones_like(away), 4.0, 16.0)
    field = exponential(velocity, 4.0)
    surface = np.abs(away - 28) < 3
    source = index + field / 4.0
    found = 4 * np.sqrt(((source - 15.5) ** 2).sum(axis=0))[surface]
    assert abs(float(np.mean(found)) - 20) < 1.0
    steps = np.stack([np.stack(np.gradient(axis, 4.0)) for axis in field]) + np.eye(3)[:, :, None, None, None]
    assert np.linalg.det(np.moveaxis(steps, (0, 1), (-2, -1))).min() > 0.2


@pytest.mark.parametrize(("share", "least", "most"), [(0.0, 0.98, 1.02), (0.5, 1.1, 1.5), (1.0, 1.4, 2.1)])
def test_a_heart_goes_its_share_of_the_way(share, least, most):
    references = [of_balls(8), of_balls(10)]
    assert (references[1].mask.voxels == 2).sum() / (references[0].mask.voxels == 2).sum() > 1.8
    made = make_mask(references, Recipe(WarpRecipe(0, sd_mm=0.0, towards=1, share=share)))
    assert made.proof.checks[0].holds
    assert least < (made.mask.voxels == 2).sum() / (references[0].mask.voxels == 2).sum() < most


def test_a_blend_is_recorded_and_replayed_voxel_for_voxel():
    references = [of_balls(8), of_balls(10)]
    made = next(new_masks(references, 1, seed=4, settings=DrawSettings(warp_mm=(1.0, 1.5), blend_chance=1.0)))
    recipe = made.recipe.as_dict()
    assert recipe["warp"]["towards"] == 1 - recipe["reference"]
    assert 0.2 <= recipe["warp"]["share"] <= 0.8
    blend_between.cache_clear()
    again = make_mask(references, Recipe.from_dict(recipe))
    np.testing.assert_array_equal(again.mask.voxels, made.mask.voxels)


def test_a_recipe_written_before_blends_draws_none():
    fixed = PartialRecipe.from_dict({"reference": 0, "warp": {"seed": 3, "sd_mm": 1.0}})
    made = next(new_masks([of_balls(8), of_balls(10)], 1, settings=DrawSettings(blend_chance=1.0), fixed=fixed))
    assert made.recipe.warp.towards is None


def test_masks_that_share_too_little_are_not_blended():
    toy, trees = a_toy()
    lone, balls = Reference.prepared(toy, trees), of_balls(8)
    assert not can_blend(lone, balls)
    assert not can_blend(balls, balls)
    with pytest.raises(StructDiffError, match="share three organs"):
        make_mask([balls, lone], Recipe(WarpRecipe(0, towards=1, share=0.5)))


@pytest.mark.parametrize("warp", [{"share": 0.5}, {"towards": 1, "share": 1.5}, {"towards": "B", "share": 0.5}])
def test_a_blend_that_cannot_be_is_refused(warp):
    with pytest.raises(StructDiffError):
        PartialRecipe.from_dict({"warp": warp})


def likeness(mask, other, frame, values):
    """Dice over some labels between a mask and another brought into its frame, on every third voxel."""
    matrix, offset = frame
    index = np.stack(np.meshgrid(*[np.arange(0, n, 3) for n in mask.geometry.shape], indexing="ij"), axis=-1).reshape(-1, 3)
    there = np.rint(other.geometry.to_index((mask.geometry.to_world(index) - offset) @ np.linalg.inv(matrix).T)).astype(int)
    inside = np.all((there >= 0) & (there < other.geometry.shape), axis=1)
    one, two = mask.voxels[tuple(index[inside].T)], other.voxels[tuple(there[inside].T)]
    return [2 * ((one == v) & (two == v)).sum() / ((one == v).sum() + (two == v).sum()) for v in values]


@pytest.mark.slow
def test_a_digital_heart_all_the_way_to_another_is_like_it_and_whole():
    references = [a_digital_reference(1), a_digital_reference(5)]
    frame = shared_frame(references[1], references[0])
    before = likeness(references[0].mask, references[1].mask, frame, (1, 3, 5))
    made = make_mask(references, Recipe(WarpRecipe(0, sd_mm=0.0, towards=1, share=1.0)))
    after = likeness(made.mask, references[1].mask, frame, (1, 3, 5))
    assert faults(made.mask.voxels, **CARDIAC_GROUPS) == []
    assert min(after) > 0.85
    assert np.all(np.array(after) > np.array(before) + 0.05)
