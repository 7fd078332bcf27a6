"""Organs that rightly have tunnels or shells keep them; holes of a voxel are dirt."""

import numpy as np
import pytest
from independent_checker import betti
from mgm_hearts import ball

from StructDiffCore.domain import CARDIAC, Geometry, LabelMap, StructDiffError
from StructDiffCore.mgm.generate import make_mask
from StructDiffCore.mgm.recipe import Recipe
from StructDiffCore.mgm.reference import Reference
from StructDiffCore.mgm.repair import repaired
from StructDiffCore.mgm.warp import WarpRecipe

SHAPE = (56, 54, 50)


def as_mask(voxels):
    return LabelMap(voxels, Geometry(SHAPE, (1.0, 1.0, 1.0)), CARDIAC)


def a_ring():
    """A right atrium like a thick ring."""
    i, j, k = np.indices(SHAPE)
    around = np.sqrt((i - 27) ** 2 + (j - 26) ** 2)
    return as_mask(np.where((around - 14) ** 2 + (k - 25) ** 2 <= 36, np.uint8(4), np.uint8(0)))


def a_shell():
    """A left atrium like a hollow ball."""
    return as_mask(np.where(ball(SHAPE, (27, 26, 25), 20) & ~ball(SHAPE, (27, 26, 25), 11), np.uint8(2), np.uint8(0)))


def a_tube():
    """Muscle cut open at its tip by the field of view: the ventricle lies free at both ends."""
    i, j, k = np.indices(SHAPE)
    around = np.sqrt((i - 27) ** 2 + (j - 26) ** 2)
    voxels = np.zeros(SHAPE, np.uint8)
    voxels[(around < 19) & (k >= 10) & (k < 40)] = 1
    voxels[(around < 10) & (k >= 10) & (k < 40)] = 3
    return as_mask(voxels)


@pytest.mark.parametrize(("mask", "value", "numbers"), [(a_ring, 4, (1, 1, 0)), (a_shell, 2, (1, 0, 1)), (a_tube, 1, (1, 1, 0))])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_new_mask_keeps_the_tunnel_or_shell(mask, value, numbers, seed):
    reference = Reference.prepared(mask(), {})
    assert betti(reference.mask.voxels == value) == numbers
    made = make_mask([reference], Recipe(WarpRecipe(seed, sd_mm=2.0)))
    assert betti(made.mask.voxels == value) == numbers
    assert made.proof.checks[0].holds
    assert made.displacement_mm > 1
    for other in made.mask.present:
        assert betti(made.mask.voxels == other) == (numbers if other == value else (1, 0, 0))


def test_a_tunnel_at_another_spacing_is_still_there():
    made = make_mask([Reference.prepared(a_tube(), {})], Recipe(WarpRecipe(4, sd_mm=1.5), spacing_mm=(0.8, 0.8, 1.2)))
    assert betti(made.mask.voxels == 1) == (1, 1, 0)
    assert betti(np.isin(made.mask.voxels, (1, 3))) == (1, 0, 0)


def test_a_hole_of_one_voxel_is_dirt_and_is_mended():
    voxels = a_ring().voxels.copy()
    voxels[41, 26, :] = 0
    with pytest.raises(StructDiffError, match="not clean"):
        Reference.prepared(as_mask(voxels), {})
    whole, report = repaired(as_mask(voxels))
    assert betti(whole.voxels == 4)[2] == 0
    assert report.labels[0].dice > 0.99


def test_a_wide_tunnel_outlives_a_repair():
    assert betti(repaired(a_tube())[0].voxels == 1) == (1, 1, 0)
