"""The other labeller: borders half a voxel out, thin vessels missed, everything else as it was."""

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from StructDiffCore.domain import CARDIAC, Geometry
from StructDiffCore.evaluation.downstream.labeller import relabelled
from StructDiffCore.phantom.heart import Heart
from StructDiffCore.phantom.tissues import Tissue
from StructDiffCore.vessels.graph import Branch, VesselGraph

GRID = Geometry((48, 48, 48), (0.8, 0.8, 0.8))


def a_heart(radius_mm=9.0, vessel_radius_mm=0.5):
    """A ball of ventricle and a straight vessel beside it, in fat."""
    at = GRID.to_world(np.moveaxis(np.indices(GRID.shape), 0, -1))
    tissue = np.full(GRID.shape, Tissue.PERICARDIAL_FAT, np.uint8)
    tissue[np.linalg.norm(at - 18.0, axis=-1) < radius_mm] = Tissue.LV
    tissue[(np.hypot(at[..., 0] - 4.0, at[..., 1] - 4.0) < 1.0) & (at[..., 2] > 4) & (at[..., 2] < 30)] = Tissue.LEFT_CORONARY
    points = np.column_stack([np.full(27, 4.0), np.full(27, 4.0), np.linspace(4, 30, 27)])
    tree = VesselGraph((Branch(points, np.full(27, vessel_radius_mm), "LAD", None),), points[0])
    full = np.full(GRID.shape, 255, np.uint8)
    return Heart.of_materials((tissue, tissue.copy(), full), GRID, {"left": tree}, "left", 0)


def test_a_flat_enough_border_moves_out_by_half_a_voxel():
    heart = a_heart(14.0)
    before, after = (labels.voxels == 3 for labels in (heart.mask, relabelled(heart)))
    radius = [(3 * mask.sum() / (4 * np.pi)) ** (1 / 3) for mask in (before, after)]
    assert radius[1] - radius[0] == pytest.approx(0.5, abs=0.15)
    assert distance_transform_edt(~before)[after].max() < 1.5
    assert (after | ~before).all()


@pytest.mark.parametrize(("radius_mm", "seen"), [(0.5, False), (0.69, False), (0.75, True)])
def test_vessels_below_0_7_mm_are_missed(radius_mm, seen):
    assert (relabelled(a_heart(vessel_radius_mm=radius_mm)).voxels == 8).any() == seen


def test_structures_keep_what_is_theirs_and_the_scheme_stays():
    heart = a_heart(vessel_radius_mm=1.0)
    found = relabelled(heart)
    inside = heart.mask.voxels > 0
    np.testing.assert_array_equal(found.voxels[inside], heart.mask.voxels[inside])
    assert found.scheme is CARDIAC
