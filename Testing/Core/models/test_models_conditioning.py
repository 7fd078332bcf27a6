"""Condition maps: what each says, that crops equal the whole, and how fast they are made."""

import time

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage, special

from StructDiffCore.domain import CARDIAC
from StructDiffCore.models.conditioning import build_condition, condition_source, template_codes
from StructDiffCore.models.painted_prior import paint_prior
from StructDiffCore.models.pseudo_labels import PSEUDO_BASE, PSEUDO_NAMES, pseudo_labels

SPACING = (0.8, 0.8, 1.0)
SHAPE = (48, 44, 40)


def a_scan(shift=0, seed=0, shape=SHAPE):
    """Lung, fat, soft tissue and an aorta (6) with a thin coronary (8)."""
    i, j, k = np.indices(shape)
    hu = np.where(i < shape[0] // 4, -850.0, np.where(i < 0.42 * shape[0], -90.0, 50.0))
    labels = np.zeros(shape, np.uint8)
    labels[(i - 0.6 * shape[0] - shift) ** 2 + (j - 0.5 * shape[1]) ** 2 < (shape[0] / 8) ** 2] = 6
    labels[((i - shape[0] / 3 - shift) ** 2 + (j - shape[1] / 3) ** 2 < 2.5) & (k > 5)] = 8
    hu[labels > 0] = 400
    rng = np.random.default_rng(seed)
    return (ndimage.gaussian_filter(hu, 0.75) + rng.normal(0, 15, shape)).astype(np.float32), labels


@pytest.fixture(scope="module")
def a_template():
    image, labels = a_scan()
    return image, labels, template_codes(image, labels, SPACING, CARDIAC.thin_values)


@pytest.fixture(scope="module")
def a_source(a_template):
    image, labels, codes = a_template
    return condition_source(a_scan(shift=4)[1], image, labels, codes, SPACING, scheme=CARDIAC)


def test_a_crop_of_the_source_is_the_crop_of_the_whole(a_source):
    whole = a_source.crop((0, 0, 0), SHAPE)
    for start, shape in [((10, 8, 6), (16, 16, 16)), ((0, 0, 0), (8, 8, 8)), ((40, 40, 32), (16, 8, 16))]:
        piece, expected = a_source.crop(start, shape), whole.crop(start, shape)
        for name in ("prior_hu", "edge_distance_mm", "thin_distance_mm", "template_hu", "template_prior_hu", "slots"):
            assert_allclose(getattr(piece, name), getattr(expected, name), atol=1e-3, err_msg=name)
            assert getattr(piece, name).shape == shape


def test_building_at_once_is_asking_the_source_for_everything(a_template, a_source):
    image, labels, codes = a_template
    built = build_condition(a_scan(shift=4)[1], image, labels, codes, SPACING, scheme=CARDIAC)
    assert_array_equal(built.prior_hu, a_source.crop((0, 0, 0), SHAPE).prior_hu)
    assert built.codes.dtype == np.float32
    assert built.slots.max() < len(built.codes)


def test_the_prior_is_painted_with_the_templates_medians(a_template, a_source):
    target = a_scan(shift=4)[1]
    prior = a_source.crop((0, 0, 0), SHAPE).prior_hu
    deep = ndimage.binary_erosion(target == 6, iterations=4)
    assert prior[deep].mean() == pytest.approx(a_template[2][6].median_hu, abs=3)
    assert prior[2, 2, 2] == pytest.approx(-850, abs=10)
    assert prior[-3, 2, 2] == pytest.approx(50, abs=10)


def test_a_flat_edge_of_the_prior_is_an_error_function():
    labels = np.zeros((21, 5, 5), int)
    labels[10:] = 1
    prior = paint_prior(labels, {0: 0.0, 1: 100.0}, (0.5, 0.5, 0.5), 0.8)
    depth = (np.arange(21) - 9.5) * 0.5
    assert_allclose(prior[:, 2, 2], 50 * (1 + special.erf(depth / 0.8 / np.sqrt(2))), atol=1.5)


def test_a_label_without_a_median_is_an_error():
    with pytest.raises(KeyError, match="7"):
        paint_prior(np.full((3, 3, 3), 7), {1: 0.0}, (1, 1, 1))


def test_distances_are_mm_to_borders_and_to_vessels(a_template):
    image, labels, codes = a_template
    target = np.zeros(SHAPE, np.uint8)
    target[24:] = 6
    target[10, 10, :] = 8
    maps = build_condition(target, image, labels, codes, SPACING, scheme=CARDIAC)
    assert maps.edge_distance_mm[24, 30, 20] == pytest.approx(0.8 * 0 + np.mean(SPACING) / 2)
    assert maps.edge_distance_mm[28, 30, 20] == pytest.approx(4 * 0.8 + np.mean(SPACING) / 2)
    assert maps.edge_distance_mm[47, 30, 20] == 8
    assert maps.thin_distance_mm[10, 10, 20] < 0
    assert maps.thin_distance_mm[15, 10, 20] == pytest.approx(5 * 0.8 - np.mean(SPACING) / 2)
    assert maps.thin_distance_mm[47, 43, 20] == 8


def test_the_template_is_hidden_where_it_is_not_known(a_template):
    image, labels, codes = a_template
    covered = np.ones(SHAPE, bool)
    covered[:, :10] = False
    maps = build_condition(labels, image, labels, codes, SPACING, scheme=CARDIAC, covered=covered)
    assert_array_equal(maps.template_hu[:, :10], maps.prior_hu[:, :10])
    assert_array_equal(maps.template_hu[:, 10:], image[:, 10:])
    assert_array_equal(maps.template_known, covered)
    dropped = build_condition(labels, image, labels, codes, SPACING, scheme=CARDIAC, drop_template=True)
    assert_array_equal(dropped.template_hu, dropped.prior_hu)
    assert_array_equal(dropped.template_prior_hu, dropped.prior_hu)
    assert dropped.template_known.max() == 0


def test_where_the_templates_own_label_lay_the_tissue_around_it_is_filled_in():
    image, labels = a_scan()
    pseudo = pseudo_labels(image, labels, SPACING)
    soft = PSEUDO_BASE + PSEUDO_NAMES.index("soft tissue")
    assert set(np.unique(pseudo[labels == 6])) == {soft}
    assert pseudo[2, 2, 2] == PSEUDO_BASE + PSEUDO_NAMES.index("lung")
    assert (pseudo >= PSEUDO_BASE).all()


def test_a_fully_labelled_template_leaves_soft_tissue():
    pseudo = pseudo_labels(np.zeros((6, 6, 6), np.float32), np.ones((6, 6, 6), int), SPACING)
    assert (pseudo == PSEUDO_BASE + PSEUDO_NAMES.index("soft tissue")).all()


def test_noise_does_not_speckle_the_pseudo_labels():
    rng = np.random.default_rng(0)
    image = (50 + rng.normal(0, 30, (40, 40, 40))).astype(np.float32)
    pseudo = pseudo_labels(image, np.zeros(image.shape, int), (0.8, 0.8, 0.8))
    assert (pseudo == PSEUDO_BASE + 3).mean() > 0.99


def test_a_template_label_the_target_does_not_use_stays_as_context(a_template):
    image, labels, codes = a_template
    target = np.zeros(SHAPE, np.uint8)
    target[5:9, 5:9, 5:9] = 8
    kept = build_condition(target, image, labels, codes, SPACING, scheme=CARDIAC)
    gone = build_condition(target, image, labels, codes, SPACING, scheme=CARDIAC, target_values=CARDIAC.values)
    deep = ndimage.binary_erosion(labels == 6, iterations=3)
    assert kept.prior_hu[deep].mean() == pytest.approx(400, abs=10)
    assert gone.prior_hu[deep].mean() == pytest.approx(50, abs=10)


def test_a_crop_with_margin_takes_little_processor_time():
    image, labels = a_scan(shape=(84, 84, 84))
    codes = template_codes(image, labels, (0.8, 0.8, 0.8), (8,))

    def build():
        began = time.process_time()
        build_condition(labels, image, labels, codes, (0.8, 0.8, 0.8), scheme=CARDIAC)
        return time.process_time() - began

    assert min(build() for _ in range(4)) < 0.2  # 0.065 s of processor time when the machine is free
