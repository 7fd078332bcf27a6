"""Pictures of every panel, from a real quick run on the sample data: Resources/Screenshots/panel-*.png.

    cd Testing/Slicer && ../../.venv-slicer/bin/python panel_screenshots.py [FOLDER]

Qt is PySide6 offscreen and Slicer's own widgets are stand-ins, so the pictures show layout and words, not Slicer's theme.
The worker is the Python in STRUCTDIFF_PYTHON, else .venv/bin/python; a run takes a minute or two on a CPU.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WIDTH = 540
ORDER = ("Template", "Edit", "Synthesis", "Confidence", "Quality", "Export", "Environment")


def main(folder):
    """One journey, a picture at each step."""
    os.environ.setdefault("STRUCTDIFF_PYTHON", str(short(ROOT / ".venv") / "bin" / "python"))
    widget = opened()
    studio = Studio(widget, folder)
    panels = widget.desk.panels
    studio.until(lambda: widget.session.entries)
    widget.ui.sampleDataButton.click()
    studio.until(lambda: "LCA" in panels["EditPanel"].ui.topologyLabel.text())
    studio.picture("Template")
    panels["EditPanel"].ui.findBranchesButton.click()
    studio.until(lambda: panels["EditPanel"].ui.branchComboBox.count() > 0 and not widget.session.background.busy)
    studio.picture("Edit")
    panels["EnvironmentPanel"].ui.doctorButton.click()
    studio.until(lambda: not widget.session.running)
    studio.picture("Environment")
    widget.session.parameters.preset = type(widget.session.parameters.preset).QUICK
    panels["SynthesisPanel"].ui.synthesizeButton.click()
    studio.until(lambda: not panels["SynthesisPanel"].ui.previewLabel.isHidden() or not widget.session.running)
    studio.picture("Synthesis")
    studio.until(lambda: not widget.session.running)
    assert widget.session.failure is None, widget.session.failure.report()
    studio.picture("Confidence")
    panels["QualityPanel"].ui.checkButton.click()
    studio.until(lambda: not widget.session.background.busy)
    studio.picture("Quality")
    panels["ExportPanel"].ui.exportFolderEdit.currentPath = "/home/me/pairs"
    studio.picture("Export")
    studio.labels()
    studio.failure()
    widget.cleanup()


def short(environment):
    """The environment by a path that fits into a picture."""
    link = Path(tempfile.gettempdir()) / "python-with-torch"
    link.unlink(missing_ok=True)
    link.symlink_to(environment)
    return link


def opened():
    """The module's widget over Slicer's real MRML."""
    import desktop

    runtime = runtimeWithApplication(desktop)
    import StructDiff

    widget = StructDiff.StructDiffWidget()
    widget.runtime = runtime
    widget.setup()
    widget.enter()
    widget.parent.show()
    return widget


def runtimeWithApplication(desktop):
    """Real MRML with its module logics where the application would have them."""
    from slicerRuntime import SlicerRuntime

    runtime = SlicerRuntime()
    desktop.install()
    desktop.open(runtime)
    return runtime


class Studio:
    """Waits and takes pictures."""

    def __init__(self, widget, folder):
        self.widget, self.folder = widget, Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def until(self, holds, seconds=900):
        from PySide6.QtWidgets import QApplication

        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, "waited in vain"
            QApplication.processEvents()
            time.sleep(0.01)

    def picture(self, name):
        """The panel of that name open, all others closed."""
        from PySide6.QtWidgets import QApplication

        for other in ORDER:
            self.widget.desk.panels[f"{other}Panel"].widget.collapsed = other != name
        whole = self.widget.parent
        for _turn in range(5):
            QApplication.processEvents()
            whole.resize(WIDTH, whole.sizeHint().height())
        whole.resize(WIDTH, max(whole.minimumSizeHint().height(), whole.layout().heightForWidth(WIDTH)))
        for _turn in range(5):
            QApplication.processEvents()
        whole.grab().save(str(self.folder / f"panel-{name.lower()}.png"))

    def labels(self):
        """A mask with a structure that no scheme knows."""
        import slicer

        mask = self.widget.session.parameters.maskNode
        mask.GetSegmentation().GetNthSegment(0).SetName("liver")
        mask.GetSegmentation().GetNthSegment(0).SetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), "")
        mask.RemoveAttribute("StructDiff.Scheme")
        self.widget.session.tell("mask")
        self.picture("Labels")

    def failure(self):
        """What a failed run looks like."""
        from StructDiffLib.failure import Failure

        log = "Traceback (most recent call last):\n  ...\ntorch.OutOfMemoryError: CUDA out of memory"
        remedy = "use a smaller tile, close other programs or crop the mask"
        self.widget.session.fail(
            Failure("out_of_memory", "the machine ran out of memory", remedy, log, 4, "structdiff work job.json")
        )
        self.widget.ui.noticeLogButton.click()
        self.picture("Failure")


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT), str(ROOT / "StructDiffSlicer")]
    main(sys.argv[1] if len(sys.argv) > 1 else ROOT / "Resources" / "Screenshots")
