"""The 3D view against spheres, whose pictures are known."""

import time

import numpy as np
import pytest

from StructDiffCore.domain import CARDIAC, Geometry, LabelMap
from StructDiffCore.pictures.style import BACKGROUND
from StructDiffCore.pictures.surface import ANTERIOR, LEFT_OBLIQUE, POSTERIOR, Camera, render_surface
from StructDiffCore.pictures.surface_page import Mark, save_surface

GEOMETRY = Geometry((64, 64, 64), (1.0, 1.0, 1.0), (-31.5, -31.5, -31.5))
FRONT = Camera("straight from the front", 0.0, 0.0)
LEFT_SIDE = Camera("from the left", 90.0, 0.0)


def spheres(*balls, geometry=GEOMETRY):
    """A label map of balls (value, centre RAS mm, radius mm)."""
    world = geometry.to_world(np.stack(np.meshgrid(*map(np.arange, geometry.shape), indexing="ij"), axis=-1))
    labels = np.zeros(geometry.shape, np.uint8)
    for value, centre, radius in balls:
        labels[np.linalg.norm(world - centre, axis=-1) <= radius] = value
    return LabelMap(labels, geometry, CARDIAC)


def reddish(view):
    return view.rgb[..., 0] > view.rgb[..., 2] + 0.15


def bluish(view):
    return view.rgb[..., 2] > view.rgb[..., 0] + 0.15


@pytest.mark.parametrize("camera", [ANTERIOR, LEFT_OBLIQUE, POSTERIOR, Camera("from above", 30.0, 70.0)])
def test_a_ball_is_a_disc_of_its_area_from_every_side(camera):
    view = render_surface(spheres((3, (0, 0, 0), 20.0)), camera, pixels=200)
    area_mm2 = reddish(view).sum() * view.mm_per_pixel**2
    assert area_mm2 == pytest.approx(np.pi * 20.0**2, rel=0.04)


@pytest.mark.parametrize("camera", [ANTERIOR, LEFT_OBLIQUE, POSTERIOR])
def test_the_camera_axes_are_right_handed_unit_vectors(camera):
    np.testing.assert_allclose(camera.axes @ camera.axes.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(camera.axes) == pytest.approx(1.0)


def test_from_the_front_the_patients_left_is_at_the_right():
    view = render_surface(spheres((3, (-18, 0, 0), 8.0), (5, (18, 0, 0), 8.0)), FRONT, pixels=160)
    red_column, blue_column = np.argwhere(reddish(view))[:, 1].mean(), np.argwhere(bluish(view))[:, 1].mean()
    assert red_column > 80 > blue_column


def test_the_head_is_up():
    view = render_surface(spheres((3, (0, 0, 18), 8.0), (5, (0, 0, -18), 8.0)), FRONT, pixels=160)
    assert np.argwhere(reddish(view))[:, 0].mean() < 80 < np.argwhere(bluish(view))[:, 0].mean()


@pytest.mark.parametrize(("camera", "seen", "hidden"), [(FRONT, reddish, bluish), (POSTERIOR, bluish, reddish)])
def test_the_nearer_ball_hides_the_farther(camera, seen, hidden):
    view = render_surface(spheres((3, (0, 18, 0), 9.0), (5, (0, -18, 0), 9.0)), camera, pixels=160)
    assert seen(view).sum() > 100
    assert hidden(view).sum() == 0


def test_from_the_left_side_the_left_ball_hides_the_right_one():
    view = render_surface(spheres((3, (-18, 0, 0), 9.0), (5, (18, 0, 0), 9.0)), LEFT_SIDE, pixels=160)
    assert reddish(view).sum() > 100
    assert bluish(view).sum() == 0


def test_a_point_falls_onto_its_pixel():
    centre = np.array([-14.0, 3.0, 9.0])
    view = render_surface(spheres((3, centre, 6.0), (5, (14, 0, -9), 6.0)), LEFT_OBLIQUE, pixels=200)
    row, column = np.argwhere(reddish(view)).mean(axis=0)
    np.testing.assert_allclose(view.pixel_of(centre), (column, row), atol=2.0)


def test_an_anisotropic_left_handed_grid_shows_the_same_ball():
    geometry = Geometry((64, 64, 32), (1.0, 1.0, 2.0), (-31.5, -31.5, 31.0), ((1, 0, 0), (0, 1, 0), (0, 0, -1)))
    view = render_surface(spheres((3, (0, 0, 12), 12.0), geometry=geometry), FRONT, pixels=200)
    assert reddish(view).sum() * view.mm_per_pixel**2 == pytest.approx(np.pi * 12.0**2, rel=0.08)


def test_a_thin_vessel_one_voxel_wide_is_seen():
    labels = np.zeros(GEOMETRY.shape, np.uint8)
    labels[32, 32, 8:56] = 8
    view = render_surface(LabelMap(labels, GEOMETRY, CARDIAC), FRONT, pixels=160)
    yellow = (view.rgb[..., 0] > 0.3) & (view.rgb[..., 2] < 0.6 * view.rgb[..., 0])
    assert np.ptp(np.argwhere(yellow)[:, 0]) * view.mm_per_pixel == pytest.approx(47, abs=4)


def test_an_empty_map_is_background():
    view = render_surface(LabelMap(np.zeros(GEOMETRY.shape, np.uint8), GEOMETRY, CARDIAC), FRONT, pixels=40)
    background = np.array([int(BACKGROUND[n : n + 2], 16) for n in (1, 3, 5)]) / 255
    np.testing.assert_allclose(view.rgb[0, 0], background, atol=0.01)


def test_a_page_is_written_with_marks(tmp_path):
    path = save_surface(tmp_path / "heart.png", spheres((3, (0, 0, 0), 20.0)), marks=[Mark((0, 20, 0), "here")], pixels=120)
    assert path.read_bytes()[:4] == b"\x89PNG"


def test_a_128_cube_is_drawn_in_seconds():
    geometry = Geometry((128, 128, 128), (0.8, 0.8, 0.8))
    hearts = spheres((3, (50, 50, 50), 35.0), (8, (90, 50, 50), 3.0), (6, (50, 50, 90), 12.0), geometry=geometry)
    render_surface(hearts, ANTERIOR, pixels=64)
    began = time.process_time()
    render_surface(hearts, ANTERIOR)
    assert time.process_time() - began < 8.0  # about 1 s on an idle machine
