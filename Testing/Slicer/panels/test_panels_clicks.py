"""Real clicks on every panel over real MRML; disabled buttons say why."""

import numpy as np
import pytest

from StructDiffCore.domain import CARDIAC, Geometry, Label, LabelMap, LabelScheme, Volume


@pytest.fixture
def heart(widget, wait):
    """The sample data: a digital heart's mask, its template chosen in the library."""
    wait(lambda: widget.session.entries)
    widget.ui.sampleDataButton.click()
    wait(lambda: "LCA" in widget.desk.panels["EditPanel"].ui.topologyLabel.text())
    return widget.session.parameters.maskNode


@pytest.fixture
def a_faulty_mask(widget):
    """An aorta, a left tree that touches it, and a speck of the tree beyond a gap."""
    voxels = np.zeros((32, 30, 28), np.uint8)
    voxels[4:12, 4:12, 4:24] = 6
    voxels[12:24, 8:11, 8:11] = 8
    voxels[26:28, 9, 9] = 8
    node = widget.session.bridge.addSegmentation(LabelMap(voxels, Geometry(voxels.shape, (1.0, 1.0, 1.0)), CARDIAC), "faulty")
    widget.ui.maskSelector.setCurrentNode(node)
    return node


@pytest.fixture
def with_confidence(widget, a_faulty_mask):
    """A synthetic volume and a map with one uncertain spot, chosen in step 4."""
    bridge, grid = widget.session.bridge, Geometry((32, 30, 28), (1.0, 1.0, 1.0))
    unsure = np.zeros(grid.shape, np.float32)
    unsure[20, 10, 10] = 25.0
    widget.session.parameters.imageNode = bridge.addVolume(Volume(np.zeros(grid.shape, np.float32), grid), "synthetic")
    widget.session.parameters.confidenceNode = bridge.addVolume(Volume(unsure, grid), "confidence")
    return widget.session.parameters.confidenceNode


def panel(widget, name):
    return widget.desk.panels[f"{name}Panel"].ui


def click(button):
    assert button.isEnabled(), button.toolTip()
    button.click()


def test_one_click_on_sample_data_makes_everything_ready(widget, heart):
    assert widget.session.failure is None
    assert panel(widget, "Synthesis").synthesizeButton.isEnabled()
    assert "GiB" in panel(widget, "Synthesis").estimateLabel.text()
    library = panel(widget, "Template").templateList
    assert "best match" in library.item(0).text()
    assert not library.item(0).icon().isNull()
    assert widget.desk.panels["TemplatePanel"].widget.text.endswith("digital-heart")


def test_without_a_mask_every_button_that_needs_one_says_so(widget):
    for name, button in (("Edit", "newMaskButton"), ("Synthesis", "synthesizeButton"), ("Quality", "checkButton")):
        target = getattr(panel(widget, name), button)
        assert not target.isEnabled()
        assert "Choose a mask" in target.toolTip()
    assert "Synthesise first" in panel(widget, "Export").exportButton.toolTip()
    assert "Nothing is running" in panel(widget, "Synthesis").cancelButton.toolTip()


def test_no_disabled_button_is_without_a_reason(widget, ready):
    from PySide6.QtWidgets import QPushButton

    mute = [b.objectName() for b in widget.uiWidget.findChildren(QPushButton) if not b.isEnabled() and not b.toolTip()]
    assert mute == []


def test_a_vessel_is_narrowed_by_clicks_and_undone(widget, heart, wait):
    edit, bridge = panel(widget, "Edit"), widget.session.bridge
    before = bridge.labelMapOf(heart).voxels.copy()
    assert "Find the branches" in edit.narrowButton.toolTip()
    click(edit.findBranchesButton)
    wait(lambda: edit.branchComboBox.count() > 3)
    lad = next(n for n in range(edit.branchComboBox.count()) if "LAD" in edit.branchComboBox.itemText(n))
    edit.branchComboBox.setCurrentIndex(lad)
    edit.percentSlider.value = 60.0
    click(edit.narrowButton)
    assert not edit.narrowButton.isEnabled()
    wait(lambda: not widget.session.background.busy, 120)
    assert widget.session.failure is None, widget.session.failure.report()
    assert "proved" in edit.editMessageLabel.text()
    after = bridge.labelMapOf(heart).voxels
    assert (after == 8).sum() < (before == 8).sum()
    click(edit.undoEditButton)
    assert (bridge.labelMapOf(heart).voxels == before).all()
    click(edit.redoEditButton)
    assert (bridge.labelMapOf(heart).voxels == after).all()


