"""Fixtures: a scene of Slicer's real runtime and a bridge to it."""

import numpy as np
import pytest

from StructDiffCore.domain import CARDIAC, Geometry, LabelMap, Volume


@pytest.fixture(scope="session")
def runtime():
    from slicerRuntime import SlicerRuntime

    return SlicerRuntime()


@pytest.fixture
def scene(runtime):
    runtime.scene.Clear(False)
    return runtime.scene


@pytest.fixture
def bridge(runtime, scene):
    from StructDiffLib.SceneBridge import SceneBridge

    return SceneBridge(scene, runtime.logics)


@pytest.fixture
def an_oblique_grid():
    angle = np.deg2rad(25)
    turn = [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, -1]]
    return Geometry((20, 18, 16), (0.7, 0.8, 1.1), (-31.5, 12.25, 100.125), turn)


@pytest.fixture
def a_small_mask(an_oblique_grid):
    """An aorta and a left tree that touches it; hand-drawn."""
    voxels = np.zeros(an_oblique_grid.shape, np.uint8)
    voxels[4:9, 4:9, 2:14] = 6
    voxels[9:17, 6, 6] = 8
    voxels[12, 6:12, 6] = 8
    return LabelMap(voxels, an_oblique_grid, CARDIAC)


@pytest.fixture
def a_small_image(an_oblique_grid):
    voxels = np.random.default_rng(0).normal(0, 100, an_oblique_grid.shape).astype(np.float32)
    return Volume(voxels, an_oblique_grid)
