"""Turning voxels so that they run right, front, up."""

import numpy as np
import pytest

from StructDiffCore.domain import Geometry
from StructDiffCore.pictures.orientation import Turn

LPS = ((-1, 0, 0), (0, -1, 0), (0, 0, 1))
SAGITTAL_STACK = ((0, 0, 1), (-1, 0, 0), (0, 1, 0))  # i runs to the back, j up, k to the right
LEFT_HANDED = ((1, 0, 0), (0, 1, 0), (0, 0, -1))
TILTED = ((0.8, -0.6, 0), (0.6, 0.8, 0), (0, 0, 1))


@pytest.mark.parametrize("direction", [LPS, SAGITTAL_STACK, LEFT_HANDED, TILTED])
def test_the_turned_axes_run_right_front_up(direction):
    geometry = Geometry((4, 5, 6), (1.0, 2.0, 3.0), (10.0, 20.0, 30.0), direction)
    world = geometry.to_world(np.stack(np.meshgrid(*map(np.arange, geometry.shape), indexing="ij"), axis=-1))
    turn = Turn.of(geometry)
    for axis in range(3):
        steps = np.diff(turn.voxels(world[..., axis]), axis=axis)
        assert (steps > 0).all()
        np.testing.assert_allclose(np.abs(steps), abs(steps.flat[0]))


@pytest.mark.parametrize("direction", [LPS, SAGITTAL_STACK, LEFT_HANDED])
def test_an_index_turns_with_its_voxel(direction):
    geometry = Geometry((4, 5, 6), (1.0, 2.0, 3.0), direction=direction)
    voxels = np.zeros(geometry.shape)
    voxels[1, 4, 2] = 7.0
    turn = Turn.of(geometry)
    assert turn.voxels(voxels)[tuple(int(v) for v in turn.index((1, 4, 2), geometry))] == 7.0


def test_the_spacing_turns_too():
    geometry = Geometry((4, 5, 6), (1.0, 2.0, 3.0), direction=SAGITTAL_STACK)
    assert Turn.of(geometry).spacing(geometry) == (3.0, 1.0, 2.0)
