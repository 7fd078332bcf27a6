"""Curved view: a bent tube becomes straight, as wide as it is."""

import numpy as np
import pytest

from StructDiffCore.domain import CARDIAC, Geometry, LabelMap, Volume
from StructDiffCore.pictures.curved import HALF_WIDTH_MM, STEP_MM, Course, cross_section, save_curved, straighten
from StructDiffCore.vessels.branch import Branch

GEOMETRY = Geometry((90, 90, 60), (0.7, 0.7, 0.7), (-31.0, -31.0, -21.0))
RING_MM, LUMEN_MM = 20.0, 3.0


@pytest.fixture(scope="module")
def a_bent_tube():
    """A quarter of a ring of 400 HU in fat, and its centreline, 31.4 mm long."""
    world = GEOMETRY.to_world(np.stack(np.meshgrid(*map(np.arange, GEOMETRY.shape), indexing="ij"), axis=-1))
    off_ring = np.hypot(np.hypot(world[..., 0], world[..., 1]) - RING_MM, world[..., 2])
    share = np.clip(0.5 - (off_ring - LUMEN_MM) / 0.7, 0, 1)
    angle = np.linspace(0.1, 0.1 + np.pi / 2, 60)
    points = np.stack([RING_MM * np.cos(angle), RING_MM * np.sin(angle), 0 * angle], axis=1)
    branch = Branch(points, np.full(60, LUMEN_MM), "LAD")
    return Volume(-80 + 480 * share, GEOMETRY), LabelMap((share > 0.5) * np.uint8(8), GEOMETRY, CARDIAC), branch


@pytest.mark.parametrize("plane", ["first", "second"])
def test_the_tube_is_straight_and_as_wide_as_it_is(a_bent_tube, plane):
    volume, _, branch = a_bent_tube
    image = getattr(straighten(volume, branch), plane)
    inside = image > 160
    widths = inside.sum(axis=0) * STEP_MM
    np.testing.assert_allclose(widths, 2 * LUMEN_MM, atol=0.6)
    across = np.arange(image.shape[0])[:, None] * STEP_MM - HALF_WIDTH_MM
    centres = (across * inside).sum(axis=0) / inside.sum(axis=0)
    np.testing.assert_allclose(centres, 0, atol=0.4)


def test_the_length_is_the_arc_length(a_bent_tube):
    volume, _, branch = a_bent_tube
    assert straighten(volume, branch).along_mm[-1] == pytest.approx(RING_MM * np.pi / 2, abs=STEP_MM)


def test_a_cross_section_is_a_disc(a_bent_tube):
    volume, _, branch = a_bent_tube
    area_mm2 = (cross_section(volume, Course.of(branch), 15.0) > 160).sum() * STEP_MM**2
    assert area_mm2 == pytest.approx(np.pi * LUMEN_MM**2, rel=0.08)


def test_outside_the_grid_is_air():
    volume = Volume(np.zeros((10, 10, 10)), Geometry((10, 10, 10)))
    branch = Branch(np.array([[2.0, 5, 5], [8.0, 5, 5]]), np.ones(2), "LM")
    assert straighten(volume, branch).first[0, 0] == -1024


def test_the_picture_is_written_with_and_without_a_mark(a_bent_tube, tmp_path):
    volume, mask, branch = a_bent_tube
    marked = save_curved(tmp_path / "a.png", volume, branch, mask, marked_mm=15.0, title="LAD")
    plain = save_curved(tmp_path / "b.png", volume, branch)
    assert marked.read_bytes()[:4] == plain.read_bytes()[:4] == b"\x89PNG"
    assert marked.read_bytes() != plain.read_bytes()
