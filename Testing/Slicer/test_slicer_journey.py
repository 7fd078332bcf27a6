"""The whole way: a mask is edited in the scene, a real worker synthesises, the result is looked at and exported."""

import os
import time
from pathlib import Path

import numpy as np
import pytest
from StructDiffLib import display, exporting, findings, maskEditing
from StructDiffLib.jobs import JobRunner
from StructDiffLib.workerProcess import WorkerProcess

from StructDiffCore.domain import CARDIAC

ROOT = Path(__file__).resolve().parents[2]
WORKER = Path(os.environ.get("STRUCTDIFF_PYTHON") or ROOT / ".venv" / "bin" / "python")
PATIENCE_S = 1500

pytestmark = pytest.mark.skipif(not WORKER.exists(), reason="no Python with torch beside the checkout (make test-core makes it)")


class Listener:
    """Keeps what the runner tells."""

    def __init__(self):
        self.events, self.finished, self.failure = [], None, None

    def onEvent(self, event):
        self.events.append(event)

    def onFinished(self, event):
        self.finished = event

    def onFailed(self, failure):
        self.failure = failure


def synthesised(job, folder):
    """Run a job in a child process of the worker's Python to its end."""

    def child(jobFile):
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"}
        return WorkerProcess([WORKER, "-m", "StructDiffCore.cli", "work", jobFile], environment, folder)

    folder.mkdir()
    told, runner = Listener(), JobRunner(child)
    runner.start(job, str(folder), told)
    end = time.monotonic() + PATIENCE_S
    while runner.running and time.monotonic() < end:
        runner.poll()
        time.sleep(0.05)
    runner.close()
    assert told.failure is None, told.failure
    return told


def journey(bridge, scene, tmp_path, image, mask, scheme, edit):
    """Edit, synthesise, overlay, findings, export; answers the mask asked for and what the nnU-Net folder holds."""
    from StructDiffCore.io.files import read_label_map, read_volume

    templateNode = bridge.addVolume(image, "template")
    templateMask = bridge.addSegmentation(mask, "template mask")
    target = bridge.addSegmentation(mask if edit.get("mask") is None else edit["mask"], "mask to edit")
    maskEditing.edit(bridge, target, edit["kind"], **edit["options"])
    wanted = bridge.labelMapOf(target)
    inputs = bridge.exportInputs(target, templateNode, templateMask, tmp_path / "inputs")
    job = {
        "verb": "synthesize",
        "inputs": inputs,
        "settings": {"preset": "quick", "read_back": wanted.scheme == CARDIAC, **({"scheme": scheme} if scheme else {})},
        "out": str(tmp_path / "run"),
        "seed": 7,
        "device": "cpu",
    }
    told = synthesised(job, tmp_path / "run")
    assert any(event["event"] == "progress" for event in told.events)
    loaded = bridge.loadResults(told.finished, "run")
    assert bridge.volumeOf(loaded.imageNodes[0]).geometry.same_as(wanted.geometry)
    np.testing.assert_array_equal(bridge.labelMapOf(loaded.maskNode).voxels, wanted.voxels)
    display.showConfidence(scene, loaded.imageNodes[0], loaded.confidenceNodes[0])
    assert display.showLegend(scene, loaded.confidenceNodes[0]).GetVisibility()
    assert display.colourSurface(scene, loaded.maskNode, loaded.confidenceNodes[0]).GetPolyData().GetNumberOfPoints() > 1000
    quality = findings.look(bridge.labelMapOf(loaded.maskNode))
    assert quality.verdict == told.finished["samples"][0]["topology"]
    if wanted.scheme == CARDIAC:
        seen = bridge.labelMapOf(scene.GetFirstNodeByName("run read back"))
        assert np.mean(seen.voxels[wanted.voxels == 3] == 3) > 0.7
        assert findings.look(seen).lines
    folder = told.finished["samples"][0]["folder"]
    reason = "seen and accepted in a test" if exporting.refusals([folder]) else None
    exported = exporting.exportPairs([folder], "nnunet", tmp_path / "Dataset001_Journey", forceReason=reason)
    labels = next((tmp_path / "Dataset001_Journey" / "labelsTr").iterdir())
    return wanted, read_volume(exported.paths[0]), read_label_map(labels)


def test_a_digital_heart_goes_all_the_way_to_an_nnunet_folder(bridge, scene, tmp_path):
    from StructDiffLib import templates

    from StructDiffCore.io.files import read_label_map
    from StructDiffCore.preprocess.template_library import shipped_mask_to_edit

    pair = next(entry for entry in templates.library() if entry.source == "shipped" and entry.usable).read()
    toEdit = read_label_map(shipped_mask_to_edit())
    trunk = next(row for row in maskEditing.branches(toEdit) if row.isRoot)
    options = {"tree": trunk.tree, "branch": trunk.branch, "centreMM": 12.0, "lengthMM": 8.0, "percent": 60.0}
    edit = {"kind": "narrow", "options": options, "mask": toEdit}
    wanted, image, labels = journey(bridge, scene, tmp_path, pair.image, pair.mask, None, edit)
    assert image.geometry.same_as(wanted.geometry)
    assert labels.geometry.same_as(wanted.geometry)
    assert np.array_equal(labels.voxels != 0, wanted.voxels != 0)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_modelled_heart_goes_all_the_way_too(bridge, scene, tmp_path):
    """hra_VH_F at 0.8 mm: coronaries in pieces without ostia are mended; its own labels, the shipped template's look."""
    from StructDiffLib import templates

    from StructDiffCore.config.resources import shared_data_folder
    from StructDiffCore.domain import LabelMap
    from StructDiffCore.io.files import read_label_map
    from StructDiffCore.io.schemes import load_scheme
    from StructDiffCore.preprocess.grids import resample_labels

    folder = shared_data_folder()
    if folder is None:
        pytest.skip("the shared data folder is absent")
    scheme = load_scheme(ROOT / "Testing" / "Examples" / "scheme-hra-heart.json")
    whole = read_label_map(folder / "hra_VH_F_heart_coronary_labels_0p5mm.nii.gz")
    known = LabelMap(np.where(np.isin(whole.voxels, scheme.values), whole.voxels, 0), whole.geometry, scheme)
    coarser = resample_labels(known, known.geometry.with_spacing((0.8, 0.8, 0.8)))
    pair = next(entry for entry in templates.library() if entry.source == "shipped" and entry.usable).read()
    edit = {"kind": "repair", "options": {}, "mask": coarser}
    wanted, image, labels = journey(bridge, scene, tmp_path, pair.image, pair.mask, None, edit)
    assert image.geometry.same_as(wanted.geometry)
    assert labels.geometry.same_as(wanted.geometry)
