"""The metrics of a confidence map against brute force, hand-drawn cases and what each is known to be blind to."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.stats import spearmanr

from StructDiffCore.evaluation.confidence_metrics import (
    auroc,
    ause,
    coverage,
    ence,
    partial_rank_correlation,
    sparsification,
)

RNG_SEED = 5


def heteroscedastic(voxels=4000):
    """A truthful deviation and errors drawn from it."""
    rng = np.random.default_rng(RNG_SEED)
    deviation = np.exp(rng.normal(2, 0.8, voxels))
    return deviation, rng.normal(0, deviation)


def test_auroc_of_four_voxels_is_counted_by_hand():
    assert auroc([1, 2, 3, 4], [0, 0, 1, 1]) == 1
    assert auroc([4, 3, 2, 1], [0, 0, 1, 1]) == 0
    assert auroc([1, 3, 2, 4], [0, 0, 1, 1]) == 0.75
    assert auroc([1, 1, 1, 1], [0, 0, 1, 1]) == 0.5
    assert np.isnan(auroc([1, 2], [0, 0]))


@settings(max_examples=30, derandomize=True, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=2, max_size=30))
def test_auroc_counts_pairs(voxels):
    score, event = np.array([v[0] for v in voxels]), np.array([v[1] for v in voxels])
    pairs = [(a > b) + 0.5 * (a == b) for a in score[event] for b in score[~event]]
    if pairs:
        assert auroc(score, event) == pytest.approx(np.mean(pairs))


def test_a_perfect_order_has_ause_0_whatever_its_scale():
    _, error = heteroscedastic()
    assert ause(np.abs(error), error) == pytest.approx(0, abs=1e-12)
    assert ause(np.abs(error) ** 3, error) == pytest.approx(0, abs=1e-12)


def test_ause_rises_from_perfect_over_truthful_and_even_to_reversed():
    deviation, error = heteroscedastic()
    even = ause(np.ones_like(error), error)
    assert 0 < ause(deviation, error) < even < ause(-np.abs(error), error)


def test_sparsification_of_ten_voxels_is_drawn_by_hand():
    curve = sparsification(np.arange(10), np.arange(10))
    assert_allclose(curve[[0, 50, 90]], [4.5, 2.0, 0.0])


def test_an_even_map_leaves_the_error_as_it_is():
    _, error = heteroscedastic()
    assert_allclose(sparsification(np.zeros(error.size), np.abs(error)), np.abs(error).mean())


def test_ause_is_blind_to_scale_and_ence_and_coverage_are_not():
    deviation, error = heteroscedastic()
    assert ause(deviation / 2, error) == pytest.approx(ause(deviation, error))
    assert ence(deviation, error) < 0.1 < 0.5 < ence(deviation / 2, error)
    assert coverage(deviation, error) == pytest.approx(0.95, abs=0.02)
    assert coverage(deviation / 2, error) == pytest.approx(0.673, abs=0.03)


def test_ence_of_two_bins_is_counted_by_hand(monkeypatch):
    monkeypatch.setattr("StructDiffCore.evaluation.confidence_metrics.BINS", 2)
    assert ence([1, 1, 2, 2], [1, -1, 3, 3]) == pytest.approx((0 + 0.5) / 2)


def test_even_a_perfect_deviation_has_a_rank_correlation_near_0_57():
    deviation, error = heteroscedastic(40000)
    alone = partial_rank_correlation(deviation, error, np.zeros(error.size), np.zeros(error.size))
    assert alone == pytest.approx(spearmanr(deviation, np.abs(error)).statistic, abs=1e-6)
    assert 0.4 < alone < 0.75


def test_a_map_that_only_knows_the_tissue_or_the_edge_has_no_partial_correlation():
    rng = np.random.default_rng(RNG_SEED)
    tissue, edge = rng.integers(0, 3, 20000), rng.random(20000)
    error = rng.normal(0, 1 + 10 * tissue + 5 * edge)
    noise = rng.normal(0, 0.01, 20000)
    for score in (tissue + noise, edge + noise):
        assert abs(partial_rank_correlation(score, error, tissue, edge)) < 0.03
    assert partial_rank_correlation(np.abs(error), error, tissue, edge) > 0.95


def test_nothing_that_varies_is_told_as_unknown():
    assert np.isnan(partial_rank_correlation([1, 1, 1], [1, 2, 3], [0, 0, 0], [1, 2, 3]))
    assert np.isnan(ause([1, 2], [0, 0]))
