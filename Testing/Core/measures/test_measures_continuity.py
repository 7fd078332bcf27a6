"""Continuity along centrelines: drawn tubes with known gaps, known radii, in random directions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from StructDiffCore.domain import Geometry, Volume
from StructDiffCore.measures.blurred_tube import apparent_radius, lumen_share, sampled_sigma_mm, sigma_across
from StructDiffCore.measures.continuity import LEAST_LUMEN_HU, by_radius, lumen_hu, visibilities
from StructDiffCore.measures.crosswise import crossing

FINER = 4
"""Drawn on a grid so much finer, then averaged over voxels."""


@dataclass(frozen=True, eq=False)
class Line:
    points_mm: NDArray[np.float64]
    radii_mm: NDArray[np.float64]


def straight(direction: NDArray[np.float64], length: float, radius: float) -> Line:
    along = np.linspace(-length / 2, length / 2, 41)
    return Line(along[:, None] * direction / np.linalg.norm(direction), np.full(41, radius))


def drawn(
    line: Line,
    spacing: tuple[float, float, float],
    psf_mm: float,
    gap_mm: float = 0.0,
    lumen: float = 400.0,
    around: float = -50.0,
    size_mm: float = 24.0,
) -> Volume:
    """A tube that runs through the whole grid around the origin, but for a gap in its middle, as a scanner shows it."""
    shape = tuple(int(np.ceil(size_mm / s)) for s in spacing)
    fine = tuple(s / FINER for s in spacing)
    index = np.stack(np.meshgrid(*[np.arange(n * FINER) for n in shape], indexing="ij"), axis=-1)
    where = (index - (np.array(shape) * FINER - 1) / 2) * fine
    direction = (line.points_mm[-1] - line.points_mm[0]) / np.linalg.norm(line.points_mm[-1] - line.points_mm[0])
    along = where @ direction
    across = np.linalg.norm(where - along[..., None] * direction, axis=-1)
    inside = ((across <= line.radii_mm[0]) & (np.abs(along) >= gap_mm / 2)).astype(np.float32)
    share = inside.reshape([n for size in shape for n in (size, FINER)]).mean(axis=(1, 3, 5))
    share = ndimage.gaussian_filter(share, psf_mm / np.array(spacing), mode="nearest")
    origin = tuple(-(n - 1) / 2 * s for n, s in zip(shape, spacing))
    return Volume(around + share * (lumen - around), Geometry(shape, spacing, origin))  # type: ignore[arg-type]


def test_the_closed_form_agrees_with_random_points_in_a_disc() -> None:
    points = np.random.default_rng(0).normal(0, 0.7, (200_000, 2))
    for distance in (0.0, 0.5, 1.5):
        inside = np.hypot(points[:, 0] - distance, points[:, 1]) <= 1.1
        assert lumen_share(distance, 1.1, 0.7) == pytest.approx(inside.mean(), abs=0.005)


def test_a_thread_looks_as_wide_as_the_point_spread_and_a_thick_vessel_as_itself() -> None:
    assert apparent_radius(0.05, 0.8) == pytest.approx(np.sqrt(2 * np.log(2)) * 0.8, rel=0.01)
    assert apparent_radius(10.0, 0.8) == pytest.approx(10.0, rel=0.01)


def test_blur_along_a_vessel_does_not_thin_it() -> None:
    sigma = np.array([0.5, 0.5, 3.0])
    along_z, along_x = sigma_across(np.array([[0.0, 0, 1], [1.0, 0, 0]]), sigma)
    assert along_z == pytest.approx(0.5)
    assert along_x == pytest.approx(np.sqrt(0.5 * 3.0))


@settings(max_examples=8, derandomize=True, deadline=None)
@given(
    direction=st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda d: np.linalg.norm(d) > 0.3),
    radius=st.floats(0.5, 2.0),
    plane=st.floats(0.5, 1.0),
    axial=st.floats(0.5, 1.0),
    psf=st.floats(0.5, 1.0),
)
def test_a_drawn_tube_has_the_contrast_and_the_radius_expected_of_it(
    direction: tuple[float, float, float], radius: float, plane: float, axial: float, psf: float
) -> None:
    line = straight(np.array(direction), 16.0, radius)
    one = crossing(drawn(line, (plane, plane, axial), psf), line, psf)
    (held,) = visibilities([one], full_hu=400.0)
    assert held.judged.all()
    assert np.median(held.contrast_ratio) == pytest.approx(1.0, abs=0.12)
    assert np.nanmedian(one.apparent_mm) == pytest.approx(np.median(one.expected_apparent_mm), abs=0.15)
    assert held.unbroken
    assert held.visible_mm == held.judged_mm


@pytest.mark.parametrize("gap", [2.0, 4.0, 7.0])
def test_a_gap_of_n_mm_is_found_n_mm_long(gap: float) -> None:
    line = straight(np.array([1.0, 0.4, -0.7]), 20.0, 1.2)
    image = drawn(line, (0.7, 0.7, 0.6), 0.6, gap_mm=gap)
    (held,) = visibilities([crossing(image, line, 0.6)])
    assert held.longest_gap_mm == pytest.approx(gap, abs=0.6)
    assert held.visible_mm == pytest.approx(held.judged_mm - gap, abs=0.7)
    assert not held.unbroken


def test_noise_of_a_scan_neither_breaks_a_vessel_nor_mends_one() -> None:
    line = straight(np.array([1.0, 0.4, -0.7]), 20.0, 1.2)
    noise = np.random.default_rng(3)
    lengths = []
    for gap in (0.0, 5.0):
        image = drawn(line, (0.7, 0.7, 0.6), 0.6, gap_mm=gap)
        noisy = Volume(image.voxels + noise.normal(0, 25, image.voxels.shape), image.geometry)
        (held,) = visibilities([crossing(noisy, line, 0.6)])
        lengths.append(held.longest_gap_mm)
    assert lengths[0] == 0.0
    assert lengths[1] == pytest.approx(5.0, abs=0.8)


def test_the_full_lumen_is_read_off_a_tree_too_thin_to_show_it() -> None:
    line = straight(np.array([0.2, 1.0, 0.3]), 16.0, 0.8)
    one = crossing(drawn(line, (0.8, 0.8, 0.8), 0.8), line, 0.8)
    assert one.lumen_hu.max() < 250
    assert lumen_hu([one]) == pytest.approx(400.0, abs=40.0)


def test_a_tree_painted_like_its_surroundings_is_not_visible() -> None:
    line = straight(np.array([0.2, 1.0, 0.3]), 16.0, 1.5)
    image = drawn(line, (0.8, 0.8, 0.8), 0.6, lumen=-20.0, around=-50.0)
    one = crossing(image, line, 0.6)
    (held,) = visibilities([one])
    assert lumen_hu([one]) == pytest.approx(np.median(one.around_hu) + LEAST_LUMEN_HU)
    assert held.judged_mm == pytest.approx(16.25)
    assert held.visible_mm == 0
    assert held.longest_gap_mm == pytest.approx(16.25)


def test_an_empty_vessel_wall_in_fat_is_no_lumen() -> None:
    line = straight(np.array([0.2, 1.0, 0.3]), 16.0, 1.0)
    cord = drawn(line, (0.6, 0.6, 0.6), 0.6, lumen=40.0, around=-100.0)
    one = crossing(cord, line, 0.6)
    (held,) = visibilities([one], full_hu=250.0)
    assert np.median(held.contrast_ratio) == pytest.approx(140 / 350, abs=0.05)
    assert held.visible_mm == 0


def test_steps_outside_the_image_are_not_judged() -> None:
    line = straight(np.array([0.0, 0.0, 1.0]), 60.0, 1.5)
    (held,) = visibilities([crossing(drawn(line, (0.8, 0.8, 0.8), 0.6), line, 0.6)])
    assert held.judged_mm == pytest.approx(24.0, abs=0.5)
    assert held.unbroken


def test_a_chamber_beside_the_vessel_is_no_surrounding() -> None:
    line = straight(np.array([0.0, 0.0, 1.0]), 16.0, 1.2)
    image = drawn(line, (0.8, 0.8, 0.8), 0.6)
    voxels, chamber = image.voxels.copy(), np.zeros(image.voxels.shape, bool)
    chamber[: image.voxels.shape[0] // 2 - 2] = True
    chamber[:, : image.voxels.shape[1] // 2 - 2] = True
    voxels[chamber] = 400.0
    with_chamber = Volume(voxels, image.geometry)
    kept_out = crossing(with_chamber, line, 0.6, ~ndimage.binary_dilation(chamber))
    assert np.median(kept_out.around_hu) == pytest.approx(-50.0, abs=5.0)
    assert np.median(crossing(with_chamber, line, 0.6).around_hu) > 100.0


def test_steps_are_sorted_by_nominal_radius() -> None:
    wide, thin = straight(np.array([0.0, 0.0, 1.0]), 16.0, 1.8), straight(np.array([0.0, 0.0, 1.0]), 16.0, 0.7)
    image = drawn(wide, (0.6, 0.6, 0.6), 0.5)
    held = visibilities([crossing(image, wide, 0.5), crossing(image, thin, 0.5)], full_hu=400.0)
    rows = by_radius(held, (0.0, 1.0, 2.0, 3.0))
    assert [(row.low_mm, row.high_mm) for row in rows] == [(0.0, 1.0), (1.0, 2.0)]
    assert rows[1].apparent_radius_mm == pytest.approx(rows[1].expected_radius_mm, abs=0.1)
    assert rows[0].apparent_radius_mm > rows[0].expected_radius_mm + 0.5


def test_the_blur_adds_point_spread_voxel_and_reading() -> None:
    assert sampled_sigma_mm(0.6, (0.8, 0.8, 0.8)) == pytest.approx(np.sqrt(0.36 + 0.64 / 4) * np.ones(3))
