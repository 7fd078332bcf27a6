"""From the mask to the exported pair, by clicks, with the real worker process and tiny weights."""

from pathlib import Path

import pytest


def click(widget, panel, button):
    target = getattr(widget.desk.panels[panel].ui, button)
    assert target.isEnabled(), target.toolTip()
    target.click()


@pytest.fixture
def synthesized(widget, tiny_ready, wait):
    previews = []
    widget.session.listen(lambda what, told: previews.append(told) if what == "event" and told["event"] == "preview" else None)
    click(widget, "SynthesisPanel", "synthesizeButton")
    wait(lambda: not widget.session.running, 180)
    assert widget.session.failure is None, widget.session.failure.report()
    tiny_ready.previews = previews
    return tiny_ready


def test_a_click_makes_volume_confidence_and_mask_nodes(widget, synthesized, scene):
    loaded = widget.session.loaded
    assert [node.GetScene() is scene for node in (*loaded.imageNodes, *loaded.confidenceNodes, loaded.maskNode)] == [True] * 3
    bridge = widget.session.bridge
    wanted = bridge.labelMapOf(synthesized.mask)
    assert bridge.volumeOf(loaded.imageNodes[0]).geometry.same_as(wanted.geometry, 1e-3)
    assert (bridge.labelMapOf(loaded.maskNode).voxels == wanted.voxels).all()
    assert synthesized.previews, "no preview was told"
    assert not widget.desk.panels["SynthesisPanel"].ui.previewLabel.isHidden()

    confidence = widget.desk.panels["ConfidencePanel"].ui
    assert confidence.overlayCheckBox.isChecked()
    assert "not measured at these settings" in confidence.worthLabel.text()
    assert widget.session.parameters.imageNode is loaded.imageNodes[0]

    click(widget, "QualityPanel", "checkButton")


def test_pairs_of_an_opened_scene_can_be_exported(widget, synthesized, wait, tmp_path):
    made = widget.session.pairs[0]
    assert scenePairs(widget)[0].maskNode is widget.session.loaded.maskNode
    widget.session.pairs.clear()
    widget.onSceneEndImport()
    found = widget.session.pairs[0]
    assert (found.folder, found.topology, found.quality, found.seed) == ("", made.topology, made.quality, made.seed)
    export = widget.desk.panels["ExportPanel"].ui
    export.exportFolderEdit.currentPath = str(tmp_path / "again")
    if not found.passed:
        export.forceCheckBox.click()
        export.reasonEdit.setText("tiny weights, made for a test")
    click(widget, "ExportPanel", "exportButton")
    wait(lambda: "written" in export.exportedLabel.text() or widget.session.failure, 60)
    assert widget.session.failure is None, widget.session.failure.report()
    assert len(list((tmp_path / "again").rglob("*.nrrd"))) >= 2


def scenePairs(widget):
    from StructDiffLib.scenePairs import pairsOf

    return pairsOf(widget.session.bridge.scene)


def test_the_pair_is_exported_and_reads_back_on_its_grid(widget, synthesized, wait, tmp_path):
    from StructDiffLib.parameters import ExportFormat

    from StructDiffCore.io.files import read_volume

    panel = widget.desk.panels["ExportPanel"].ui
    panel.formatComboBox.setCurrentIndex(list(ExportFormat).index(ExportFormat.NNUNET))
    panel.exportFolderEdit.currentPath = str(tmp_path / "für nnU-Net")
    if not widget.session.pairs[0].passed:
        assert not panel.exportButton.isEnabled()
        panel.forceCheckBox.click()
        assert "reason" in panel.exportButton.toolTip()
        panel.reasonEdit.setText("tiny weights, made for a test")
    click(widget, "ExportPanel", "exportButton")
    wait(lambda: "written" in panel.exportedLabel.text() or widget.session.failure, 60)
    assert widget.session.failure is None, widget.session.failure.report()
    images = list(Path(tmp_path / "für nnU-Net").rglob("imagesTr/*_0000.nii.gz"))
    assert len(images) == 1
    grid = widget.session.bridge.labelMapOf(synthesized.mask).geometry
    assert read_volume(images[0]).geometry.same_as(grid, 1e-3)


def test_cancelling_the_real_worker_mid_run_leaves_nothing(widget, tiny_ready, wait, scene):
    widget.session.parameters.samples = 20
    heard = []
    widget.session.listen(lambda what, told: heard.append(told["event"]) if what == "event" else None)
    before = scene.GetNumberOfNodes()
    click(widget, "SynthesisPanel", "synthesizeButton")
    wait(lambda: "progress" in heard, 120)
    click(widget, "SynthesisPanel", "cancelButton")
    wait(lambda: not widget.session.running, 60)
    assert widget.session.failure.category == "cancelled"
    assert scene.GetNumberOfNodes() == before
    assert not list(Path(widget.session.lastJob["out"]).rglob("*.partial"))


def test_the_doctor_fills_table_and_devices(widget, real_worker, wait):
    click(widget, "EnvironmentPanel", "doctorButton")
    wait(lambda: not widget.session.running, 180)
    assert widget.session.failure is None, widget.session.failure.report()
    environment = widget.desk.panels["EnvironmentPanel"].ui
    assert environment.checksTable.rowCount() > 5
    assert not environment.installButton.isEnabled()
    devices = widget.desk.panels["SynthesisPanel"].ui.deviceComboBox
    assert "cpu" in [devices.itemText(n).split()[0] for n in range(devices.count())]
    assert "GiB free" in devices.itemText(1)
