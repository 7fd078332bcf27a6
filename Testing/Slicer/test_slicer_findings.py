"""Findings: the table, the points, the jump and the safe fixes, on the scene's own mask."""

import numpy as np
import pytest
from StructDiffLib import findings, topologyLine

from StructDiffCore.domain import CARDIAC, Geometry, LabelMap, StructDiffError

GRID = Geometry((48, 40, 36), (0.8, 0.8, 0.8), (-20, -15, -14))
SPECK = (30, 30, 30)


@pytest.fixture
def a_faulty_mask():
    """An aorta with a hole that leaves the volume, a left tree on it, and a speck of the tree far away."""
    voxels = np.zeros(GRID.shape, np.uint8)
    voxels[4:16, 12:24, 0:34] = 6
    voxels[9:11, 17:19, 17:19] = 0
    voxels[16:44, 17:20, 17:20] = 8
    voxels[30:33, 20:34, 17:20] = 8
    voxels[SPECK] = 8
    return LabelMap(voxels, GRID, CARDIAC)


def test_the_table_tells_what_is_wrong_where_and_how_bad(a_faulty_mask):
    quality = findings.look(a_faulty_mask)
    assert quality.verdict == "fail"
    told = {(row.kind, row.labelName): row for row in quality.rows}
    speck, hole = told["fragment", "left coronary tree"], told["cavity", "aorta"]
    np.testing.assert_allclose(speck.positionRAS, GRID.to_world(SPECK), atol=1e-6)
    assert (speck.severity, speck.fixable, hole.severity, hole.fixable) == ("error", True, "error", True)
    assert findings.verdict(a_faulty_mask) == "fail"


def test_every_placed_finding_has_a_point_with_its_words(bridge, a_faulty_mask):
    rows = findings.findingsOf(a_faulty_mask)
    node = bridge.addFindings(rows)
    placed = [row for row in rows if row.positionRAS is not None]
    assert node.GetNumberOfControlPoints() == len(placed) > 1
    for number, row in enumerate(placed):
        np.testing.assert_allclose(node.GetNthControlPointPositionWorld(number), row.positionRAS, atol=1e-6)
        assert node.GetNthControlPointDescription(number) == f"{row.severity}: {row.message}"


def test_new_findings_replace_the_old_points(bridge, scene, a_faulty_mask):
    rows = findings.findingsOf(a_faulty_mask)
    first = bridge.addFindings(rows)
    second = bridge.addFindings(rows[:1], replace=first)
    assert second is first
    assert second.GetNumberOfControlPoints() == 1


def test_a_fix_does_what_it_says_and_can_be_undone(bridge, a_faulty_mask):
    node = bridge.addSegmentation(a_faulty_mask, "mask")
    for row in [row for row in findings.findingsOf(a_faulty_mask) if row.fixable]:
        findings.fix(bridge, node, row)
    mended = bridge.labelMapOf(node)
    assert mended.voxels[SPECK] == 0
    assert mended.voxels[10, 18, 18] == 6
    assert findings.verdict(mended) == "pass"
    assert bridge.undo(node)
    assert bridge.undo(node)
    np.testing.assert_array_equal(bridge.labelMapOf(node).voxels, a_faulty_mask.voxels)


def test_a_finding_that_is_no_longer_true_is_not_fixed(bridge, a_faulty_mask):
    node = bridge.addSegmentation(a_faulty_mask, "mask")
    row = next(row for row in findings.findingsOf(a_faulty_mask) if row.kind == "fragment")
    findings.fix(bridge, node, row)
    with pytest.raises(StructDiffError, match="has changed"):
        findings.fix(bridge, node, row)


def test_what_has_no_safe_fix_is_left_alone(bridge, a_faulty_mask):
    node = bridge.addSegmentation(a_faulty_mask, "mask")
    row = next(row for row in findings.findingsOf(a_faulty_mask) if not row.fixable)
    with pytest.raises(StructDiffError, match="no safe fix"):
        findings.fix(bridge, node, row)
    np.testing.assert_array_equal(bridge.labelMapOf(node).voxels, a_faulty_mask.voxels)


def test_a_jump_moves_every_slice_and_every_camera(scene):
    place = (12.5, -3.0, 7.25)
    slices = [scene.AddNewNodeByClass("vtkMRMLSliceNode", name) for name in ("Red", "Green")]
    for node, orientation in zip(slices, ("Axial", "Coronal")):
        node.SetLayoutName(node.GetName())
        node.SetOrientation(orientation)
    camera = scene.AddNewNodeByClass("vtkMRMLCameraNode")
    camera.SetPosition(0, 500, 0)
    camera.SetFocalPoint(0, 0, 0)
    findings.jump(scene, place)
    assert slices[0].GetSliceOffset() == pytest.approx(place[2])
    assert slices[1].GetSliceOffset() == pytest.approx(place[1])
    np.testing.assert_allclose(camera.GetFocalPoint(), place)
    np.testing.assert_allclose(np.subtract(camera.GetPosition(), place), (0, findings.CLOSE_MM, 0), atol=1e-9)


def test_the_topology_line_from_the_scene_is_that_of_the_mask(bridge, a_faulty_mask):
    node = bridge.addSegmentation(a_faulty_mask, "mask")
    ids = {one.value: one.segmentId for one in bridge.segmentLabels(node)}
    assert topologyLine.lineOfSegment(node, ids[8]) == topologyLine.topologyLine(a_faulty_mask, 8)
    assert topologyLine.lineOfSegment(node, ids[8]).startswith("LCA: 2 pieces, 0 loops")
    assert topologyLine.lineOfSegment(node, ids[6]) == "aorta: 1 piece, 0 loops, 1 cavity"


def test_the_topology_line_follows_a_stroke_in_the_segment_editor(bridge, a_faulty_mask):
    """A stroke changes the shared labelmap in place, as Slicer's effects do."""
    from StructDiffLib.grids import voxelsOf
    from StructDiffLib.labelmaps import BINARY

    node = bridge.addSegmentation(a_faulty_mask, "mask")
    tree = next(one.segmentId for one in bridge.segmentLabels(node) if one.value == 8)
    image = node.GetSegmentation().GetSegment(tree).GetRepresentation(BINARY)
    voxelsOf(image)[SPECK] = 0
    image.Modified()
    assert topologyLine.lineOfSegment(node, tree).startswith("LCA: 1 piece, 0 loops")


def test_the_box_around_a_label_holds_it_with_a_margin():
    voxels = np.zeros((20, 18, 16), np.uint8)
    voxels[5:9, 0, 10:16] = 3
    assert topologyLine.boxAround(voxels, 3) == (slice(2, 12), slice(0, 4), slice(7, 16))
    assert topologyLine.boxAround(voxels, 4) is None
