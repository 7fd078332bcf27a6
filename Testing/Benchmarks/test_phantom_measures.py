"""The phantom page's measures against shapes whose answer is known."""

import numpy as np
import pytest
from phantom_measures import edge_widths, noise_spectrum
from scipy.ndimage import gaussian_filter

from StructDiffCore.measures.patches import FEATURES, patches
from StructDiffCore.measures.realism import area_under_curve, cross_validated

SPACING = np.array([0.8, 0.8, 0.8])


@pytest.mark.parametrize("sigma_mm", [0.8, 1.4])
def test_the_edge_width_of_a_blurred_lung_border_is_its_blur(sigma_mm):
    lung = np.full((60, 60, 20), -820.0, np.float32)
    lung[30:] = 0.0
    widths = edge_widths(gaussian_filter(lung, sigma_mm / 0.8), SPACING, np.random.default_rng(0))
    assert widths["lung"] == pytest.approx(sigma_mm, rel=0.12)
    assert np.isnan(widths["blood"])


def test_two_halves_of_one_noise_are_not_told_apart_and_two_noises_are():
    rng = np.random.default_rng(0)
    white = rng.normal(50, 20, (80, 80, 80)).astype(np.float32)
    smooth = gaussian_filter(rng.normal(0, 1, (80, 80, 80)), 1.0)
    blotchy = (50 + 20 * smooth / smooth.std()).astype(np.float32)

    def area(other: np.ndarray) -> float:
        first, second = (patches(image, SPACING, np.random.default_rng(n), 40) for n, image in enumerate((white, other)))
        real = np.r_[np.ones(len(first.kind), bool), np.zeros(len(second.kind), bool)]
        features = np.vstack([first.features, second.features])
        return cross_validated(features, real, np.r_[first.region, second.region]).area

    assert area(white) < 0.75
    assert area(blotchy) > 0.99


def test_the_noise_of_a_flat_field_is_measured():
    noise = np.random.default_rng(0).normal(60, 15, (96, 96, 12)).astype(np.float32)
    seen = noise_spectrum(noise, SPACING, 0.0, 140.0)
    assert seen.sigma_hu == pytest.approx(15.0, rel=0.06)
    assert np.nanstd(seen.power[1:14]) < 0.2 * np.nanmean(seen.power)


def test_the_area_under_the_curve_counts_ordered_pairs():
    assert area_under_curve(np.array([3.0, 1.0, 2.0]), np.array([True, False, False])) == 1.0
    assert area_under_curve(np.array([1.0, 1.0]), np.array([True, False])) == 0.5


def test_every_feature_has_a_name():
    image = np.random.default_rng(0).normal(60, 15, (40, 40, 40)).astype(np.float32)
    assert patches(image, SPACING, np.random.default_rng(0), 5).features.shape == (5, len(FEATURES))
