"""Thinning never changes topology, and leaves curves where there were tubes."""

import numpy as np
from scipy import ndimage

from StructDiffCore.topology.betti import Betti, betti_numbers
from StructDiffCore.topology.simple_points import is_simple, neighbourhood
from StructDiffCore.topology.thinning import centreline, ends


def blobs(count):
    rng = np.random.default_rng(11)
    for _ in range(count):
        smooth = ndimage.gaussian_filter(rng.normal(size=rng.integers(5, 20, 3)), 1.2)
        yield smooth > np.quantile(smooth, rng.uniform(0.3, 0.9))


def test_thinning_keeps_the_betti_numbers_of_every_blob():
    for blob in blobs(150):
        thin = centreline(blob)
        assert betti_numbers(thin) == betti_numbers(blob)
        assert not (thin & ~blob).any()


def test_a_point_is_simple_exactly_when_its_neighbours_are_one_contractible_piece():
    rng = np.random.default_rng(5)
    for _ in range(1000):
        block = rng.random((3, 3, 3)) < rng.uniform(0.1, 0.95)
        block[1, 1, 1] = False
        assert is_simple(neighbourhood(block.astype(np.uint8), 1, 1, 1)) == (betti_numbers(block) == Betti(1, 0, 0))


def a_bar():
    bar = np.zeros((30, 9, 9), bool)
    bar[2:28, 2:7, 2:7] = True
    return bar


def test_a_bar_becomes_a_line_with_two_ends():
    line = centreline(a_bar())
    assert len(ends(line)) == 2
    assert 20 <= line.sum() <= 30


def test_a_ring_stays_a_ring():
    ring = np.zeros((15, 15, 5), bool)
    ring[2:13, 2:13, 1:4] = True
    ring[5:10, 5:10, 1:4] = False
    line = centreline(ring)
    assert betti_numbers(line) == Betti(1, 1, 0)
    assert line.sum() < 50
