"""Distances against SciPy, and by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import ndimage

from StructDiffCore.measures.distance import distance_to, from_nearest, nearest_seed, signed_distance


@settings(max_examples=25, derandomize=True, deadline=None)
@given(st.tuples(*[st.integers(1, 9)] * 3), st.tuples(*[st.floats(0.3, 3)] * 3), st.integers(0, 2**32 - 1), st.floats(0.02, 0.9))
def test_the_distance_is_scipys(shape, spacing, seed, share):
    seeds = np.random.default_rng(seed).random(shape) < share
    seeds.flat[0] = True
    assert_allclose(distance_to(seeds, spacing), ndimage.distance_transform_edt(~seeds, sampling=spacing), atol=1e-4)


def test_hidden_voxels_take_the_value_of_the_nearest_seen_one_and_all_others_keep_theirs():
    values = np.array([1, 2, 3, 4, 5, 6, 7]).reshape(7, 1, 1)
    hidden = np.array([0, 0, 1, 1, 1, 0, 0], bool).reshape(7, 1, 1)
    seen = np.array([1, 0, 0, 0, 0, 1, 0], bool).reshape(7, 1, 1)
    assert from_nearest(values, hidden, seen).ravel().tolist() == [1, 2, 1, 6, 6, 6, 7]


def test_the_value_is_that_of_a_nearest_seed():
    rng = np.random.default_rng(0)
    values = rng.integers(1, 100, (9, 10, 11))
    seeds = rng.random(values.shape) < 0.05
    nearest = nearest_seed(seeds, values, (0.5, 1.0, 1.5))
    where = np.argwhere(seeds)
    for voxel in [(0, 0, 0), (4, 5, 6), (8, 9, 10), (3, 0, 9)]:
        distance = np.linalg.norm((where - voxel) * (0.5, 1.0, 1.5), axis=1)
        ties = where[np.isclose(distance, distance.min())]
        assert nearest.value[voxel] in {values[tuple(t)] for t in ties}


def test_without_seeds_everything_is_infinitely_far():
    nearest = nearest_seed(np.zeros((3, 4, 5), bool), np.ones((3, 4, 5), int), (1, 1, 1))
    assert np.isinf(nearest.distance_mm).all()
    assert (nearest.value == 0).all()


def test_the_signed_distance_of_a_slab_is_zero_at_its_faces():
    mask = np.zeros((1, 1, 9), bool)
    mask[..., 3:6] = True
    assert signed_distance(mask, (1, 1, 1))[0, 0] == pytest.approx([2.5, 1.5, 0.5, -0.5, -1.5, -0.5, 0.5, 1.5, 2.5])
