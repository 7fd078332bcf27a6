"""Results: what a run left becomes nodes in a folder; a saved scene (MRB) holds all of it."""

import json

import numpy as np
import pytest
from StructDiffLib import display, findings, results

from StructDiffCore.domain import CARDIAC, LabelMap, StructDiffError, Volume
from StructDiffCore.io.files import write_float_volume, write_label_map, write_volume


@pytest.fixture
def a_finished_run(tmp_path, a_small_mask):
    """Three samples as ``structdiff synthesize`` leaves and tells them."""

    def make(count=3):
        samples = []
        for number in range(count):
            folder = tmp_path / f"sample-{number:03d}"
            folder.mkdir()
            grid = a_small_mask.geometry
            write_volume(Volume(np.full(grid.shape, 100.0 + number, np.float32), grid), folder / "image.nii.gz")
            write_float_volume(Volume(np.full(grid.shape, 7.5 + number, np.float32), grid), folder / "confidence.nii.gz")
            write_label_map(a_small_mask, folder / "mask.nii.gz")
            (folder / "manifest.json").write_text(json.dumps({"synthetic": True, "seed": number}), encoding="utf-8")
            told = {name: str(folder / f"{name}.nii.gz") for name in ("image", "confidence", "mask")}
            samples.append({**told, "folder": str(folder), "manifest": str(folder / "manifest.json"), "seed": number})
        return {"event": "finished", "out": str(tmp_path), "samples": samples}

    return make


def names_in_folder(scene, item):
    import slicer
    import vtk

    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    children = vtk.vtkIdList()
    hierarchy.GetItemChildren(item, children)
    return {hierarchy.GetItemName(children.GetId(n)) for n in range(children.GetNumberOfIds())}


def test_one_sample_becomes_a_volume_its_confidence_and_its_mask_in_one_folder(bridge, scene, a_finished_run, a_small_mask):
    loaded = bridge.loadResults(a_finished_run(1), "run 1")
    assert names_in_folder(scene, loaded.folderItem) == {"run 1 CT", "run 1 confidence", "run 1 mask", "run 1 manifests"}
    assert loaded.sequenceNode is None
    assert bridge.volumeOf(loaded.imageNodes[0]).voxels.min() == 100
    assert bridge.volumeOf(loaded.confidenceNodes[0]).voxels.max() == 7.5
    np.testing.assert_array_equal(bridge.labelMapOf(loaded.maskNode).voxels, a_small_mask.voxels)
    assert loaded.imageNodes[0].GetAttribute(results.SYNTHETIC) == "1"


def test_what_a_segmenter_read_is_loaded_beside_and_hidden_until_it_is_asked_for(bridge, scene, a_finished_run, a_small_mask):
    told = a_finished_run(1)
    told["samples"][0]["read_back"] = told["samples"][0]["mask"]
    loaded = bridge.loadResults(told, "run")
    assert "run read back" in names_in_folder(scene, loaded.folderItem)
    node = scene.GetFirstNodeByName("run read back")
    assert not node.GetDisplayNode().GetVisibility()
    np.testing.assert_array_equal(bridge.labelMapOf(node).voxels, a_small_mask.voxels)


def test_the_mask_of_a_plain_file_gets_the_names_of_its_scheme(bridge, a_finished_run):
    """NIfTI holds values only; the manifest or the caller's scheme says what they mean."""
    loaded = bridge.loadResults(a_finished_run(1), "run", scheme=CARDIAC)
    assert {one.name for one in bridge.segmentLabels(loaded.maskNode)} == {"aorta", "left coronary tree"}


def test_several_samples_become_a_sequence_that_shows_one_of_them(bridge, runtime, a_finished_run):
    loaded = bridge.loadResults(a_finished_run(3), "run")
    assert loaded.sequenceNode.GetNumberOfDataNodes() == 3
    assert len(loaded.imageNodes) == 1
    for number in (2, 0, 1):
        results.showSample(loaded.browserNode, runtime.logics["sequences"], number)
        assert bridge.volumeOf(loaded.imageNodes[0]).voxels.max() == 100 + number
        assert bridge.volumeOf(loaded.confidenceNodes[0]).voxels.max() == 7.5 + number


def test_a_run_whose_files_are_gone_is_refused_and_the_scene_is_as_before(bridge, scene, a_finished_run):
    told = a_finished_run(2)
    (__import__("pathlib").Path(told["samples"][1]["confidence"])).unlink()
    before = scene.GetNumberOfNodes()
    with pytest.raises(StructDiffError):
        bridge.loadResults(told, "run")
    assert scene.GetNumberOfNodes() == before


def test_a_run_without_samples_is_refused(bridge):
    with pytest.raises(StructDiffError, match="no volume"):
        bridge.loadResults({"event": "finished", "samples": []}, "run")


