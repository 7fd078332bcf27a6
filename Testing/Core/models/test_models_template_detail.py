"""Template detail: lung vessels and bone reach the prior, noise and what belongs to a label stay behind."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage

from StructDiffCore.domain import CARDIAC
from StructDiffCore.models.conditioning import condition_source, template_codes
from StructDiffCore.models.template_detail import LEAST_HU, SMOOTHING_MM, template_detail

SPACING = (0.8, 0.8, 0.8)
SHAPE = (56, 48, 40)
X, Y, Z = np.indices(SHAPE)
LUNG_VESSEL = np.hypot(X - 8, Y - 12) < 1.8
RIB = (np.abs(X - 50) < 2) & (Y > 30)
STERNUM = (X > 44) & (Y < 10)
"""Larger than the rib and less dense: one median cannot paint both."""
VESSEL_AT = {"here": (30, 12), "there": (30, 34)}


def a_vessel(place):
    return np.hypot(X - VESSEL_AT[place][0], Y - VESSEL_AT[place][1]) < 2


def calcium_at(place):
    return (np.abs(X - VESSEL_AT[place][0] - 3) < 1) & (np.abs(Y - VESSEL_AT[place][1]) < 2) & (np.abs(Z - 20) < 4)


def a_template(noise_hu=12.0):
    """Lung with a bright vessel, fat with a rib; a ventricle (3) and, "here", a coronary (8) with calcium beside it."""
    hu, labels = np.where(X < 18, -850.0, -90.0), np.zeros(SHAPE, np.uint8)
    labels[(X - 36) ** 2 + (Y - 24) ** 2 + (Z - 20) ** 2 < 49] = 3
    labels[a_vessel("here")] = 8
    for where, tissue in (
        (labels == 3, 380),
        (labels == 8, 400),
        (LUNG_VESSEL, 350),
        (RIB, 900),
        (STERNUM, 420),
        (calcium_at("here"), 800),
    ):
        hu[where] = tissue
    clean = ndimage.gaussian_filter(hu, 0.6)
    return (clean + np.random.default_rng(0).normal(0, noise_hu, SHAPE)).astype(np.float32), labels


def a_source(target_vessel="here", covered=None, noise_hu=12.0):
    image, labels = a_template(noise_hu)
    target = np.where(labels == 8, 0, labels)
    target[a_vessel(target_vessel)] = 8
    codes = template_codes(image, labels, SPACING, CARDIAC.thin_values)
    return condition_source(target.astype(np.uint8), image, labels, codes, SPACING, scheme=CARDIAC, covered=covered)


@pytest.fixture(scope="module")
def source():
    return a_source()


def test_nothing_changes_unless_it_is_asked_for(source):
    assert source.detail_hu is None
    detailed = source.with_template_detail()
    assert_allclose(detailed.prior() - source.prior(), detailed.detail_hu, atol=1e-3)
    for name in ("template_hu", "template_prior_hu", "thin_distance_mm", "slots"):
        assert_array_equal(getattr(detailed.crop((0, 0, 0), SHAPE), name), getattr(source.crop((0, 0, 0), SHAPE), name))


@pytest.mark.parametrize("thing", [LUNG_VESSEL, RIB], ids=["lung vessel", "rib"])
def test_what_the_two_bright_classes_cannot_paint_reaches_the_prior(source, thing):
    image, _ = a_template()
    painted, detailed = source.prior(), source.with_template_detail().prior()
    assert np.abs(image - painted)[thing].mean() > 120
    assert np.abs(image - detailed)[thing].mean() < 60


def test_noise_is_left_to_the_network(source):
    plain = (np.abs(X - 36) < 4) & (Y > 36) & (np.abs(Z - 20) < 15) & ~RIB
    assert (source.with_template_detail().detail_hu[plain] == 0).mean() > 0.99


@pytest.mark.parametrize("covered", [np.ones(SHAPE, bool), X > 40], ids=["whole", "a quarter known"])
def test_in_a_loud_template_detail_must_stand_out_of_the_noise_that_is_seen(covered):
    plain = (X > 43) & (Y > 14) & (Y < 27) & (Z > 3)
    loud = a_source(covered=covered, noise_hu=90.0).with_template_detail()
    assert np.std(loud.detail_hu[plain]) < 0.45 * 90


def test_labels_of_target_and_template_are_painted_as_before():
    detail = a_source("there").with_template_detail().detail_hu
    _, labels = a_template()
    for labelled in (labels > 0, a_vessel("there")):
        assert not detail[ndimage.binary_dilation(labelled)].any()


def test_calcium_goes_where_its_vessel_goes():
    calcium = ndimage.binary_erosion(calcium_at("here"), np.ones((1, 3, 3))) & (X > 33)
    calcium |= (X == 33) & (np.abs(Y - 12) < 2) & (np.abs(Z - 20) < 3)
    stays, moved = (a_source(place).with_template_detail().detail_hu[calcium] for place in ("here", "there"))
    assert np.abs(stays).mean() > 100
    assert not moved.any()


def test_nothing_is_known_beyond_the_templates_field():
    covered = X > 20
    detail = a_source(covered=covered).with_template_detail().detail_hu
    assert not detail[~covered].any()
    assert detail[covered].any()


def test_a_crop_carries_the_same_detail(source):
    detailed = source.with_template_detail()
    for start, shape in [((2, 6, 4), (16, 16, 16)), ((40, 24, 16), (16, 24, 24))]:
        box = tuple(slice(s, s + n) for s, n in zip(start, shape))
        added = detailed.crop(start, shape).prior_hu - source.crop(start, shape).prior_hu
        assert_allclose(added, detailed.detail_hu[box], atol=1e-3)
        assert np.abs(added).max() > 100


@given(
    misfit=hnp.arrays(np.float32, (9, 8, 7), elements=st.floats(-1500, 1500, width=32)),
    context=hnp.arrays(bool, (9, 8, 7)),
    spacing=st.tuples(*[st.floats(0.3, 3)] * 3),
)
@settings(max_examples=60, deadline=None)
def test_detail_stays_in_its_context_and_never_exceeds_the_misfit(misfit, context, spacing):
    detail = template_detail(misfit, context, spacing)
    smooth = ndimage.gaussian_filter(misfit, SMOOTHING_MM / np.array(spacing), mode="nearest", truncate=3.0)
    assert not detail[~context].any()
    assert (np.abs(detail) <= np.abs(smooth) + 1e-2).all()
    if np.abs(smooth).max() < LEAST_HU:
        assert not detail.any()


def test_an_empty_context_has_no_detail(source):
    alone = replace(source, known=np.zeros(SHAPE, bool)).with_template_detail()
    assert not alone.detail_hu.any()
