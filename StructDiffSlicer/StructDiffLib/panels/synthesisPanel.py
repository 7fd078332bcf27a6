"""Step 3: one button, and what the run is doing."""

import random

import qt
import slicer

from ..parameters import LARGEST_SEED
from ..translation import _
from .panel import Panel, allow, silent

PREVIEW_WIDTH = 420
LOG_LINES = 2000
GIB = 2**30


class SynthesisPanel(Panel):
    """Preset, device, estimate; progress, preview, cancel; the same run as a command line."""

    uiName = "SynthesisPanel"

    def setup(self):
        ui = self.ui
        self._devices = ["auto"]
        ui.synthesizeButton.clicked.connect(self.onSynthesize)
        ui.cancelButton.clicked.connect(self.onCancel)
        ui.copyCommandButton.clicked.connect(self.onCopyCommand)
        ui.newSeedButton.clicked.connect(self.onNewSeed)
        ui.logButton.toggled.connect(self.onLog)
        ui.deviceComboBox.currentIndexChanged.connect(self.onDevice)
        ui.logText.maximumBlockCount = LOG_LINES
        ui.logText.visible = False
        ui.previewLabel.visible = False

    # -- what may be pressed -------------------------------------------------------------------------------------------
    def update(self):
        ui, session = self.ui, self.session
        running, cancelling = session.running, session.cancelling
        allow(ui.synthesizeButton, session.whyNotSynthesize(), _("Make the CT; Slicer stays usable meanwhile"))
        allow(ui.copyCommandButton, self._whyNoCommand(), _("The very same run as a command: paste it into a terminal"))
        stopping = _("The run is being cancelled") if cancelling else ""
        allow(ui.cancelButton, stopping if running else _("Nothing is running"), _("Stop the run; the scene stays as it is"))
        ui.progressBar.visible = running
        ui.stageLabel.visible = running or bool(ui.stageLabel.text)
        if cancelling:
            ui.stageLabel.text = _("Cancelling…")
        self._listDevices()
        self._estimate()

    def _whyNoCommand(self):
        return "" if self.session.runner.running else self.session.whyNotSynthesize()

    def _listDevices(self):
        """auto, then what the last check of the installation found, with free memory."""
        machine = self.session.machine or {}
        found = [device for device in machine.get("devices", ()) if device.get("works", True)]
        names = ["auto", *(device["name"] for device in found)]
        texts = [_("Automatic: {name}").format(name=machine["device"]) if "device" in machine else _("Automatic")]
        texts += [_deviceWords(device) for device in found]
        chosen = self.parameters.device if self.parameters else "auto"
        if chosen not in names:
            names, texts = [*names, chosen], [*texts, chosen]
        combo = self.ui.deviceComboBox
        with silent(combo):
            if texts != [combo.itemText(place) for place in range(len(self._devices))] or names != self._devices:
                combo.clear()
                for text in texts:
                    combo.addItem(text)
                self._devices = names
            combo.currentIndex = names.index(chosen)

    def onDevice(self, index=0):
        if self.parameters is not None and 0 <= self.ui.deviceComboBox.currentIndex < len(self._devices):
            self.parameters.device = self._devices[self.ui.deviceComboBox.currentIndex]

    def _estimate(self):
        """Seconds and memory of the run as it is chosen now, and a warning where it will not fit."""
        self.ui.estimateLabel.text = ""
        source = self.session.template()
        if source is None or not source.shape or self.parameters.maskNode is None or self.session.running:
            return
        from StructDiffCore.domain import StructDiffError
        from StructDiffCore.pipelines.estimate import estimate_run

        try:
            shape = self.session.maskShape()
            chosen = {"samples": int(self.parameters.samples)}
            told = estimate_run(shape, source.shape, self.parameters.preset.value, chosen, self.session.machine)
        except StructDiffError as error:
            self.ui.estimateLabel.text = str(error)
            return
        words = _("This run takes {estimate}.").format(estimate=told)
        if told.seconds is None:
            words += " " + _("The time is not known before the installation was checked (below, 'Environment').")
        if told.fits is False:
            words += " " + _("That is more memory than is free: close other programs, or crop the mask.")
        self.ui.estimateLabel.text = words

    # -- the run -------------------------------------------------------------------------------------------------------
    def onSynthesize(self):
        self.ui.logText.clear()
        self.ui.stageLabel.text = _("Writing mask and template…")
        self.ui.previewLabel.visible = False
        self.ui.progressBar.maximum = 0
        with self.guarded():
            self.session.synthesize()
        self.update()

    def onCancel(self):
        self.session.cancel()

    def onChange(self, what, told):
        if what == "event":
            self._showEvent(told)
            return
        if what == "results":
            self.ui.stageLabel.text = _("Done: {names}").format(names=", ".join(pair.name for pair in told))
        elif what == "failure" and told is not None and not self.session.running:
            self.ui.stageLabel.text = told.title()
        self.update()

    def _showEvent(self, event):
        kind = event["event"]
        if kind == "progress":
            self._showProgress(event)
        elif kind == "preview":
            self._showPreview(event.get("path", ""))
        elif kind == "log":
            self.ui.logText.appendPlainText(event.get("message", ""))

    def _showProgress(self, event):
        bar, done, total = self.ui.progressBar, event.get("done", 0), event.get("total", 0)
        bar.maximum = int(total or 0)
        bar.value = int(done)
        if not self.session.cancelling:
            left = event.get("eta_s")
            stage = str(event.get("stage", "")).capitalize()
            self.ui.stageLabel.text = (
                stage if left is None else _("{stage}, {left} left").format(stage=stage, left=_duration(left))
            )
        self.ui.logText.appendPlainText(f"{event.get('stage', '')} {done}/{total}")

    def _showPreview(self, path):
        """The running estimate; the worker may have taken the file away again already."""
        pixmap = qt.QPixmap(path)
        if pixmap.isNull():
            return
        width = max(200, min(PREVIEW_WIDTH, self.widget.width - 40))
        self.ui.previewLabel.pixmap = pixmap.scaledToWidth(width, qt.Qt.SmoothTransformation)
        self.ui.previewLabel.visible = True

    # -- small things --------------------------------------------------------------------------------------------------
    def onCopyCommand(self):
        self.ui.stageLabel.visible = True
        self.ui.stageLabel.text = _("Writing mask and template…")
        with self.guarded():
            self.session.commandLine(self.onCommand)

    def onCommand(self, words, error):
        """The command's files are written: it works as it stands."""
        if error is not None:
            self.ui.stageLabel.text = ""
            self.session.fail(error)
            return
        slicer.app.clipboard().setText(words)
        self.ui.stageLabel.text = _("The command line is in the clipboard.")

    def onNewSeed(self):
        if self.parameters is not None:
            self.parameters.seed = random.randrange(LARGEST_SEED)

    def onLog(self, on):
        self.ui.logText.visible = self.ui.logButton.checked


def _deviceWords(device):
    words = f"{device['name']} ({device['words']})" if device.get("words") else device["name"]
    free = device.get("free_bytes")
    return words if free is None else _("{device}, {free:.1f} GiB free").format(device=words, free=free / GIB)


def _duration(seconds):
    whole = round(seconds)
    if whole < 60:
        return _("{s} s").format(s=whole)
    if whole < 3600:
        return _("{m} min {s:02d} s").format(m=whole // 60, s=whole % 60)
    return _("{h} h {m:02d} min").format(h=whole // 3600, m=whole % 3600 // 60)
