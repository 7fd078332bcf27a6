"""Growth: the rank queue, structures grown from a seed or a core, labels that respect each other."""

import heapq

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy.ndimage import gaussian_filter, label
from skimage.measure import euler_number

from StructDiffCore.topology.growth import AT_GROUP, grow, grown, grown_from
from StructDiffCore.topology.homotopy import Rules
from StructDiffCore.topology.rank_queue import empty_queue, pop, push
from StructDiffCore.topology.simple_points import OFFSETS, is_simple, neighbourhood

TOUCH = np.ones((3, 3, 3), bool)


def betti(structure):
    """(b0, b1, b2) by scikit-image and scipy."""
    padded = np.pad(structure, 1)
    pieces, cavities = label(padded, TOUCH)[1], label(~padded)[1] - 1
    return pieces, pieces + cavities - euler_number(padded, connectivity=3), cavities


def noise(seed, shape=(14, 13, 12), sigma=1.0):
    return gaussian_filter(np.random.default_rng(seed).standard_normal(shape), sigma)


@pytest.mark.parametrize("size", [1, 63, 64, 65, 4096, 4097, 300_000])
def test_the_rank_queue_hands_out_the_smallest_like_a_heap(size):
    rng = np.random.default_rng(size)
    words, first = empty_queue(size)
    heap, held = [], set()
    assert pop(words, first) == -1
    for _ in range(1500):
        if rng.uniform() < 0.6:
            rank = int(rng.integers(size))
            push(words, first, rank)
            if rank not in held:
                heapq.heappush(heap, rank)
                held.add(rank)
        else:
            expected = heapq.heappop(heap) if heap else -1
            held.discard(expected)
            assert pop(words, first) == expected


@settings(max_examples=25, derandomize=True, deadline=None)
@given(st.integers(0, 10**6))
def test_what_grows_from_one_voxel_is_one_piece_without_loop_or_cavity(seed):
    depth = noise(seed)
    candidates = depth < 0.1
    start = tuple(int(n) for n in np.unravel_index(depth.argmin(), depth.shape))
    found = grown(candidates, depth, start)
    assert found[start]
    assert not (found & ~candidates).any()
    assert betti(found) == (1, 0, 0)


@settings(max_examples=25, derandomize=True, deadline=None)
@given(st.integers(0, 10**6))
def test_what_grows_from_a_core_has_the_cores_own_topology(seed):
    depth = noise(seed, sigma=1.5)
    core = depth < np.quantile(depth, 0.2)
    found = grown_from(core, depth < np.quantile(depth, 0.6), depth)
    assert (found | ~core).all()
    assert betti(found) == betti(core)


def test_growth_takes_the_voxels_that_a_plain_search_by_rank_takes():
    depth = noise(5)
    candidates = depth < 0.15
    start = tuple(int(n) for n in np.unravel_index(depth.argmin(), depth.shape))
    assert_array_equal(grown(candidates, depth, start), searched(candidates, depth, start))


def searched(candidates, depth, start):
    """Best-first growth written plainly with a sorted list."""
    where = np.argwhere(candidates)
    rank = {tuple(v): n for n, v in enumerate(where[np.argsort(depth[tuple(where.T)], kind="stable")].tolist())}
    found, waiting, first = np.zeros(np.array(candidates.shape) + 2, np.uint8), {rank[start]: start}, True
    while waiting:
        voxel = waiting.pop(min(waiting))
        at = tuple(n + 1 for n in voxel)
        if not (first or is_simple(neighbourhood(found, *at))):
            continue
        found[at], first = 1, False
        for other in (tuple(int(a + b) for a, b in zip(voxel, step)) for step in OFFSETS):
            if other in rank and not found[tuple(n + 1 for n in other)]:
                waiting[rank[other]] = other
    return found[1:-1, 1:-1, 1:-1].astype(bool)


def test_a_ring_of_candidates_stays_open():
    candidates = np.zeros((9, 9, 3), bool)
    candidates[1:8, 1:8, 1], candidates[2:7, 2:7, 1] = True, False
    found = grown(candidates, np.arange(candidates.size).reshape(candidates.shape), (1, 1, 1))
    assert betti(found) == (1, 0, 0)
    assert (candidates & ~found).sum() == 1


def test_a_vessel_begins_only_where_it_touches_its_trunk():
    voxels, wish = np.zeros((12, 7, 7), np.uint8), np.zeros((12, 7, 7), np.uint8)
    voxels[1:4, 2:5, 2:5] = 6
    wish[4:10, 3, 3] = 8
    free = np.ravel_multi_index(np.array([[9, 3, 3], [4, 3, 3]]).T, wish.shape)
    grow(voxels, wish, np.ones_like(wish), Rules.of([(6, 8)]), {8: free}, AT_GROUP)
    assert (voxels[4:10, 3, 3] == 8).all()
    assert betti(np.isin(voxels, (6, 8))) == (1, 0, 0)


def test_labels_that_must_not_touch_keep_a_voxel_between_them():
    voxels, wish = np.zeros((12, 5, 5), np.uint8), np.zeros((12, 5, 5), np.uint8)
    wish[1:6, 2, 2], wish[6:11, 2, 2] = 8, 9
    seeds = {value: np.array([np.ravel_multi_index((at, 2, 2), wish.shape)]) for value, at in ((8, 1), (9, 10))}
    grow(voxels, wish, np.ones_like(wish), Rules.of(apart=[(8, 9)]), seeds)
    assert (voxels[1:11, 2, 2] == 0).sum() == 1
