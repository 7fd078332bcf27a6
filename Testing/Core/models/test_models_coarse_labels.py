"""Coarse labels: a heart drawn as one label of muscle and blood is split; even labels and noise are not."""

import numpy as np
import pytest

from StructDiffCore.models.coarse_labels import MOST_PARTS, PART_BASE, inherited_parts, part_borders, part_labels, source_of
from StructDiffCore.models.conditioning import build_condition, template_codes

SPACING = (1.0, 1.0, 1.0)
MUSCLE, BLOOD = PART_BASE + MOST_PARTS * 3, PART_BASE + MOST_PARTS * 3 + 1


def a_heart(shift=0, noise_hu=20.0):
    """A ball of blood (450 HU) in a wall of muscle (110 HU), both label 3, in fat; label 5 is an even block."""
    i, j, k = np.indices((48, 48, 48))
    distance = np.sqrt((i - 24 - shift) ** 2 + (j - 22) ** 2 + (k - 24) ** 2)
    image = np.select([distance < 10, distance < 16], [450.0, 110.0], -90.0)
    labels = np.where(distance < 16, 3, 0)
    image[:, 40:], labels[:, 40:] = 300.0, 5
    noise = np.random.default_rng(1).normal(0, noise_hu, image.shape)
    return (image + noise).astype(np.float32), labels.astype(np.int32), distance


def test_a_heart_of_muscle_and_blood_is_split_between_the_two_and_an_even_block_is_not():
    image, labels, _ = a_heart()
    borders = part_borders(image, labels, SPACING)
    assert list(borders) == [3]
    assert len(borders[3]) == 1
    assert 150 < borders[3][0] < 410


@pytest.mark.parametrize("noise_hu", [0.0, 60.0, 200.0])
def test_noise_alone_splits_nothing(noise_hu):
    image, labels, _ = a_heart(noise_hu=noise_hu)
    assert 5 not in part_borders(image, labels, SPACING)


def test_thin_labels_stay_whole():
    image, labels, _ = a_heart()
    assert part_borders(image, labels, SPACING, thin_values=(3,)) == {}


def test_parts_are_the_tissues_and_say_whose_they_are():
    image, labels, distance = a_heart()
    parts = part_labels(image, labels, part_borders(image, labels, SPACING), SPACING)
    assert np.mean(parts[distance < 8] == BLOOD) > 0.99
    assert np.mean(parts[(distance > 12) & (labels == 3)] == MUSCLE) > 0.95
    assert source_of(MUSCLE) == source_of(BLOOD) == 3
    np.testing.assert_array_equal(parts[labels != 3], labels[labels != 3])


def test_a_moved_heart_inherits_muscle_and_blood_from_the_template():
    image, labels, _ = a_heart()
    target = a_heart(shift=3)[1]
    borders = part_borders(image, labels, SPACING)
    codes = template_codes(image, labels, SPACING, borders=borders)
    split = build_condition(target, image, labels, codes, SPACING, borders=borders)
    whole = build_condition(target, image, labels, template_codes(image, labels, SPACING), SPACING)
    heart = target == 3
    assert np.ptp(np.percentile(split.prior_hu[heart], (10, 90))) > 300
    assert np.ptp(np.percentile(whole.prior_hu[heart], (20, 80))) < 60
    np.testing.assert_array_equal(split.prior_hu[target == 5][:50], whole.prior_hu[target == 5][:50])


def test_a_wall_and_a_chamber_that_look_like_one_heart_label_take_one_part_each():
    image, labels, _ = a_heart()
    parts = part_labels(image, labels, part_borders(image, labels, SPACING), SPACING)
    distance = a_heart(shift=2)[2]
    target = np.select([distance < 10, distance < 16], [11, 12], 0)
    inherited = inherited_parts(target, parts, {11: 3, 12: 3}, SPACING)
    assert set(np.unique(inherited[target == 11])) == {BLOOD}
    assert set(np.unique(inherited[target == 12])) == {MUSCLE}
    assert not inherited[target == 0].any()
