"""Fixtures: the module's panel over Slicer's real MRML, on Qt stand-ins; a worker that does as it is told; tiny job files."""

import gc
import os
import subprocess
import sys
import time
import types
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
WORKER_PYTHON = Path(os.environ.get("STRUCTDIFF_PYTHON") or ROOT / ".venv" / "bin" / "python")


@pytest.fixture(scope="session")
def desktop(runtime):
    """Slicer's application, as far as the module asks for it."""
    import desktop

    desktop.install()
    desktop.open(runtime)
    return desktop


@pytest.fixture(autouse=True)
def garbage():
    """Cycles are collected where ``widget`` says so: the background's threads would end Qt objects that are not theirs."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture(autouse=True)
def plain_qt(desktop, request):
    """Tests and fixtures use Qt's methods, the module's own files PythonQt's properties."""
    from desktop.qtModule import useMethodStyle

    for name in (request.module.__name__, __name__):
        useMethodStyle(name)


@pytest.fixture
def widget(desktop, scene, tmp_path):
    """The module's widget, entered; its runs go into a folder with spaces and letters beyond ASCII."""
    import StructDiff
    from PySide6.QtCore import QEvent, QSettings
    from PySide6.QtWidgets import QApplication

    QSettings().clear()
    widget = StructDiff.StructDiffWidget()
    widget.setup()
    widget.session.runsFolder = str(tmp_path / "Läufe für Müller")
    widget.session.machine = None
    widget.enter()
    widget.parent.resize(520, 1400)
    yield widget
    widget.exit()
    widget.cleanup()
    widget.parent.deleteLater()
    QApplication.sendPostedEvents(None, QEvent.DeferredDelete)
    gc.collect()


@pytest.fixture
def wait():
    """Let the event loop turn until something holds; fails after ``seconds``."""
    from PySide6.QtWidgets import QApplication

    def _wait(holds, seconds=60.0):
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, "waited in vain"
            QApplication.processEvents()
            time.sleep(0.005)

    return _wait


@pytest.fixture
def stub_worker(widget):
    """``stub_worker(behaviour)``: the next runs are done by stubWorker.py, which behaves as told."""
    from StructDiffLib.workerProcess import WorkerProcess

    def _use(behaviour):
        def start(jobFile):
            command = [sys.executable, "-u", str(Path(__file__).with_name("stubWorker.py")), behaviour, jobFile]
            return WorkerProcess(command, {**os.environ, "PYTHONUTF8": "1"}, Path(jobFile).parent)

        widget.session.runner._processFactory = start

    return _use


@pytest.fixture
def ready(widget, bridge, a_small_mask, a_small_image):
    """A mask and a template in the scene, chosen on the panel."""
    image = widget.session.bridge.addVolume(a_small_image, "template CT")
    mask = widget.session.bridge.addSegmentation(a_small_mask, "my mask")
    templateMask = widget.session.bridge.addSegmentation(a_small_mask, "template mask")
    panel = widget.desk.panels["TemplatePanel"].ui
    panel.sourceTabs.setCurrentIndex(1)
    widget.ui.maskSelector.setCurrentNode(mask)
    panel.templateImageSelector.setCurrentNode(image)
    panel.templateMaskSelector.setCurrentNode(templateMask)
    return types.SimpleNamespace(mask=mask, image=image, templateMask=templateMask)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """Tiny weights, a mask and a template pair, made where torch is."""
    if not WORKER_PYTHON.is_file():
        pytest.skip(f"no Python with torch at {WORKER_PYTHON} (make test makes it)")
    folder = tmp_path_factory.mktemp("tiny")
    script = Path(__file__).with_name("tinyFiles.py")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([str(WORKER_PYTHON), str(script), str(folder)], check=True, env=environment, cwd=folder)
    return folder


@pytest.fixture
def real_worker(monkeypatch):
    """Runs are done by ``structdiff work`` in the Python that has torch."""
    monkeypatch.setenv("STRUCTDIFF_PYTHON", str(WORKER_PYTHON))
    monkeypatch.setenv("OMP_NUM_THREADS", "2")


@pytest.fixture
def tiny_ready(widget, tiny, real_worker, bridge):
    """The tiny job's mask and template as nodes, its weights and a quick preset chosen on the panel."""
    from StructDiffLib.parameters import Preset

    from StructDiffCore.domain import CARDIAC
    from StructDiffCore.io.files import read_label_map, read_volume

    made = widget.session.bridge
    mask = made.addSegmentation(read_label_map(tiny / "mask.seg.nrrd", CARDIAC), "edited mask")
    image = made.addVolume(read_volume(tiny / "ct.nrrd"), "patient CT", integer=True)
    templateMask = made.addSegmentation(read_label_map(tiny / "labels.seg.nrrd", CARDIAC), "patient mask")
    template = widget.desk.panels["TemplatePanel"].ui
    template.sourceTabs.setCurrentIndex(1)
    widget.ui.maskSelector.setCurrentNode(mask)
    template.templateImageSelector.setCurrentNode(image)
    template.templateMaskSelector.setCurrentNode(templateMask)
    synthesis = widget.desk.panels["SynthesisPanel"].ui
    synthesis.presetComboBox.setCurrentIndex(list(Preset).index(Preset.QUICK))
    synthesis.weightsEdit.currentPath = str(tiny / "tiny.safetensors")
    synthesis.deviceComboBox.setCurrentIndex(0)
    return types.SimpleNamespace(mask=mask, image=image, templateMask=templateMask)
