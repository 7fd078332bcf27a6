"""Step 6: hand pairs to other tools, one or many."""

from pathlib import Path

import ctk
import qt
import slicer

from .. import exporting
from ..batch import Batch
from ..pairs import Source
from ..translation import _
from .panel import Panel, allow, columns, silent


class ExportPanel(Panel):
    """Table of the pairs made, format, folder; a failed verdict needs a deliberate tick and a reason. Batch below."""

    uiName = "ExportPanel"

    def setup(self):
        ui = self.ui
        self._known = []
        self._sources = []
        self._masks = []
        self._writing = False
        ui.exportFolderEdit.filters = ctk.ctkPathLineEdit.Dirs
        self.batch = Batch(self.session, self.showBatch)
        columns(ui.pairsTable, [_("Pair"), _("Topology"), _("Brightness"), _("Seed")], wide=0)
        ui.pairsTable.itemChanged.connect(self.onTick)
        ui.exportButton.clicked.connect(self.onExport)
        ui.forceCheckBox.toggled.connect(self.update)
        ui.reasonEdit.textChanged.connect(self.update)
        ui.fillBatchButton.clicked.connect(self.fillBatch)
        ui.startBatchButton.clicked.connect(self.onBatch)
        ui.batchTable.itemChanged.connect(self.onTick)

    # -- pairs ---------------------------------------------------------------------------------------------------------
    def onChange(self, what, told):
        if what in ("results", "pairs") or (what == "parameters" and len(self._known) != len(self.session.pairs)):
            self._list()
        super().onChange(what, told)

    def _list(self):
        table, ticked = self.ui.pairsTable, self._ticked()
        with silent(table):
            table.rowCount = len(self.session.pairs)
            for row, pair in enumerate(self.session.pairs):
                fresh = row >= len(self._known)
                table.setItem(row, 0, _tick(pair.name, fresh or pair in ticked))
                off = ", ".join(pair.off)
                quality = _verdict(pair.quality) + (f" ({off})" if off else "")
                for column, text in enumerate((_verdict(pair.topology), quality, str(pair.seed)), 1):
                    table.setItem(row, column, qt.QTableWidgetItem(text))
        self._known = list(self.session.pairs)

    def _ticked(self):
        table = self.ui.pairsTable
        return [pair for row, pair in enumerate(self._known) if table.item(row, 0).checkState() == qt.Qt.Checked]

    def onTick(self, item=None):
        self.update()

    def update(self):
        ui, ticked = self.ui, self._ticked()
        refused = [pair for pair in ticked if not pair.passed]
        names = ", ".join(pair.name for pair in refused)
        ui.forceBox.visible = bool(refused)
        ui.forceLabel.text = _("Not as the scheme or the template want it: {names}").format(names=names)
        ui.reasonEdit.enabled = ui.forceCheckBox.checked
        allow(
            ui.exportButton, self._whyNotExport(ticked, refused), _("Image, mask, confidence and manifest of every ticked pair")
        )
        reason = self.session.whyNotSynthesize() if self.session.running else ""
        allow(ui.startBatchButton, reason or ("" if self._pairsOfBatch() else _("Tick at least one mask and template")), "")
        allow(ui.fillBatchButton, reason, _("Read the scene and the library again"))

    def _whyNotExport(self, ticked, refused):
        folder = str(self.parameters.exportFolder) if self.parameters else ""
        if not self._known:
            return _("Synthesise first (step 3)")
        if not ticked:
            return _("Tick at least one pair")
        if folder in ("", "."):
            return _("Choose a folder first")
        if self._writing:
            return _("The last export is still being written")
        if refused and not self.ui.forceCheckBox.checked:
            return _("A check failed: look at it in step 5, or tick 'Export all the same'")
        if refused and not self.ui.reasonEdit.text.strip():
            return _("Give the reason for exporting a pair that failed a check")
        return ""

    def onExport(self):
        with self.guarded():
            ticked = self._ticked()
            cases = [(self._source(pair), pair.caseName) for pair in ticked]
            chosen, out = self.parameters.exportFormat.value, Path(self.parameters.exportFolder)
            failed = any(not pair.passed for pair in ticked)
            reason = self.ui.reasonEdit.text.strip() if failed and self.ui.forceCheckBox.checked else None
            self._writing = True
            self.ui.exportedLabel.text = _("Writing…")
            self.session.background.submit(lambda: exporting.exportPairs(_named(cases), chosen, out, reason), self.onExported)
        self.update()

    def _source(self, pair):
        """The sample's folder, or the pair read from the nodes that came with the scene."""
        return pair.folder if pair.nodes is None else pair.nodes.exportPair(self.session.bridge)

    def onExported(self, written, error):
        self._writing = False
        if error is not None:
            self.ui.exportedLabel.text = ""
            self.session.fail(error)
        else:
            folder = str(self.parameters.exportFolder) if self.parameters else ""
            words = _("{count} pairs written to {folder}").format(count=len(written.paths), folder=folder)
            self.ui.exportedLabel.text = "\n".join([words, *written.notes])
            with silent(self.ui.forceCheckBox):
                self.ui.forceCheckBox.checked = False
        self.update()

    # -- batch ---------------------------------------------------------------------------------------------------------
    def fillBatch(self):
        """Masks of the scene as rows, usable templates as columns."""
        self._masks = slicer.util.getNodesByClass("vtkMRMLSegmentationNode", self.session.bridge.scene)
        self._sources = [Source.of(entry) for entry in self.session.entries if entry.usable]
        table = self.ui.batchTable
        with silent(table):
            table.rowCount = len(self._masks)
            columns(table, [source.name for source in self._sources], wide=0)
            table.verticalHeader().visible = True
            table.setVerticalHeaderLabels([mask.GetName() for mask in self._masks])
            for row in range(len(self._masks)):
                for column in range(len(self._sources)):
                    table.setItem(row, column, _tick("", False))
        self.update()

    def _pairsOfBatch(self):
        scene, table = self.session.bridge.scene, self.ui.batchTable
        return [
            (mask, source)
            for row, mask in enumerate(self._masks)
            for column, source in enumerate(self._sources)
            if mask.GetScene() is scene and table.item(row, column).checkState() == qt.Qt.Checked
        ]

    def onBatch(self):
        with self.guarded():
            self.batch.start(self._pairsOfBatch())

    def showBatch(self):
        batch = self.batch
        words = _("{done} of {total} done, {failed} failed").format(done=batch.done, total=batch.total, failed=batch.failed)
        self.ui.batchLabel.text = words


def _named(cases):
    """Pairs under names that tell samples of different runs apart."""
    from dataclasses import replace

    from StructDiffCore.io.export_pair import read_sample

    read = [(read_sample(Path(one)) if isinstance(one, str) else one, name) for one, name in cases]
    return [replace(pair, name=name) for pair, name in read]


def _tick(text, on):
    item = qt.QTableWidgetItem(text)
    item.setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsUserCheckable | qt.Qt.ItemIsSelectable)
    item.setCheckState(qt.Qt.Checked if on else qt.Qt.Unchecked)
    return item


def _verdict(verdict):
    return {"pass": _("passed"), "fail": _("failed")}.get(verdict, verdict)