def test_the_topology_line_follows_a_stroke(widget, a_faulty_mask, wait):
    label = panel(widget, "Edit").topologyLabel
    wait(lambda: "2 pieces" in label.text())
    labelMap = widget.session.bridge.labelMapOf(a_faulty_mask)
    voxels = labelMap.voxels.copy()
    voxels[26:28, 9, 9] = 0
    widget.session.bridge.replaceLabels(a_faulty_mask, LabelMap(voxels, labelMap.geometry, CARDIAC))
    wait(lambda: "1 piece" in label.text())
    assert "2 pieces" not in label.text()


def test_a_broken_mask_is_repaired_by_a_click_and_shown_in_3d(widget, a_faulty_mask, wait):
    edit = panel(widget, "Edit")
    click(edit.repairButton)
    wait(lambda: not widget.session.background.busy, 120)
    assert widget.session.failure is None, widget.session.failure.report()
    wait(lambda: "1 piece" in edit.topologyLabel.text())
    click(edit.vessels3DCheckBox)
    assert a_faulty_mask.GetDisplayNode().GetVisibility3D()
    click(edit.vessels3DCheckBox)
    assert not a_faulty_mask.GetDisplayNode().GetVisibility3D()


def test_the_segment_editor_is_set_up_for_vessels_and_left_clean(widget, a_faulty_mask):
    editor = panel(widget, "Edit").segmentEditor
    assert editor.order[:3] == ["Paint", "Draw", "Erase"]
    assert editor.shortcuts
    assert editor.segmentation is a_faulty_mask
    widget.exit()
    assert not editor.shortcuts
    assert not editor.observing
    widget.enter()


def test_findings_are_listed_jumped_to_fixed_and_undone(widget, a_faulty_mask, wait, scene):
    import slicer

    quality, bridge = panel(widget, "Quality"), widget.session.bridge
    slices = scene.AddNode(slicer.vtkMRMLSliceNode())
    click(quality.checkButton)
    wait(lambda: quality.findingsTable.rowCount() > 0)
    assert quality.verdictLabel.text().startswith("Failed")
    messages = [quality.findingsTable.item(row, 1).text() for row in range(quality.findingsTable.rowCount())]
    fragment = next(row for row, text in enumerate(messages) if "fragment" in text or "piece" in text)
    assert scene.GetFirstNodeByClass("vtkMRMLMarkupsFiducialNode") is not None
    quality.findingsTable.setCurrentCell(fragment, 0)
    quality.findingsTable.cellClicked.emit(fragment, 0)
    here = [slices.GetSliceToRAS().GetElement(axis, 3) for axis in range(3)]
    assert np.linalg.norm(np.subtract(here, (26.5, 9.0, 9.0))) < 6
    before = bridge.labelMapOf(a_faulty_mask).voxels.copy()
    click(quality.fixButton)
    wait(lambda: not widget.session.background.busy)
    assert (bridge.labelMapOf(a_faulty_mask).voxels != before).any()
    click(quality.undoFixButton)
    assert (bridge.labelMapOf(a_faulty_mask).voxels == before).all()
    wait(lambda: not widget.session.background.busy)


def test_confidence_is_shown_thresholded_and_jumped_through(widget, with_confidence, scene):
    import slicer

    confidence = panel(widget, "Confidence")
    composite = scene.AddNode(slicer.vtkMRMLSliceCompositeNode())
    slices = scene.AddNode(slicer.vtkMRMLSliceNode())
    click(confidence.overlayCheckBox)
    assert composite.GetForegroundVolumeID() == with_confidence.GetID()
    confidence.thresholdSlider.value = 12.0
    assert with_confidence.GetDisplayNode().GetLowerThreshold() == 12.0
    assert widget.session.parameters.threshold == 12.0
    click(confidence.nextSpotButton)
    assert [round(slices.GetSliceToRAS().GetElement(axis, 3)) for axis in range(3)] == [20, 10, 10]
    click(confidence.surfaceCheckBox)
    assert widget.session.failure is None
    click(confidence.overlayCheckBox)
    assert composite.GetForegroundVolumeID() is None
    assert "a hint where to look" in confidence.worthLabel.text()


def test_comparison_goes_there_and_back(widget, ready, scene):
    import slicer

    layout = scene.AddNode(slicer.vtkMRMLLayoutNode())
    layout.SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    widget.session.parameters.imageNode = ready.image
    compare = panel(widget, "Confidence").compareButton
    click(compare)
    assert layout.GetViewArrangement() != slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
    click(compare)
    assert layout.GetViewArrangement() == slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView


