"""Confidence of a deviation: pool-adjacent-violators by hand, monotone by nature, kept apart from other weights."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from StructDiffCore.config.resources import resources_folder
from StructDiffCore.config.settings import SynthesisSettings
from StructDiffCore.domain import Geometry, StructDiffError, Volume
from StructDiffCore.synthesis.confidence_fit import FITS, ConfidenceFit, Measured, pooled, read_fits, shipped_fit, write_fits
from StructDiffCore.synthesis.error_head import SHIPPED_HEAD, TrainedHead
from StructDiffCore.synthesis.measured_at import MeasuredAt


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


AT = MeasuredAt("abc", "ddim", 10, 0.8)


def test_fits_come_back_from_their_file(tmp_path):
    path = tmp_path / "fits.json"
    write_fits(path, {"tails": Measured(a_fit())}, AT, cases=3, head_sha256="head")
    assert_allclose(read_fits(path, AT)["tails"].fit.confidence, a_fit().confidence)
    assert read_fits(tmp_path / "absent.json", AT) == {}
    told = json.loads(path.read_text())
    assert (told["cases"], told["head_sha256"], told["measured_at"]["temperature"]) == (3, "head", 0.8)


@pytest.mark.parametrize("other", [{"weights_sha256": "else"}, {"sampler": "euler"}, {"steps": 6}, {"temperature": 1.0}])
def test_samples_made_otherwise_have_no_fits(tmp_path, other):
    write_fits(tmp_path / "fits.json", {"tails": Measured(a_fit())}, AT, cases=3)
    assert read_fits(tmp_path / "fits.json", replace(AT, **other)) == {}


def test_a_damaged_file_and_a_rising_curve_are_refused(tmp_path):
    path = tmp_path / "fits.json"
    path.write_text(json.dumps({"measured_at": AT.as_dict(), "fits": {"tails": {}}}))
    with pytest.raises(StructDiffError, match="no confidence fits"):
        read_fits(path, AT)
    path.write_text('{"weights_sha256": "abc", "steps": 10, "fits": {}}')
    with pytest.raises(StructDiffError, match="no confidence fits"):
        read_fits(path, AT)
    with pytest.raises(StructDiffError, match="must fall"):
        ConfidenceFit(50.0, np.array([1.0, 2.0]), np.array([0.1, 0.5]))


def test_weights_that_were_never_measured_have_no_fit():
    assert shipped_fit(replace(AT, weights_sha256="no such weights"), "trajectory") is None


def test_a_record_tells_what_its_sample_was_made_at_and_an_incomplete_one_nothing():
    record = {"weights_sha256": "abc", "settings": SynthesisSettings(sampler="ddim", steps=10, temperature=0.8).as_dict()}
    assert MeasuredAt.of_record(record) == AT
    assert MeasuredAt.of_record({"settings": {"steps": 10}}) is None
    assert MeasuredAt.of_record({"generator": "renderer"}) is None


def test_the_shipped_fits_and_the_shipped_head_were_made_from_the_same_samples():
    models = resources_folder() / "Models"
    told = json.loads((models / FITS).read_text())
    head = TrainedHead.load(models / SHIPPED_HEAD)
    assert MeasuredAt.from_dict(told["measured_at"]) == head.trained_at
    assert told["head_sha256"] == head.sha256
    assert set(read_fits(models / FITS, head.trained_at)) >= {"head", "trajectory"}


def test_counts_of_cases_add_up():
    voxels, gross = pooled([([1, 2], [0, 1]), ([3, 4], [1, 1])])
    assert_allclose(voxels, [4, 6])
    assert_allclose(gross, [1, 2])
