"""Confidence of a deviation: pool-adjacent-violators by hand, monotone by nature, kept apart from other weights."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from StructDiffCore.domain import Geometry, StructDiffError, Volume
from StructDiffCore.synthesis.confidence_fit import ConfidenceFit, pooled, read_fits, shipped_fit, write_fits


def a_fit():
    return ConfidenceFit.of_counts([1, 2, 3, 4], [10, 10, 10, 10], [0, 4, 2, 8], 50.0)


def test_violators_are_pooled_by_their_counts():
    assert_allclose(a_fit().confidence, [1.0, 0.7, 0.7, 0.2])
    assert_allclose(ConfidenceFit.of_counts([1, 2], [30, 10], [15, 0], 50.0).confidence, [0.625, 0.625])


def test_empty_bins_are_left_out_and_no_voxels_at_all_are_refused():
    assert_allclose(ConfidenceFit.of_counts([1, 2, 3], [5, 0, 5], [0, 0, 5], 50.0).deviation_hu, [1, 3])
    with pytest.raises(StructDiffError, match="no voxels"):
        ConfidenceFit.of_counts([1, 2], [0, 0], [0, 0], 50.0)


def test_a_map_is_straight_between_the_points_and_level_beyond():
    deviation = Volume(np.array([0.0, 1.5, 4.0, 900.0], np.float32).reshape(4, 1, 1), Geometry((4, 1, 1)))
    assert_allclose(a_fit().of(deviation).voxels.ravel(), [1.0, 0.85, 0.2, 0.2], rtol=1e-6)


@settings(max_examples=30, derandomize=True, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=12))
def test_more_deviation_is_never_more_confidence(counts):
    voxels = np.array([max(a, b) for a, b in counts])
    gross = np.array([min(a, b) for a, b in counts])
    if voxels.any():
        fit = ConfidenceFit.of_counts(np.arange(len(counts)), voxels, gross, 50.0)
        assert (np.diff(fit.confidence) <= 1e-12).all()
        assert voxels @ np.interp(np.arange(len(counts)), fit.deviation_hu, 1 - fit.confidence) == pytest.approx(gross.sum())


def test_fits_come_back_from_their_file_and_only_for_their_weights(tmp_path):
    path = tmp_path / "fits.json"
    write_fits(path, {"tails": a_fit()}, "abc", steps=10, cases=3)
    assert_allclose(read_fits(path, "abc", 10)["tails"].confidence, a_fit().confidence)
    assert read_fits(path, "other", 10) == read_fits(path, "abc", 6) == {}
    assert read_fits(tmp_path / "absent.json", "abc", 10) == {}
    assert json.loads(path.read_text())["cases"] == 3


def test_a_damaged_file_and_a_rising_curve_are_refused(tmp_path):
    path = tmp_path / "fits.json"
    path.write_text('{"weights_sha256": "abc", "steps": 10, "fits": {"tails": {}}}')
    with pytest.raises(StructDiffError, match="no confidence fits"):
        read_fits(path, "abc", 10)
    with pytest.raises(StructDiffError, match="must fall"):
        ConfidenceFit(50.0, np.array([1.0, 2.0]), np.array([0.1, 0.5]))


def test_weights_that_were_never_measured_have_no_fit():
    assert shipped_fit("no such weights", 10, "trajectory") is None


def test_counts_of_cases_add_up():
    voxels, gross = pooled([([1, 2], [0, 1]), ([3, 4], [1, 1])])
    assert_allclose(voxels, [4, 6])
    assert_allclose(gross, [1, 2])