def test_a_saved_scene_holds_everything(bridge, scene, tmp_path, a_finished_run, a_small_mask):
    """Volumes, sequence, mask with scheme and terminology, findings, colours and legend survive the MRB."""
    from StructDiffLib.SceneBridge import SceneBridge

    loaded = bridge.loadResults(a_finished_run(2), "run", scheme=CARDIAC)
    display.showConfidence(scene, loaded.imageNodes[0], loaded.confidenceNodes[0], [], thresholdHU=5.0, windowHU=60.0)
    display.showLegend(scene, loaded.confidenceNodes[0])
    display.showOutline(loaded.maskNode)
    rows = findings.findingsOf(a_small_mask)
    bridge.addFindings(rows, "findings")
    path = tmp_path / "scene.mrb"
    assert scene.WriteToMRB(str(path))
    scene.Clear(False)
    with pytest.raises(StructDiffError, match="no longer in the scene"):
        bridge.labelMapOf(loaded.maskNode)
    assert scene.ReadFromMRB(str(path))
    again = SceneBridge(scene, bridge.logics)
    mask = scene.GetFirstNodeByName("run mask")
    back = again.labelMapOf(mask)
    np.testing.assert_array_equal(back.voxels, a_small_mask.voxels)
    assert back.scheme == CARDIAC
    assert {one.snomed for one in again.segmentLabels(mask)} == {"15825003", "3227004"}
    confidence = scene.GetFirstNodeByName("run confidence")
    assert again.volumeOf(confidence).voxels.max() == 7.5
    assert confidence.GetDisplayNode().GetLowerThreshold() == 5.0
    assert confidence.GetDisplayNode().GetColorNode().GetName() == display.COLOURS_NAME
    assert confidence.GetDisplayNode().GetColorNode().GetNumberOfColors() == display.STEPS
    assert confidence.GetAttribute(results.ROLE) == "confidence"
    browser = scene.GetFirstNodeByClass("vtkMRMLSequenceBrowserNode")
    for number in (1, 0):
        results.showSample(browser, bridge.logics["sequences"], number)
        assert results.manifestOf(confidence, browser) == {"synthetic": True, "seed": number}
    assert scene.GetFirstNodeByClass("vtkMRMLSequenceNode").GetNumberOfDataNodes() == 2
    assert scene.GetFirstNodeByClass("vtkMRMLColorLegendDisplayNode") is not None
    points = scene.GetFirstNodeByName("findings")
    assert points.GetNumberOfControlPoints() == sum(row.positionRAS is not None for row in rows)
    assert not mask.GetDisplayNode().GetVisibility2DFill()


def test_inputs_are_written_for_nodes_and_taken_as_they_are_for_paths(bridge, tmp_path, a_small_mask, a_small_image):
    from StructDiffCore.io.files import read_label_map, read_pair

    write_volume(a_small_image, tmp_path / "mine.nrrd")
    mask = bridge.addSegmentation(a_small_mask, "mask")
    inputs = bridge.exportInputs(mask, str(tmp_path / "mine.nrrd"), mask, tmp_path / "Eingänge 入力")
    assert inputs["template_image"] == str(tmp_path / "mine.nrrd")
    np.testing.assert_array_equal(read_label_map(inputs["mask"]).voxels, a_small_mask.voxels)
    assert read_pair(inputs["template_image"], inputs["template_mask"]).mask.present == (6, 8)


def test_no_input_is_left_when_one_of_them_cannot_be_written(bridge, tmp_path, a_small_mask):
    mask = bridge.addSegmentation(a_small_mask, "mask")
    with pytest.raises(StructDiffError, match="does not exist"):
        bridge.exportInputs(mask, tmp_path / "no.nrrd", tmp_path / "no.seg.nrrd", tmp_path / "inputs")
    assert list((tmp_path / "inputs").iterdir()) == []


def test_an_empty_segmentation_is_refused_in_words(bridge, scene):
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "nothing")
    with pytest.raises(StructDiffError, match="no segments"):
        bridge.labelMapOf(node)


def test_overlapping_segments_are_refused_in_words(bridge, a_small_mask):
    import slicer
    from StructDiffLib.grids import orientedImageOf
    from StructDiffLib.labelmaps import BINARY

    node = bridge.addSegmentation(a_small_mask, "mask")
    both = slicer.vtkSegment()
    both.SetName("another")
    both.AddRepresentation(BINARY, orientedImageOf((a_small_mask.voxels > 0).astype(np.uint8), a_small_mask.geometry))
    node.GetSegmentation().AddSegment(both)
    with pytest.raises(StructDiffError, match="overlap"):
        bridge.labelMapOf(node)


def test_a_segment_that_fits_no_scheme_can_be_given_a_meaning(bridge, a_small_mask):
    from StructDiffCore.domain import Label, LabelScheme

    strange = LabelScheme("from file", (Label(6, "label 6"), Label(8, "Kranzgefäß")))
    node = bridge.addSegmentation(LabelMap(a_small_mask.voxels, a_small_mask.geometry, strange), "mask")
    unknown = [one for one in bridge.segmentLabels(node, CARDIAC) if not one.known]
    assert {one.name for one in unknown} == {"label 6", "Kranzgefäß"}
    for one, value in zip(unknown, (6, 8)):
        bridge.mapSegment(node, one.segmentId, CARDIAC[value])
    back = bridge.labelMapOf(node, scheme=CARDIAC)
    assert back.scheme == CARDIAC
    np.testing.assert_array_equal(back.voxels, a_small_mask.voxels)


def test_no_torch_in_this_process(bridge, a_small_mask):
    import sys

    from StructDiffLib import exporting, maskEditing, templates, topologyLine  # noqa: F401

    findings.look(a_small_mask)
    assert "torch" not in sys.modules
