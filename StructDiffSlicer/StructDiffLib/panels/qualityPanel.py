"""Step 5: did the topology hold."""

import qt

from .. import findings
from ..failure import Failure
from ..snapshot import MaskSnapshot
from ..translation import _
from .panel import Panel, allow, columns, silent


class QualityPanel(Panel):
    """Verdict against the label scheme and a table of findings: a click goes there, safe fixes with undo."""

    uiName = "QualityPanel"

    def setup(self):
        self._quality = None
        self._checked = None
        self._looking = False
        self._markers = None
        table = self.ui.findingsTable
        columns(table, [_("How bad"), _("What"), _("Where"), _("Size")], wide=1)
        table.cellClicked.connect(self.onRow)
        table.itemSelectionChanged.connect(self.update)
        ui = self.ui
        ui.checkButton.clicked.connect(self.onCheck)
        ui.fixButton.clicked.connect(self.onFix)
        ui.fixAllButton.clicked.connect(self.onFixAll)
        ui.undoFixButton.clicked.connect(self.onUndo)
        ui.markersCheckBox.toggled.connect(self.onMarkers)

    def target(self):
        """The segmentation to check: the one chosen here, else the mask."""
        return self.ui.checkedSelector.currentNode() or (self.parameters.maskNode if self.parameters else None)

    def update(self):
        ui, row = self.ui, self._row()
        target = "" if self.target() else _("Choose a mask first (top of the panel)")
        busy = _("The topology is being measured: one moment") if self._looking else ""
        allow(ui.checkButton, target or busy, _("Fragments, loops, gaps, thin necks, leaks, touching trees"))
        checked = "" if self._quality else _("Check the topology first")
        chosen = "" if row else _("Click a finding first")
        unsafe = "" if row is None or row.fixable else _("No safe fix is known for this finding: edit the mask there by hand")
        allow(ui.fixButton, busy or checked or chosen or unsafe, _("Make the smallest change that mends this; it can be undone"))
        fixable = any(one.fixable for one in self._rows())
        allow(
            ui.fixAllButton, busy or checked or ("" if fixable else _("Nothing here has a safe fix")), _("One undo step per fix")
        )
        allow(ui.undoFixButton, target or busy, _("Take the last fix back"))
        allow(ui.markersCheckBox, checked, _("Mark the findings in the views"))

    def _rows(self):
        return self._quality.rows if self._quality else ()

    def _row(self):
        row = self.ui.findingsTable.currentRow()
        return self._rows()[row] if 0 <= row < len(self._rows()) else None

    def onChange(self, what, told):
        if what == "mask" and self._quality is not None and self._checked is self.target():
            self.onCheck()
        elif self._checked is not None and self._checked.GetScene() is None:
            self._forget()
        super().onChange(what, told)

    def _forget(self):
        self._quality, self._checked, self._markers = None, None, None
        self._show()

    def onCheck(self):
        """Measure in the background; the table is filled when it is done."""
        with self.guarded():
            self._checked = self.target()
            snapshot = MaskSnapshot(self.session.bridge, self._checked)
            self._looking = True
            self.ui.verdictLabel.text = _("Measuring…")
            self.session.background.submit(lambda: findings.look(snapshot.labelMap()), self.onLooked)
        self.update()

    def onLooked(self, quality, error):
        self._looking = False
        if error is not None:
            self.ui.verdictLabel.text = ""
            self.session.fail(error)
        self._quality = quality
        self._show()
        self.onMarkers()
        self.update()

    def _show(self):
        table = self.ui.findingsTable
        with silent(table):
            table.rowCount = len(self._rows())
            for place, row in enumerate(self._rows()):
                for column, text in enumerate((_severity(row.severity), row.message, row.labelName, _size(row))):
                    table.setItem(place, column, qt.QTableWidgetItem(text))
        table.resizeRowsToContents()
        self.ui.findingLabel.text = "\n".join(self._quality.lines) if self._quality else ""
        if self._quality is None:
            self.ui.verdictLabel.text = ""
        elif self._quality.verdict == "pass":
            self.ui.verdictLabel.text = _("Passed: the topology is as the label scheme expects it.")
        else:
            bad = sum(row.severity == "error" for row in self._rows())
            self.ui.verdictLabel.text = _("Failed: {count} findings against the label scheme.").format(count=bad)

    def onRow(self, row=0, column=0):
        """All views go to the finding."""
        chosen = self._row()
        if chosen is not None and chosen.positionRAS is not None:
            findings.jump(self.session.bridge.scene, chosen.positionRAS)
        self.update()

    def onFix(self):
        with self.guarded():
            self.ui.findingLabel.text = findings.fix(self.session.bridge, self._checked, self._row())
            self.session.tell("mask")

    def onFixAll(self):
        """Every safe fix, one undo step each; what turns out to be unsafe is left and told."""
        with self.guarded():
            left = []
            for row in [one for one in self._rows() if one.fixable]:
                try:
                    findings.fix(self.session.bridge, self._checked, row)
                except Exception as error:
                    left.append(str(error))
            if left:
                remedy = _("the other fixes were made; look at these by hand")
                self.session.fail(Failure("bad_input", "; ".join(left), remedy))
            self.session.tell("mask")

    def onUndo(self):
        with self.guarded():
            self.session.bridge.undo(self._checked or self.target())
        self.session.tell("mask")

    def onMarkers(self):
        """One set of markers at a time."""
        with self.guarded():
            scene = self.session.bridge.scene
            if self._markers is not None and self._markers.GetScene() is scene:
                scene.RemoveNode(self._markers)
            shown = self._rows() if self.ui.markersCheckBox.checked else ()
            self._markers = self.session.bridge.addFindings(shown) if shown else None


def _severity(severity):
    return {"error": _("error"), "warning": _("warning"), "note": _("note")}.get(severity, severity)


def _size(row):
    return "" if row.size is None else f"{row.size:.3g} {row.unit}"
