"""The real test: halves that share nothing, the organs' names, the whole plan in miniature."""

import json

import numpy as np
import pytest

from StructDiffCore.config.resources import shared_data_folder
from StructDiffCore.domain import Geometry, ImageMaskPair, LabelMap, LabelScheme, StructDiffError, Volume
from StructDiffCore.evaluation.downstream.__main__ import run
from StructDiffCore.evaluation.downstream.proof_settings import ProofSettings
from StructDiffCore.evaluation.downstream.scans_plan import STRUCTURES, ScansPlan, half, learnt_labels, warped_mask
from StructDiffCore.evaluation.downstream.work import Workshop

GRID = Geometry((40, 24, 24), (3.0, 3.0, 3.0))
SCHEME = LabelScheme.from_values([1, 2, 7])


def a_scan(grid=GRID):
    labels = np.zeros(grid.shape, np.uint8)
    labels[4:16, 4:20, 4:20], labels[24:36, 4:20, 4:20] = 1, 2
    image = np.broadcast_to(np.arange(40.0)[:, None, None], grid.shape)
    return ImageMaskPair(Volume(image, grid), LabelMap(labels, grid, SCHEME))


@pytest.mark.parametrize("turned", [False, True])
def test_halves_lie_on_their_side_and_share_nothing(turned):
    direction = ((-1.0, 0, 0), (0, -1.0, 0), (0, 0, 1.0)) if turned else GRID.direction
    scan = a_scan(Geometry(GRID.shape, GRID.spacing, GRID.origin, direction))
    right, left = (half(scan, side) for side in ("right", "left"))
    middle = scan.geometry.to_world((19.5, 0, 0))[0]
    for part, sign in ((right, 1), (left, -1)):
        ends = part.geometry.to_world([(0, 0, 0), (part.geometry.shape[0] - 1, 0, 0)])[:, 0]
        assert (sign * (ends - middle) > 3.0).all()
        assert sign * (ends[1] - ends[0]) > 0
        for voxel in [(0, 3, 5), (17, 8, 2)]:
            there = tuple(np.rint(scan.geometry.to_index(part.geometry.to_world(voxel))).astype(int))
            assert part.image.voxels[voxel] == scan.image.voxels[there]
            assert part.mask.voxels[voxel] == scan.mask.voxels[there]
    assert not set(np.unique(right.image.voxels)) & set(np.unique(left.image.voxels))
    assert right.geometry.shape == left.geometry.shape == (18, 24, 24)


def test_a_warped_mask_moves_organs_and_invents_none():
    mask = a_scan().mask
    one, other = (warped_mask(mask, seed) for seed in (1, 2))
    assert set(one.present) <= {1, 2}
    assert 0.01 < (one.voxels != mask.voxels).mean() < 0.4
    assert (one.voxels != other.voxels).any()
    np.testing.assert_array_equal(one.voxels, warped_mask(mask, 1).voxels)


def test_every_structure_counts_as_its_first_label():
    told = learnt_labels()
    assert {told["merged"].get(value, value) for value in told["labels"]} == {values[0] for values in STRUCTURES.values()}


def test_arms_that_make_no_sense_here_are_refused(tmp_path):
    with pytest.raises(StructDiffError, match="no arm 'warped'"):
        ScansPlan(ProofSettings(study="real scans", arms=("warped",)), Workshop(tmp_path))


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(shared_data_folder() is None, reason="the shared real scans are not here")
def test_every_arm_of_the_real_test_runs_in_miniature(tmp_path):
    learning = {"network": "UNet", "crop": 32, "batch": 1, "first_steps": 2, "last_steps": 1, "precision": "32-true"}
    arms = ["real", "augmented", "renderer", "synthetic", "CAL"]
    asked = {"study": "real scans", "arms": arms, "pairs": 1, "augmented": 1, "sampling_steps": 1, "doses": []}
    run(ProofSettings.from_dict({**asked, "spacing_mm": 6.0, "learning": learning}), tmp_path / "out")
    rows = json.loads((tmp_path / "out" / "scans.json").read_text())["rows"]
    assert [(row["arm"], row["learnt from"], row["tested on"]) for row in rows] == [
        (arm, side, scan)
        for arm in arms
        for side, other in (("right", "left"), ("left", "right"))
        for scan in (other, "stranger")
    ]
