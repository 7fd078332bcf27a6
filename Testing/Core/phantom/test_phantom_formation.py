"""CT formation against things that can be counted: means, transfer functions, noise spectra, partial volume."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from StructDiffCore.domain import Geometry
from StructDiffCore.phantom.appearance import Appearance, Motion, PointSpread, draw_appearance
from StructDiffCore.phantom.formation import render, transfer
from StructDiffCore.phantom.noise import NOISE_SPECTRA, Noise, frequencies, sample_noise
from StructDiffCore.phantom.texture import Texture
from StructDiffCore.phantom.tissues import Tissue


@dataclass
class Block:
    """A body of two materials: what render() needs and nothing else."""

    tissue: Any
    second: Any
    share: Any
    geometry: Geometry


def a_block(n: int = 48, spacing: float = 0.8, left: Tissue = Tissue.LV, right: Tissue = Tissue.MYOCARDIUM) -> Block:
    """Two materials that meet in the middle of axis i."""
    tissue = np.full((n, n, n), right, np.uint8)
    tissue[: n // 2] = left
    return Block(tissue, tissue, np.full_like(tissue, 255), Geometry((n, n, n), (spacing,) * 3, (-0.5 * n * spacing,) * 3))


def a_plain_look(**changes: Any) -> Appearance:
    """An appearance without texture, motion, hardening or noise gain."""
    drawn = draw_appearance(np.random.default_rng(0))
    plain = replace(
        drawn,
        texture=Texture({}, shading_hu=0.0),
        point_spread=PointSpread("gaussian", 0.5, 0.4),
        noise=Noise("white", 20.0, 0.8, 4.0, 0.1, 0.0, 0.0),
        slice_thickness_mm=0.4,
        motion=Motion(),
        hardening=0.0,
    )
    return replace(plain, **changes)


def test_a_plain_block_has_its_table_hu_and_the_asked_noise():
    look, block = a_plain_look(), a_block()
    scan = render(block, look, np.random.default_rng(0))
    assert scan.clean.voxels.dtype == scan.noisy.voxels.dtype == np.float32
    np.testing.assert_allclose(scan.clean.voxels[:16], look.hu["LV"], atol=0.1)
    np.testing.assert_allclose(scan.clean.voxels[-16:], look.hu["MYOCARDIUM"], atol=0.1)
    assert (scan.noisy.voxels - scan.clean.voxels).std() == pytest.approx(20.0, rel=0.01)


def test_partial_volume_mixes_the_two_materials_by_share():
    look, block = a_plain_look(), a_block()
    block.second = np.full_like(block.tissue, Tissue.FAT)
    block.share = np.full_like(block.tissue, 51)
    scan = render(block, look, np.random.default_rng(0))
    expected = 0.2 * look.hu["MYOCARDIUM"] + 0.8 * look.hu["FAT"]
    np.testing.assert_allclose(scan.clean.voxels[-12:], expected, atol=0.1)


def test_a_gaussian_point_spread_agrees_with_scipy():
    look = a_plain_look(point_spread=PointSpread("gaussian", 1.2, 1.2), slice_thickness_mm=1e-6)
    block = a_block()
    scan = render(block, look, np.random.default_rng(0))
    oracle = gaussian_filter(look.hu_table()[block.tissue].astype(float), 1.5, truncate=6, mode="nearest")
    np.testing.assert_allclose(scan.clean.voxels, oracle, atol=1.0)


def test_an_edge_kernel_overshoots_and_a_gaussian_does_not():
    def height(spread: PointSpread) -> float:
        scan = render(a_block(), a_plain_look(point_spread=spread), np.random.default_rng(0))
        return float(scan.clean.voxels.max())

    lv = a_plain_look().hu["LV"]
    assert height(PointSpread("gaussian", 0.6, 0.4)) < lv + 1.0
    assert height(PointSpread("edge", 0.6, 0.4, 0.6, 0.7)) > lv + 5.0


@pytest.mark.parametrize("shape", ["gaussian", "edge", "tail"])
def test_every_transfer_function_keeps_the_mean(shape):
    geometry = Geometry((16, 16, 16), (0.7, 0.7, 1.0))
    response = transfer(PointSpread(shape, 0.5, 0.4, 0.2, 2.0), 1.0, frequencies(geometry.shape, geometry))
    assert response[0, 0, 0] == pytest.approx(1.0)
    assert np.isfinite(response).all()


def test_a_thick_slice_blurs_along_the_patient_only():
    block = a_block()
    sharp, thick = (render(block, a_plain_look(slice_thickness_mm=t), np.random.default_rng(0)).clean.voxels for t in (0.4, 4.0))
    np.testing.assert_allclose(sharp, thick, atol=0.5)
    turned = replace(block, geometry=Geometry((48,) * 3, (0.8,) * 3, (0, 0, 0), ((0, 1, 0), (0, 0, 1), (1, 0, 0))))
    thick_along_i = render(turned, a_plain_look(slice_thickness_mm=4.0), np.random.default_rng(0)).clean.voxels
    assert np.abs(np.diff(thick_along_i, axis=0)).max() < 0.6 * np.abs(np.diff(sharp, axis=0)).max()


def test_double_motion_makes_two_edges_and_leaves_the_rest():
    motion = Motion("double", (6.0, 0.0, 0.0), (0.0, 0.0, 0.0), 12.0)
    still = render(a_block(), a_plain_look(), np.random.default_rng(0)).clean.voxels
    moved = render(a_block(), a_plain_look(motion=motion), np.random.default_rng(0)).clean.voxels
    contrast = a_plain_look().hu["LV"] - a_plain_look().hu["MYOCARDIUM"]
    middle = a_plain_look().hu["MYOCARDIUM"] + 0.5 * contrast
    assert moved[22, 24, 24] == pytest.approx(middle, abs=0.1 * abs(contrast))
    np.testing.assert_allclose(moved[:, 0, 0], still[:, 0, 0], atol=1.0)


def test_the_same_seed_gives_the_same_voxels_and_another_seed_others():
    look, block = draw_appearance(np.random.default_rng(4)), a_block(32)
    first, again, other = (render(block, look, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.noisy.voxels, again.noisy.voxels)
    assert np.abs(first.noisy.voxels - other.noisy.voxels).max() > 1.0


def test_clean_anatomy_is_the_same_wherever_the_crop_lies():
    look, block = a_plain_look(), a_block(48)
    whole = render(block, look, np.random.default_rng(0)).clean.voxels
    box = (slice(8, 40),) * 3
    part = Block(block.tissue[box], block.second[box], block.share[box], block.geometry.cropped((8, 8, 8), (32, 32, 32)))
    np.testing.assert_allclose(
        render(part, look, np.random.default_rng(9)).clean.voxels[4:-4], whole[12:36, 8:40, 8:40], atol=1.0
    )


@pytest.mark.parametrize("texture", sorted(NOISE_SPECTRA))
def test_noise_has_zero_mean_the_asked_spread_and_a_spectrum_of_its_own(texture):
    family = NOISE_SPECTRA[texture]
    noise = Noise(texture, 30.0, float(np.mean(family.cutoff_per_mm)), float(np.mean(family.decay)), 0.4, 0.0)
    field = sample_noise(noise, Geometry((64, 64, 64), (0.8,) * 3), np.zeros(3), np.random.default_rng(0))
    assert field.std() == pytest.approx(30.0, rel=0.02)
    assert abs(field.mean()) < 1.0


def test_noise_spectra_are_per_mm_whatever_the_spacing():
    noise = Noise("soft", 20.0, 0.2, 1.5, 0.4, 0.0)

    def neighbour_correlation(spacing: float, steps: int) -> float:
        field = sample_noise(noise, Geometry((96, 96, 48), (spacing,) * 3), np.zeros(3), np.random.default_rng(1))
        return float((field[steps:] * field[:-steps]).mean() / field.var())

    assert neighbour_correlation(0.5, 4) == pytest.approx(neighbour_correlation(1.0, 2), abs=0.06)


def test_noise_is_stronger_on_the_axis_with_a_radial_gain():
    noise = Noise("white", 20.0, 0.8, 4.0, 0.3, 0.5)
    field = sample_noise(noise, Geometry((96, 96, 32), (2.0,) * 3, (-96, -96, 0)), np.zeros(3), np.random.default_rng(1))
    assert field[44:52, 44:52].std() > 1.3 * field[:8, :8].std()


def test_texture_of_the_right_heart_is_stronger_where_blood_is_unmixed():
    rng = np.random.default_rng(0)
    looks = [draw_appearance(rng) for _ in range(60)]
    early = next(a for a in looks if a.phase == "early_arterial")
    late = next(a for a in looks if a.phase == "late")

    def spread(look: Appearance) -> float:
        block = a_block(48, left=Tissue.RA, right=Tissue.RA)
        return float(render(block, replace(look, motion=Motion()), np.random.default_rng(3)).clean.voxels.std())

    assert spread(early) > spread(late)


def test_noise_is_weaker_in_the_lung_where_the_look_says_so():
    look = a_plain_look(noise=Noise("white", 20.0, 0.8, 4.0, 0.1, 0.0, 0.0, lung_gain=0.5))
    scan = render(a_block(left=Tissue.LUNG, right=Tissue.MUSCLE), look, np.random.default_rng(0))
    noise = scan.noisy.voxels - scan.clean.voxels
    assert noise[:12].std() == pytest.approx(0.5 * noise[-12:].std(), rel=0.1)


def test_a_stretched_noise_reaches_farther_across_the_patient():
    noise = Noise("white", 20.0, 0.6, 3.0, 0.3, 0.0, stretch=1.6)
    field = sample_noise(noise, Geometry((64, 64, 64), (0.8,) * 3), np.zeros(3), np.random.default_rng(0))
    across, front_to_back = ((field * np.roll(field, 1, axis=a)).mean() for a in (0, 1))
    assert across > 1.2 * front_to_back
