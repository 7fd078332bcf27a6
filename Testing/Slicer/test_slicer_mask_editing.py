"""Mask editing: an MGM edit in the scene is proved, is one undo step, and changes the vessel it is for."""

import numpy as np
import pytest
from StructDiffLib import findings, maskEditing

from StructDiffCore.domain import LabelMap, StructDiffError


@pytest.fixture(scope="session")
def a_heart_mask():
    from StructDiffCore.io.files import read_label_map
    from StructDiffCore.preprocess.template_library import shipped_mask_to_edit

    return read_label_map(shipped_mask_to_edit())


@pytest.fixture(scope="session")
def its_branches(a_heart_mask):
    return maskEditing.branches(a_heart_mask)


@pytest.fixture(scope="session")
def a_side_branch(its_branches):
    """The longest branch that springs from another one."""
    return max((row for row in its_branches if not row.isRoot), key=lambda row: row.lengthMM)


def test_every_vessel_lists_its_branches_with_their_place(a_heart_mask, its_branches):
    assert {row.treeName for row in its_branches} == {"left coronary tree", "right coronary tree"}
    assert sum(row.isRoot for row in its_branches) == 2
    for row in its_branches:
        i, j, k = np.rint(a_heart_mask.geometry.to_index(row.positionRAS)).astype(int)
        assert (a_heart_mask.voxels[i - 1 : i + 2, j - 1 : j + 2, k - 1 : k + 2] == row.tree).any()
        assert row.lengthMM > 0
        assert 0.1 < row.radiusMM < 5


def test_pruning_takes_the_branch_away_and_undo_brings_it_back(bridge, a_heart_mask, a_side_branch):
    node = bridge.addSegmentation(a_heart_mask, "mask")
    result = maskEditing.edit(bridge, node, "prune", tree=a_side_branch.tree, branch=a_side_branch.branch)
    after = bridge.labelMapOf(node)
    assert (after.voxels == a_side_branch.tree).sum() < (a_heart_mask.voxels == a_side_branch.tree).sum()
    assert result.recipe["edits"][0]["kind"] == "prune"
    i, j, k = np.rint(after.geometry.to_index(a_side_branch.positionRAS)).astype(int)
    assert after.voxels[i, j, k] != a_side_branch.tree
    assert bridge.undo(node)
    np.testing.assert_array_equal(bridge.labelMapOf(node).voxels, a_heart_mask.voxels)


@pytest.mark.parametrize(
    ("kind", "options", "grows"),
    [
        ("narrow", {"centreMM": 10.0, "lengthMM": 8.0, "percent": 50.0}, False),
        ("widen", {"centreMM": 10.0, "lengthMM": 8.0, "percent": 50.0}, True),
        ("lengthen", {"byMM": 8.0}, True),
    ],
)
def test_an_edit_changes_its_own_vessel_and_little_else(a_heart_mask, a_side_branch, its_branches, kind, options, grows):
    row = a_side_branch if kind == "lengthen" else next(r for r in its_branches if r.isRoot)
    made = maskEditing.edited(a_heart_mask, kind, tree=row.tree, branch=row.branch, **options).labelMap
    before, after = (labels.voxels == row.tree for labels in (a_heart_mask, made))
    assert (after.sum() > before.sum()) == grows
    assert np.mean(made.voxels != a_heart_mask.voxels) < 0.002


def test_a_new_mask_is_another_mask_of_the_same_scheme(a_heart_mask):
    made = maskEditing.edited(a_heart_mask, "newMask", seed=3)
    assert made.labelMap.present == a_heart_mask.present
    assert made.labelMap.scheme == a_heart_mask.scheme
    assert made.recipe["warp"]["sd_mm"] > 0
    assert not np.array_equal(made.labelMap.voxels, a_heart_mask.voxels)


def test_a_new_mask_on_a_larger_grid_takes_the_old_ones_place(bridge, a_heart_mask):
    """A warp may need more room; the segmentation then holds the new grid, and undo brings the old one back."""
    node = bridge.addSegmentation(a_heart_mask, "mask")
    made = maskEditing.edit(bridge, node, "newMask", seed=3).labelMap
    back = bridge.labelMapOf(node)
    assert back.geometry.same_as(made.geometry)
    np.testing.assert_array_equal(back.voxels, made.voxels)
    assert bridge.undo(node)
    inBefore = bridge.labelMapOf(node, a_heart_mask.geometry)
    np.testing.assert_array_equal(inBefore.voxels, a_heart_mask.voxels)


def test_a_mask_in_pieces_is_refused_with_a_remedy_and_mended_on_demand(a_heart_mask, a_side_branch):
    cut = a_heart_mask.voxels.copy()
    world = a_heart_mask.geometry.to_world(np.argwhere(cut == a_side_branch.tree))
    near = np.linalg.norm(world - a_side_branch.positionRAS, axis=1) < 2.0
    cut[tuple(np.argwhere(cut == a_side_branch.tree)[near].T)] = 0
    broken = LabelMap(cut, a_heart_mask.geometry, a_heart_mask.scheme)
    with pytest.raises(StructDiffError, match="Repair"):
        maskEditing.edited(broken, "prune", tree=a_side_branch.tree, branch=a_side_branch.branch)
    mended = maskEditing.edited(broken, "repair")
    assert findings.verdict(mended.labelMap) == "pass"
    assert "left coronary tree" in mended.message or "right coronary tree" in mended.message


def test_an_edit_that_cannot_be_leaves_the_mask_alone(bridge, a_heart_mask, its_branches):
    node = bridge.addSegmentation(a_heart_mask, "mask")
    root = next(row for row in its_branches if row.isRoot)
    with pytest.raises(StructDiffError):
        maskEditing.edit(bridge, node, "move", tree=root.tree, branch=root.branch, byMM=5.0)
    with pytest.raises(StructDiffError, match="no edit called"):
        maskEditing.edit(bridge, node, "explode")
    np.testing.assert_array_equal(bridge.labelMapOf(node).voxels, a_heart_mask.voxels)
    assert not bridge.history.canUndo(node)
