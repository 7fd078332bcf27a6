"""The bridge: masks and images go into the scene and come back as they were."""

import numpy as np
import pytest

from StructDiffCore.domain import CARDIAC, LabelMap, StructDiffError


def test_an_image_comes_back_voxel_for_voxel(bridge, a_small_image):
    back = bridge.volumeOf(bridge.addVolume(a_small_image, "image"))
    np.testing.assert_array_equal(back.voxels, a_small_image.voxels)
    np.testing.assert_array_equal(back.geometry.affine, a_small_image.geometry.affine)


def test_a_mask_comes_back_voxel_for_voxel(bridge, a_small_mask):
    back = bridge.labelMapOf(bridge.addSegmentation(a_small_mask, "mask"))
    np.testing.assert_array_equal(back.voxels, a_small_mask.voxels)
    np.testing.assert_array_equal(back.geometry.affine, a_small_mask.geometry.affine)
    assert back.scheme == CARDIAC


def test_segments_carry_names_colours_and_snomed_codes(bridge, a_small_mask):
    node = bridge.addSegmentation(a_small_mask, "mask")
    told = {one.value: one for one in bridge.segmentLabels(node)}
    assert set(told) == {6, 8}
    assert (told[8].name, told[8].snomed, told[8].thin, told[8].known) == ("left coronary tree", "3227004", True, True)
    segment = node.GetSegmentation().GetSegment(told[6].segmentId)
    np.testing.assert_allclose(segment.GetColor(), np.array(CARDIAC[6].colour) / 255, atol=1e-6)


def test_an_edit_can_be_undone_and_made_again(bridge, a_small_mask):
    node = bridge.addSegmentation(a_small_mask, "mask")
    ids = node.GetSegmentation().GetSegmentIDs()
    edited = a_small_mask.voxels.copy()
    edited[12, 6:12, 6] = 0
    bridge.replaceLabels(node, LabelMap(edited, a_small_mask.geometry, CARDIAC))
    assert node.GetSegmentation().GetSegmentIDs() == ids
    np.testing.assert_array_equal(bridge.labelMapOf(node).voxels, edited)
    assert bridge.undo(node)
    np.testing.assert_array_equal(bridge.labelMapOf(node).voxels, a_small_mask.voxels)
    assert bridge.redo(node)
    np.testing.assert_array_equal(bridge.labelMapOf(node).voxels, edited)


def test_a_deleted_node_is_refused_not_written_to(bridge, scene, a_small_mask, a_small_image):
    mask, image = bridge.addSegmentation(a_small_mask, "mask"), bridge.addVolume(a_small_image, "image")
    scene.RemoveNode(mask)
    scene.Clear(False)
    with pytest.raises(StructDiffError, match="no longer in the scene"):
        bridge.replaceLabels(mask, a_small_mask)
    with pytest.raises(StructDiffError, match="no longer in the scene"):
        bridge.volumeOf(image)
