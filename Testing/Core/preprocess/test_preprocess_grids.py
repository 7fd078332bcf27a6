"""Resampling, orientation and windows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from StructDiffCore.domain import CARDIAC, Geometry, LabelMap, StructDiffError, Volume
from StructDiffCore.preprocess.grids import orientation_of, resample_labels, resample_volume, to_orientation
from StructDiffCore.preprocess.window import CARDIAC_CTA, HuWindow


def slope_on(grid: Geometry) -> np.ndarray:
    """HU that rise evenly through the world: linear interpolation must give them exactly."""
    index = np.stack(np.meshgrid(*[np.arange(n) for n in grid.shape], indexing="ij"), axis=-1)
    return grid.to_world(index) @ (3.0, -5.0, 7.0) + 11.0


@st.composite
def rotated_grids(draw):
    """A grid inside the cube of 20 mm around the world's origin, any orientation."""
    turn = Rotation.from_euler("xyz", [draw(st.floats(-180, 180)) for _ in range(3)], degrees=True).as_matrix()
    flips = np.diag([draw(st.sampled_from([1.0, -1.0])) for _ in range(3)])
    spacing = tuple(draw(st.floats(0.9, 1.4)) for _ in range(3))
    grid = Geometry((6, 7, 8), spacing, (0, 0, 0), turn @ flips)
    middle = grid.to_world((2.5, 3, 3.5))
    return Geometry((6, 7, 8), spacing, tuple(-middle), grid.direction)


@given(grid=rotated_grids())
@settings(max_examples=25, derandomize=True, deadline=None)
def test_an_even_slope_is_resampled_exactly_on_any_grid(grid):
    source = Geometry((31, 41, 27), (1.0, 0.75, 1.15), (15, -15, -15), np.diag([-1.0, 1.0, 1.0]))
    result = resample_volume(Volume(slope_on(source), source), grid, antialias=False)
    np.testing.assert_allclose(result.voxels, slope_on(grid), atol=0.01)


def test_outside_the_source_is_air():
    source = Geometry((4, 4, 4))
    result = resample_volume(Volume(np.zeros(source.shape), source), Geometry((8, 4, 4)))
    assert np.all(result.voxels[:4] == 0)
    assert np.all(result.voxels[4:] == -1024)


def test_the_same_grid_gives_the_same_voxels():
    grid = Geometry((5, 6, 7), (0.5, 0.6, 0.7), (1, 2, 3))
    voxels = np.random.default_rng(0).normal(size=grid.shape).astype(np.float32)
    np.testing.assert_array_equal(resample_volume(Volume(voxels, grid), grid).voxels, voxels)


def test_a_coarser_grid_averages_noise_instead_of_picking_it():
    fine = Geometry((64, 64, 64), (0.5, 0.5, 0.5))
    noise = Volume(np.random.default_rng(0).normal(0, 20, fine.shape), fine)
    coarse = fine.with_spacing((2.0, 2.0, 2.0))
    inner = (slice(2, -2),) * 3
    assert resample_volume(noise, coarse).voxels[inner].std() < 5
    assert resample_volume(noise, coarse, antialias=False).voxels[inner].std() > 5


def test_a_motion_of_the_world_moves_the_image():
    grid = Geometry((6, 6, 6))
    voxels = np.zeros(grid.shape)
    voxels[3, 2, 1] = 100
    to_source = np.eye(4)
    to_source[:3, 3] = (1, 0, 0)
    moved = resample_volume(Volume(voxels, grid), grid, to_source=to_source)
    assert moved.voxels[2, 2, 1] == pytest.approx(100)


@pytest.mark.parametrize("smooth", [False, True])
def test_labels_stay_labels(smooth):
    grid = Geometry((10, 10, 10))
    labels = np.zeros(grid.shape, np.uint8)
    labels[2:6, 2:8, 2:8], labels[6:9, 2:8, 2:8] = 3, 6
    finer = grid.with_spacing((0.5, 0.5, 0.5))
    result = resample_labels(LabelMap(labels, grid, CARDIAC), finer, smooth=smooth)
    assert result.present == (3, 6)
    assert result.voxels[8, 10, 10] == 3
    assert result.voxels[15, 10, 10] == 6
    assert (result.voxels > 0).sum() == pytest.approx(8 * (labels > 0).sum(), rel=0.1)


@pytest.mark.parametrize("codes", ["RAS", "LPS", "SAR", "PIL", "LAS"])
def test_reorientation_moves_no_voxel(codes):
    turn = Rotation.from_euler("xyz", (10, -20, 15), degrees=True).as_matrix()
    grid = Geometry((3, 4, 5), (0.5, 0.7, 1.1), (4, 5, 6), turn @ np.array([[0, 0, 1.0], [-1, 0, 0], [0, 1, 0]]))
    volume = Volume(slope_on(grid), grid)
    turned = to_orientation(volume, codes)
    assert orientation_of(turned.geometry) == codes
    np.testing.assert_allclose(turned.voxels, slope_on(turned.geometry), atol=1e-3)
    back = to_orientation(turned, orientation_of(grid))
    np.testing.assert_array_equal(back.voxels, volume.voxels)
    assert back.geometry.same_as(grid)


def test_a_label_map_reorients_too_and_nonsense_is_refused():
    mask = LabelMap(np.ones((2, 3, 4), int), Geometry((2, 3, 4)), CARDIAC)
    assert to_orientation(mask, "SPL").geometry.shape == (4, 3, 2)
    for codes in ("RAX", "RRS", "RA"):
        with pytest.raises(StructDiffError):
            to_orientation(mask, codes)


def test_a_window_maps_to_unit_and_back():
    window = HuWindow(-100, 300)
    np.testing.assert_allclose(window.to_unit([-500, -100, 100, 300, 900]), [0, 0, 0.5, 1, 1])
    np.testing.assert_allclose(window.from_unit(window.to_unit([-100, 0, 250])), [-100, 0, 250], atol=1e-3)
    assert CARDIAC_CTA.low < CARDIAC_CTA.high
    with pytest.raises(StructDiffError):
        HuWindow(3, 3)
