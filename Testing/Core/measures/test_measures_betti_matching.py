"""Betti matching: closed forms against persistent homology, and cases that can be drawn."""

import numpy as np
import pytest

from StructDiffCore.measures.betti_errors import betti_error, betti_matching_error
from StructDiffCore.measures.loop_matching import _cells, _lasting_loops, unmatched_loops
from StructDiffCore.topology.betti import Betti, betti_numbers


def pairs_of_masks(count, size=6):
    rng = np.random.default_rng(13)
    for _ in range(count):
        density = rng.uniform(0.1, 0.9)
        shape = tuple(rng.integers(3, size + 1, 3))
        yield rng.random(shape) < density, rng.random(shape) < density


def ranks_in_union(one, other):
    """Rank of H_k(one) -> H_k(one | other) for k = 0, 1, 2 by gudhi."""
    gudhi = pytest.importorskip("gudhi")
    birth = np.where(np.pad(one, 1), 0.0, np.where(np.pad(one | other, 1), 1.0, 2.0))
    cells = gudhi.CubicalComplex(top_dimensional_cells=birth)
    cells.compute_persistence()
    return [*cells.persistent_betti_numbers(0.0, 1.0), 0, 0, 0][:3]


def test_lasting_loops_equal_gudhis_persistent_betti_number():
    for one, other in pairs_of_masks(40):
        assert _lasting_loops(_cells(one), _cells(other)) == ranks_in_union(one, other)[1]


def test_a_mask_matches_itself_and_nothing_else_needs_to():
    nothing = np.zeros((6, 6, 6), bool)
    for mask, _ in pairs_of_masks(40):
        betti = betti_numbers(mask)
        itself, empty = betti_matching_error(mask, mask), betti_matching_error(mask, np.zeros_like(mask))
        assert (itself.b0, unmatched_loops(mask, mask), itself.b2) == (0, 0, 0)
        assert (empty.b0, unmatched_loops(mask, np.zeros_like(mask)), empty.b2) == (betti.b0, betti.b1, betti.b2)
    assert betti_matching_error(nothing, nothing).b0 == 0


def test_matched_features_never_exceed_what_lasts_into_the_union():
    for one, other in pairs_of_masks(40):
        a, b = betti_numbers(one), betti_numbers(other)
        error = betti_matching_error(one, other)
        for k, unmatched in ((0, error.b0), (1, unmatched_loops(one, other)), (2, error.b2)):
            total = (a.b0, a.b1, a.b2)[k] + (b.b0, b.b1, b.b2)[k]
            matched, rest = divmod(total - unmatched, 2)
            assert rest == 0
            assert 0 <= matched <= min(ranks_in_union(one, other)[k], ranks_in_union(other, one)[k])


def a_ring(shift):
    ring = np.zeros((12, 12, 3), bool)
    ring[1 + shift : 6 + shift, 1 + shift : 6 + shift, 1] = True
    ring[2 + shift : 5 + shift, 2 + shift : 5 + shift, 1] = False
    return ring


def test_equal_numbers_in_other_places_are_a_matching_error_but_no_betti_error():
    here, there = a_ring(0), a_ring(6)
    assert betti_error(here, there) == Betti(0, 0, 0)
    assert betti_matching_error(here, there).b0 == 2
    assert unmatched_loops(here, there) == 2
    assert unmatched_loops(here, a_ring(0) | a_ring(6)) == 1


def test_a_cavity_in_the_same_place_is_matched_though_it_has_another_size():
    small, large, elsewhere = (np.ones((9, 9, 9), bool) for _ in range(3))
    small[4, 4, 4] = False
    large[3:6, 3:6, 3:6] = False
    elsewhere[1, 1, 1] = False
    assert betti_matching_error(small, large).b2 == 0
    assert betti_matching_error(small, elsewhere).b2 == 2
