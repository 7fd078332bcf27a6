"""Room: a new mask's grid is wide enough for the warp, but a cut by the field of view stays a cut."""

import numpy as np
from mgm_hearts import ball

from StructDiffCore.domain import CARDIAC, Geometry, LabelMap
from StructDiffCore.mgm.generate import make_mask
from StructDiffCore.mgm.recipe import Recipe
from StructDiffCore.mgm.reference import ROOM_MM, Reference
from StructDiffCore.mgm.warp import WarpRecipe


def of_shape(inside):
    return Reference.prepared(LabelMap(inside.astype(np.uint8) * 2, Geometry(inside.shape), CARDIAC), {})


def test_a_ball_that_touches_every_border_gets_room_on_all_sides():
    reference = of_shape(ball((41, 41, 41), (20, 20, 20), 20))
    room = reference.roomy
    assert room.shape == (41 + 2 * int(ROOM_MM),) * 3
    np.testing.assert_allclose(room.to_index(reference.mask.geometry.origin), ROOM_MM)
    made = make_mask([reference], Recipe(WarpRecipe(3, sd_mm=4.0)))
    border = made.mask.voxels.copy()
    border[1:-1, 1:-1, 1:-1] = 0
    assert not border.any()


def test_a_border_that_cuts_stays_where_it_is():
    reference = of_shape(ball((41, 41, 41), (4, 20, 20), 14))
    assert reference.roomy.shape[0] < 41 + int(ROOM_MM)
    np.testing.assert_allclose(reference.roomy.to_index(reference.mask.geometry.origin)[0], 0)


def test_a_heart_that_stays_keeps_its_grid():
    reference = of_shape(ball((41, 41, 41), (20, 20, 20), 18))
    made = make_mask([reference], Recipe(WarpRecipe(0, sd_mm=0.0)))
    assert made.mask.geometry.same_as(reference.mask.geometry)