def test_a_strange_label_is_mapped_by_name_and_by_hand(widget):
    voxels = np.zeros((12, 12, 12), np.uint8)
    voxels[1:4, 1:4, 1:4], voxels[6:9, 6:9, 6:9] = 21, 22
    scheme = LabelScheme("mine", (Label(21, "LA cavity"), Label(22, "side branch")))
    node = widget.session.bridge.addSegmentation(LabelMap(voxels, Geometry((12, 12, 12), (1, 1, 1)), scheme), "foreign")
    node.RemoveAttribute("StructDiff.Scheme")
    widget.ui.maskSelector.setCurrentNode(node)
    labels = panel(widget, "Labels")
    assert not widget.desk.panels["LabelsPanel"].widget.isHidden()
    assert [labels.labelsTable.item(row, 0).text() for row in range(2)] == ["LA cavity", "side branch"]
    labels.labelsTable.item(0, 1).setText("left atrium")
    from PySide6.QtCore import Qt

    labels.labelsTable.item(1, 3).setCheckState(Qt.CheckState.Checked)
    click(labels.applyLabelsButton)
    assert widget.session.failure is None, widget.session.failure.report()
    told = {one.name: one for one in widget.session.bridge.segmentLabels(node)}
    assert told["left atrium"].value == 2
    assert told["left atrium"].snomed == CARDIAC[2].snomed
    assert told["side branch"].thin


def test_a_mask_without_vessels_is_taken_and_says_so(widget, wait):
    voxels = np.zeros((16, 16, 16), np.uint8)
    voxels[4:12, 4:12, 4:12] = 3
    mask = LabelMap(voxels, Geometry(voxels.shape, (1.0, 1.0, 1.0)), CARDIAC)
    widget.ui.maskSelector.setCurrentNode(widget.session.bridge.addSegmentation(mask, "ventricle"))
    wait(lambda: "no vessel" in panel(widget, "Edit").topologyLabel.text())
    click(panel(widget, "Edit").findBranchesButton)
    wait(lambda: not widget.session.background.busy)
    assert not panel(widget, "Edit").narrowButton.isEnabled()
    assert panel(widget, "Edit").narrowButton.toolTip()


def test_a_template_mask_on_another_grid_is_brought_onto_the_images(widget, ready, stub_worker, wait):
    from StructDiffCore.io.files import read_label_map, read_volume

    coarse = np.zeros((10, 10, 10), np.uint8)
    coarse[2:8, 2:8, 2:8] = 6
    grid = Geometry(coarse.shape, (3.0, 3.0, 3.0), (-40.0, 5.0, 80.0))
    other = widget.session.bridge.addSegmentation(LabelMap(coarse, grid, CARDIAC), "coarse")
    panel(widget, "Template").templateMaskSelector.setCurrentNode(other)
    stub_worker("memory")
    click(panel(widget, "Synthesis").synthesizeButton)
    wait(lambda: not widget.session.running)
    paths = widget.session.lastJob["inputs"]
    image, mask = read_volume(paths["template_image"]), read_label_map(paths["template_mask"], CARDIAC)
    assert mask.geometry.same_as(image.geometry, 1e-3)


def test_a_template_of_the_scene_that_is_no_ct_is_warned_of(widget, ready):
    template = panel(widget, "Template")
    widget.session.bridge.scene.RemoveNode(ready.image)
    grid = widget.session.bridge.labelMapOf(ready.templateMask).geometry
    photo = widget.session.bridge.addVolume(Volume(np.full(grid.shape, 128.0, np.float32), grid), "a photograph")
    template.templateImageSelector.setCurrentNode(photo)
    click(template.checkTemplateButton)
    assert "Please look" in template.templateWarningLabel.text()
    assert not template.templateWarningLabel.isHidden()


def test_choices_are_kept_in_the_scene(widget, ready, scene, tmp_path):
    """Saved and read back: the parameter node carries them."""
    from StructDiffLib.parameters import Preset

    panel(widget, "Synthesis").presetComboBox.setCurrentIndex(2)
    panel(widget, "Synthesis").seedSpinBox.setValue(77)
    again = widget.logic.getParameterNode()
    assert again.preset is Preset.BEST
    assert again.seed == 77
    assert again.maskNode is ready.mask


def test_closing_the_scene_empties_the_panels_without_a_notice(widget, ready, scene):
    scene.Clear(False)
    assert widget.session.failure is None
    assert widget.ui.maskSelector.currentNode() is None
    assert not panel(widget, "Synthesis").synthesizeButton.isEnabled()


def test_a_batch_runs_pair_after_pair(widget, heart, a_faulty_mask, stub_worker, wait):
    export = panel(widget, "Export")
    stub_worker("memory")
    click(export.fillBatchButton)
    assert (export.batchTable.rowCount(), export.batchTable.columnCount()) == (2, 1)
    from PySide6.QtCore import Qt

    assert not export.startBatchButton.isEnabled()
    for row in range(2):
        export.batchTable.item(row, 0).setCheckState(Qt.CheckState.Checked)
    click(export.startBatchButton)
    wait(lambda: "2 failed" in export.batchLabel.text())
    assert not widget.session.running
