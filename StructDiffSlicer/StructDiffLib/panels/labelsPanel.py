"""Labels that fit no scheme: what they are called, their terminology, whether they are vessels."""

import qt

from StructDiffCore.domain import CARDIAC

from ..translation import _
from .panel import Panel, allow, columns, silent


class LabelsPanel(Panel):
    """Seen only where the mask has segments that the scheme does not know."""

    uiName = "LabelsPanel"

    def setup(self):
        self._labels = []
        self._mask = None
        columns(self.ui.labelsTable, [_("Segment"), _("It is"), _("SNOMED CT code"), _("Vessel")], wide=1)
        self.ui.applyLabelsButton.clicked.connect(self.onApply)

    def onChange(self, what, told):
        if what in ("parameters", "mask"):
            self.update()

    def update(self):
        mask = self.parameters.maskNode if self.parameters else None
        labels = [] if mask is None else [one for one in self.session.bridge.segmentLabels(mask, CARDIAC) if not one.known]
        self.widget.visible = bool(labels)
        if (mask, labels) != (self._mask, self._labels):  # what the user has typed stays
            self._mask, self._labels = mask, labels
            self._fill()
        allow(
            self.ui.applyLabelsButton,
            "" if self._labels else _("Every structure of the mask is known"),
            _("Store names, terminology and 'vessel' ticks in the segmentation"),
        )

    def _fill(self):
        table = self.ui.labelsTable
        with silent(table):
            table.rowCount = len(self._labels)
            for row, label in enumerate(self._labels):
                segment = qt.QTableWidgetItem(label.name)
                segment.setFlags(qt.Qt.ItemIsEnabled)
                table.setItem(row, 0, segment)
                table.setItem(row, 1, qt.QTableWidgetItem(label.name))
                table.setItem(row, 2, qt.QTableWidgetItem(label.snomed or ""))
                table.setItem(row, 3, _tick(label.thin))

    def onApply(self):
        """Write what the table says into the segments, one undoable step for all."""
        with self.guarded():
            for row, label in enumerate(self._labels):
                self.session.bridge.mapSegment(self._mask, label.segmentId, self._said(row, label))
        self.session.tell("mask")

    def _said(self, row, label):
        """The row as a core Label; a name that the scheme knows brings that label's value and code along."""
        from dataclasses import replace

        name = self.ui.labelsTable.item(row, 1).text().strip() or label.name
        known = next((one for one in CARDIAC.labels if one.name.casefold() == name.casefold()), None)
        if known is not None:
            return known
        code = self.ui.labelsTable.item(row, 2).text().strip()
        thin = self.ui.labelsTable.item(row, 3).checkState() == qt.Qt.Checked
        return replace(CARDIAC.labels[0], value=label.value, name=name, snomed=code, thin=thin)


def _tick(on):
    item = qt.QTableWidgetItem()
    item.setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsUserCheckable)
    item.setCheckState(qt.Qt.Checked if on else qt.Qt.Unchecked)
    return item
