"""Anatomy: measured on drawn hearts whose numbers one can count, and held against ranges."""

import numpy as np
import pytest
from mgm_hearts import a_digital_reference, ball

from StructDiffCore.domain import CARDIAC, Geometry
from StructDiffCore.mgm.anatomy import anatomy
from StructDiffCore.mgm.contract import Roles
from StructDiffCore.mgm.ranges import ANATOMY, VOLUMES_ML, measure_range, volume_range
from StructDiffCore.vessels.branch import Branch
from StructDiffCore.vessels.graph import VesselGraph

SHAPE = (72, 72, 80)
LEFT = "left coronary tree"


def measured(voxels, trees=None, spacing=1.0):
    geometry = Geometry(voxels.shape, (spacing,) * 3)
    present = tuple(int(v) for v in np.unique(voxels) if v)
    return anatomy(voxels, geometry, CARDIAC, Roles.of(CARDIAC, present), trees or {})


def a_drawn_heart(height=14):
    """A ball of muscle 8 mm thick around a pool that is open towards +k, an aorta on top, a vessel that leaves it at a height."""
    voxels = np.zeros(SHAPE, np.uint8)
    voxels[ball(SHAPE, (36, 36, 30), 22)] = 1
    voxels[ball(SHAPE, (36, 36, 30), 14)] = 3
    voxels[32:41, 32:41, 40:53] = 3
    voxels[30:43, 30:43, 53:80] = 6
    foot = 53 + height
    voxels[43:52, 35:38, foot - 1 : foot + 2] = 8
    tree = VesselGraph((Branch(np.array([[43.0, 36, foot], [52, 36, foot]]), np.array([1.5, 1.5]), "LM"),))
    return voxels, {8: tree}


def test_the_wall_of_a_drawn_shell_is_as_thick_as_it_was_drawn():
    voxels, trees = a_drawn_heart()
    found = measured(voxels, trees)
    assert found["myocardium: median wall in mm"] == pytest.approx(8.0, abs=1.0)
    assert found["myocardium: thinnest wall in mm"] == pytest.approx(8.0, abs=1.6)


@pytest.mark.parametrize("height", [8, 18])
def test_the_ostium_lies_as_high_above_the_annulus_as_it_was_drawn(height):
    assert measured(*a_drawn_heart(height))[f"{LEFT}: ostium above the annulus in mm"] == pytest.approx(height, abs=2.0)


@pytest.mark.parametrize(("radius", "share"), [(24.0, 1.0), (38.0, 0.0)])
def test_a_vessel_is_on_the_epicardium_where_it_runs_along_it(radius, share):
    voxels, _ = a_drawn_heart()
    turn = np.linspace(np.pi / 2.5, -np.pi / 3, 40)
    course = np.array([36.0, 36.0, 30.0]) + radius * np.column_stack([np.cos(turn), np.zeros(40), np.sin(turn)])
    tree = VesselGraph((Branch(course, np.full(40, 1.0), "LM"),))
    found = measured(voxels, {8: tree})
    assert found[f"{LEFT}: share of its course on the epicardium"] == pytest.approx(share, abs=0.05)


def test_ratios_are_volumes_over_each_other():
    voxels, trees = a_drawn_heart()
    ratio = np.count_nonzero(voxels == 1) / np.count_nonzero(voxels == 3)
    assert measured(voxels, trees)["myocardium / left ventricle"] == pytest.approx(ratio)


def test_a_digital_heart_measures_like_a_human():
    for name, found in a_digital_reference(1).measures.items():
        wanted = measure_range(name, None)
        assert wanted is not None, name
        assert wanted.low <= found <= wanted.high, name


def test_a_range_opens_to_an_unusual_reference_but_not_to_its_double():
    thin = measure_range("myocardium: thinnest wall in mm", 1.5)
    assert thin.low == pytest.approx(1.2)
    assert volume_range("left ventricle", 300).high == pytest.approx(375)
    assert volume_range("left ventricle", 60).high == pytest.approx(120)
    assert volume_range("spleen", 100).low == pytest.approx(50)


def test_every_range_names_its_source():
    for one in (*VOLUMES_ML.values(), *ANATOMY.values()):
        assert one.low < one.high
        assert one.source
