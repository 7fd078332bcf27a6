"""Three planes: radiological orientation, outlines, the window in words."""

import numpy as np
import pytest
from matplotlib.image import imread

from StructDiffCore.domain import CARDIAC, Geometry, LabelMap, Volume
from StructDiffCore.pictures.slices import AXIAL, CORONAL, SAGITTAL, Column, _slice, save_planes

RAS = Geometry((40, 48, 32), (1.0, 1.0, 1.0))
LPS = Geometry((40, 48, 32), (1.0, 1.0, 1.0), (39.0, 47.0, 0.0), ((-1, 0, 0), (0, -1, 0), (0, 0, 1)))


def corner_block(geometry):
    """Bright at the patient's right, front, top."""
    world = geometry.to_world(np.stack(np.meshgrid(*map(np.arange, geometry.shape), indexing="ij"), axis=-1))
    return Volume(np.where((world > [24, 30, 20]).all(axis=-1), 1000.0, -1000.0), geometry)


@pytest.mark.parametrize(
    ("plane", "bright_on_the_left", "bright_on_top"), [(AXIAL, True, True), (CORONAL, True, True), (SAGITTAL, True, True)]
)
def test_right_is_left_front_is_up_and_head_is_up(plane, bright_on_the_left, bright_on_top):
    voxels = corner_block(RAS).voxels
    image = _slice(voxels, plane, np.zeros(3, int), np.array(voxels.shape), np.array([35, 40, 28]))
    up, across = np.argwhere(image > 0).mean(axis=0) / image.shape
    assert (across < 0.5) == bright_on_the_left
    assert (up > 0.5) == bright_on_top


def test_one_body_on_two_grids_gives_one_picture(tmp_path):
    pictures = [
        imread(save_planes(tmp_path / f"{name}.png", [Column("CT", corner_block(geometry))], focus_mm=(35.0, 40.0, 28.0)))
        for name, geometry in (("ras", RAS), ("lps", LPS))
    ]
    np.testing.assert_allclose(pictures[0], pictures[1], atol=0.02)


def test_outlines_have_the_labels_colours(tmp_path):
    labels = np.zeros(RAS.shape, np.uint8)
    labels[12:28, 12:36, 8:24] = 8
    mask = LabelMap(labels, RAS, CARDIAC)
    image = Volume(np.full(RAS.shape, -500.0), RAS)
    with_outlines = imread(save_planes(tmp_path / "a.png", [Column("CT", image, mask)], shown=mask))[..., :3]
    without = imread(save_planes(tmp_path / "b.png", [Column("CT", image)], shown=mask))[..., :3]
    colour = np.array(CARDIAC[8].colour) / 255
    assert (np.abs(with_outlines - colour).max(axis=-1) < 0.1).sum() > 200
    assert (np.abs(without - colour).max(axis=-1) < 0.1).sum() == 0


def test_the_view_keeps_to_the_labels_and_their_surroundings(tmp_path):
    geometry = Geometry((200, 200, 40), (1.0, 1.0, 1.0))
    labels = np.zeros(geometry.shape, np.uint8)
    labels[90:110, 90:110, 10:30] = 3
    image = Volume(np.zeros(geometry.shape), geometry)
    mask = LabelMap(labels, geometry, CARDIAC)
    near = imread(save_planes(tmp_path / "near.png", [Column("CT", image)], shown=mask))
    far = imread(save_planes(tmp_path / "far.png", [Column("CT", image)]))
    assert near.shape[0] / near.shape[1] != far.shape[0] / far.shape[1]
