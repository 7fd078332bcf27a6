"""Noise and edges read back from images whose noise and blur are known."""

import json
from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import ndimage

from StructDiffCore.domain import StructDiffError
from StructDiffCore.measures.edges import edge_widths, point_spread_mm
from StructDiffCore.measures.noise import NoiseModel, fit_noise

SHAPE = (80, 84, 72)


@pytest.fixture
def three_regions():
    labels = np.full(SHAPE, 1)
    labels[40:] = 2
    labels[((np.indices(SHAPE) - 38) ** 2).sum(0) < 17**2] = 3
    return labels, ndimage.gaussian_filter(np.choose(labels, (0, -90, 60, 400)).astype(np.float32), 0.8)


def coloured_noise(sigma_vox, seed=0, amplitude=20.0):
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(SHAPE), sigma_vox)
    return (amplitude * noise / noise.std()).astype(np.float32)


@pytest.mark.parametrize("sigma", [(0, 0, 0), (0.8, 0.8, 0.4)])
def test_the_amplitude_is_read_whatever_the_colour(three_regions, sigma):
    labels, image = three_regions
    model = fit_noise(image + coloured_noise(sigma), labels, (0.8, 0.8, 0.8))
    assert model.amplitude_hu == pytest.approx(20, rel=0.06)


def test_the_spectrum_is_that_of_the_noise(three_regions):
    labels, image = three_regions
    noise = coloured_noise((0.8, 0.8, 0.4))
    model = fit_noise(image + noise, labels, (0.8, 0.8, 0.8))
    power = np.abs(np.fft.fftn(noise)) ** 2
    first, second = (np.fft.fftfreq(n, 0.8) for n in SHAPE[:2])
    radius = np.hypot(first[:, None], second[None])
    edges = np.array([0.1, 0.25, 0.4, 0.6])
    rings = [(radius >= low) & (radius < high) for low, high in pairwise(edges)]
    true = [np.sqrt(power[ring].sum()) / power.size for ring in rings]
    assert_allclose(model.band_amplitudes(edges), true, rtol=0.2)


def test_noise_that_grows_outwards_has_a_positive_law(three_regions):
    labels, image = three_regions
    i, j, _ = (np.indices(SHAPE) - np.array(SHAPE).reshape(3, 1, 1, 1) / 2) * 0.8
    gain = np.exp(4 * (i**2 + j**2) / 1e4)
    model = fit_noise(image + gain * coloured_noise((0, 0, 0)), labels, (0.8, 0.8, 0.8))
    assert model.plane_law == pytest.approx(4, rel=0.35)
    assert abs(model.axial_law) < 1


def test_a_textured_region_is_not_taken_for_noise(three_regions):
    labels, image = three_regions
    texture = np.where(labels == 3, coloured_noise((1.5, 1.5, 1.5), seed=5, amplitude=60), 0)
    model = fit_noise(image + coloured_noise((0, 0, 0), amplitude=10) + texture, labels, (0.8, 0.8, 0.8))
    assert "3" not in model.region_amplitude_hu
    assert model.amplitude_hu == pytest.approx(10, rel=0.08)


def test_a_noise_model_survives_json(three_regions):
    labels, image = three_regions
    model = fit_noise(image + coloured_noise((0, 0, 0)), labels, (0.8, 0.8, 0.8))
    assert NoiseModel.from_dict(json.loads(json.dumps(model.as_dict()))) == model


def test_a_mask_too_small_to_read_noise_in_is_refused():
    labels = np.zeros((20, 20, 20), int)
    labels[8:11, 8:11, 8:11] = 1
    with pytest.raises(StructDiffError, match="no region"):
        fit_noise(np.zeros(labels.shape, np.float32), labels, (1, 1, 1))


def test_a_picture_without_noise_is_refused_as_that(three_regions):
    labels, _ = three_regions
    with pytest.raises(StructDiffError, match="no noise") as refused:
        fit_noise(np.choose(labels, (0, -90, 60, 400)).astype(np.float32), labels, (0.8, 0.8, 0.8))
    assert "reconstructed" in refused.value.remedy


@pytest.mark.parametrize("spacing", [(0.8, 0.8, 0.8), (0.5, 0.6, 1.25)])
@pytest.mark.parametrize("sigma_mm", [0.6, 1.0])
def test_the_edge_of_a_ball_has_the_width_of_its_blur(spacing, sigma_mm):
    from scipy.special import erf

    rng = np.random.default_rng(0)
    shape = tuple(int(44 / s) for s in spacing)
    place = np.moveaxis(np.indices(shape), 0, -1) * spacing - np.array([21.7, 22.1, 21.9])
    depth = np.linalg.norm(place, axis=-1) - 13
    image = -90 + 200 * (1 - erf(depth / sigma_mm / np.sqrt(2))) + rng.normal(0, 15, shape)
    jagged = (depth + rng.normal(0, 0.2, shape) < 0).astype(int)
    edges = edge_widths(image.astype(np.float32), jagged, spacing)
    assert edges[1].sigma_mm == pytest.approx(sigma_mm, rel=0.1)
    assert edges[1].width_mm == pytest.approx(2.563 * sigma_mm, rel=0.1)
    assert point_spread_mm(edges.values()) == edges[1].sigma_mm


def test_a_label_without_contrast_has_no_edge():
    labels = np.zeros((30, 30, 30), int)
    labels[8:22, 8:22, 8:22] = 1
    assert edge_widths(np.zeros(labels.shape, np.float32), labels, (1, 1, 1)) == {}
    assert point_spread_mm([]) == 0.6
