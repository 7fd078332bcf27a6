"""The small grey picture agrees with the large one; the overlay keeps its fixed window."""

import numpy as np
import pytest
from matplotlib.image import imread

from StructDiffCore.domain import Geometry, Volume
from StructDiffCore.pictures.overlay import Overlay, colours
from StructDiffCore.pictures.preview import GAP, HEIGHT, PreviewView, png
from StructDiffCore.pictures.slices import Column, save_planes
from StructDiffCore.pictures.style import Window

SHAPE = (40, 48, 32)
GRIDS = {
    "ras": Geometry(SHAPE, (1.0, 1.0, 1.0)),
    "lps": Geometry(SHAPE, (1.0, 1.0, 1.0), (39.0, 47.0, 0.0), ((-1, 0, 0), (0, -1, 0), (0, 0, 1))),
    "turned": Geometry((32, 40, 48), (1.0, 1.0, 1.0), (0.0, 47.0, 31.0), ((0, 1, 0), (0, 0, -1), (-1, 0, 0))),
}


def world_of(geometry):
    return geometry.to_world(np.stack(np.meshgrid(*map(np.arange, geometry.shape), indexing="ij"), axis=-1))


def picture_of(geometry, voxels, tmp_path, focus_mm=(20.0, 24.0, 16.0)):
    focus = tuple(int(v) for v in np.rint(geometry.to_index(focus_mm)))
    path = tmp_path / "look.png"
    path.write_bytes(PreviewView(geometry, focus).picture(lambda axis, at: np.take(voxels, at, axis), Window(0, 1000, "")))
    return imread(path)


@pytest.mark.parametrize("name", GRIDS)
def test_one_body_gives_one_picture_on_any_grid(name, tmp_path):
    found = [picture_of(g, (world_of(g) @ [5.0, 7.0, 11.0]), tmp_path) for g in (GRIDS["ras"], GRIDS[name])]
    np.testing.assert_allclose(found[1], found[0], atol=1 / 255)


@pytest.mark.parametrize(("plane", "axis_right", "axis_up"), [(0, 0, 1), (1, 0, 2), (2, 1, 2)])
def test_right_is_left_front_and_head_are_up_and_front_is_left_of_the_sagittal(plane, axis_right, axis_up, tmp_path):
    geometry = GRIDS["ras"]
    widths = [round(size * HEIGHT / 48) for size in (40, 40, 48)]
    left = sum(widths[:plane]) + plane * GAP
    for axis, (first, last) in ((axis_right, "lr"), (axis_up, "bt")):
        picture = picture_of(geometry, 20 * world_of(geometry)[..., axis], tmp_path)
        rows = round((48 if plane == 0 else 32) * HEIGHT / 48)
        part = picture[:rows, left : left + widths[plane]]
        if (first, last) == ("l", "r"):
            mirrored = plane < 2
            assert (part[:, 0] > part[:, -1]).all() == mirrored or plane == 2
        else:
            assert (part[0] > part[-1]).all()


def test_pixels_are_square_whatever_the_spacing(tmp_path):
    geometry = Geometry((40, 40, 10), (1.0, 1.0, 4.0))
    picture = picture_of(geometry, np.full(geometry.shape, 500.0), tmp_path)
    assert picture.shape == (HEIGHT, 3 * HEIGHT + 2 * GAP)


def test_the_png_holds_its_pixels(tmp_path):
    grey = np.random.default_rng(0).integers(0, 256, (7, 13), dtype=np.uint8)
    (tmp_path / "grey.png").write_bytes(png(grey))
    np.testing.assert_array_equal(np.rint(imread(tmp_path / "grey.png") * 255), grey)


def test_the_overlay_is_clear_at_the_bottom_of_its_window_and_covers_the_top():
    bottom, top = colours()([0.0, 1.0])
    assert bottom[3] == 0
    assert top[3] > 0.8


def test_the_overlay_colours_what_is_uncertain_and_brings_its_bar(tmp_path):
    geometry = GRIDS["ras"]
    image = Volume(np.full(SHAPE, 200.0), geometry)
    deviation = np.zeros(SHAPE)
    deviation[10:30, 10:38, 8:24] = 60.0
    overlay = Overlay(Volume(deviation, geometry), 0, 30, "HU")
    plain = imread(save_planes(tmp_path / "a.png", [Column("CT", image)]))[..., :3]
    laid = imread(save_planes(tmp_path / "b.png", [Column("CT", image, None, overlay)]))[..., :3]
    coloured = [(np.ptp(picture, axis=-1) > 0.25) for picture in (plain, laid)]
    assert coloured[0].mean() < 0.01
    assert coloured[1].mean() > 0.1
    assert laid.shape[1] > plain.shape[1]
    assert coloured[1][:, plain.shape[1] :].any()
