"""Step 1: which CT the new one shall look like."""

import ctk
import qt

from .. import templates
from ..snapshot import MaskSnapshot
from ..translation import _
from .panel import Panel, allow, silent


class TemplatePanel(Panel):
    """The library with thumbnails, best matches on top, or two nodes of the scene; a plain warning where the input is odd."""

    uiName = "TemplatePanel"

    def setup(self):
        self._ids = []
        self._listed = None
        ui = self.ui
        ui.libraryFolderEdit.filters = ctk.ctkPathLineEdit.Dirs
        ui.templateList.currentRowChanged.connect(self.onRow)
        ui.refreshLibraryButton.clicked.connect(self.refresh)
        ui.checkTemplateButton.clicked.connect(self.onCheck)
        ui.showTemplateButton.clicked.connect(self.onShow)
        ui.sourceTabs.currentChanged.connect(self.onTab)

    def refresh(self):
        """Read the library's folders again and rank them for the mask."""
        from StructDiffCore.config.user_cache import cache_folder

        folder = str(self.parameters.libraryFolder) if self.parameters else ""
        folders = [folder] if folder not in ("", ".") else []
        self.ui.templateSummaryLabel.text = _("Looking through the library…")
        self.session.background.submit(lambda: templates.library(folders, cache_folder()), self.onLibrary)

    def onLibrary(self, entries, error):
        """The library was read in the background."""
        if error is not None:
            self.session.fail(error)
            return
        self.session.entries = entries
        self._listed = None
        self.session.tell("parameters")

    def _rank(self):
        """List the entries, the best matches for the mask first; they are compared in the background."""
        entries, mask = self.session.entries, self.parameters.maskNode if self.parameters else None
        self._list([(entry, "") for entry in entries])
        if mask is not None:
            snapshot = MaskSnapshot(self.session.bridge, mask)
            self.session.background.submit(
                lambda: templates.ranked(entries, snapshot.labelMap()), lambda *ended: self._onRanked(mask, *ended)
            )

    def _onRanked(self, mask, ranked, error):
        if error is not None:
            self.session.fail(error)
        elif self.parameters is not None and mask is self.parameters.maskNode:
            self._list([(one.entry, one.why) for one in ranked])

    def _list(self, ranked):
        listWidget = self.ui.templateList
        self._ids = [entry.id for entry, _why in ranked]
        with silent(listWidget):
            listWidget.clear()
            for place, (entry, why) in enumerate(ranked):
                listWidget.addItem(_item(entry, why, best=bool(why) and place == 0))
        self._showChosen()

    def _showChosen(self):
        chosen = self.parameters.templateId if self.parameters else ""
        with silent(self.ui.templateList):
            self.ui.templateList.currentRow = self._ids.index(chosen) if chosen in self._ids else -1

    def enter(self):
        if not self.session.entries:
            self.refresh()

    def onChange(self, what, told):
        listed = (self.parameters.maskNode if self.parameters else None, len(self.session.entries))
        if what == "parameters" and self.session.entries and listed != self._listed:
            self._listed = listed
            with self.guarded():
                self._rank()
        super().onChange(what, told)

    def onRow(self, row):
        if self.parameters is not None and 0 <= row < len(self._ids):
            self.parameters.templateId = self._ids[row]
            self.session.tell("parameters")

    def onTab(self, index):
        """The scene's nodes count while their tab is open."""
        if self.parameters is not None and index == 1 and self.parameters.templateId:
            self.parameters.templateId = ""
        self._showChosen()
        self.session.tell("parameters")

    def onCheck(self):
        """Hounsfield units, spacing and contrast of the two chosen nodes."""
        with self.guarded():
            volume = self.session.bridge.volumeOf(self.parameters.templateImageNode)
            mask = self.session.bridge.labelMapOf(self.parameters.templateMaskNode, volume.geometry)
            found = templates.warnings(volume, mask)
            self.ui.templateSummaryLabel.text = _("{name} was checked.").format(name=self.parameters.templateImageNode.GetName())
            self._warn(found)

    def onShow(self):
        """The chosen template as nodes in the scene."""
        with self.guarded():
            entry = self.session.entry(self.parameters.templateId)
            pair = entry.read()
            self.session.bridge.addVolume(pair.image, entry.id, integer=True)
            self.session.bridge.addSegmentation(pair.mask, _("{name} mask").format(name=entry.id))

    def update(self):
        entry = self.session.entry(self.parameters.templateId) if self.parameters else None
        source = self.session.template()
        self.widget.text = _("1. Template") + (f": {source.name}" if source else "")
        if entry is not None:
            self.ui.templateSummaryLabel.text = entry.line()
            self._warn([entry.problem] if entry.problem else entry.warnings)
        elif source is None:
            self.ui.templateSummaryLabel.text = _("No template chosen yet.")
            self.ui.templateWarningLabel.visible = False
        nodes = self.parameters and self.parameters.templateImageNode and self.parameters.templateMaskNode
        allow(
            self.ui.checkTemplateButton,
            "" if nodes else _("Choose a CT and its mask first"),
            _("Are these Hounsfield units, is there contrast in the vessels, is the spacing usable?"),
        )
        allow(
            self.ui.showTemplateButton,
            "" if entry is not None and entry.usable else _("Choose a template of the library first"),
            _("Load the chosen template into the scene and look at it"),
        )

    def _warn(self, warnings):
        text = "; ".join(warnings)
        self.ui.templateWarningLabel.text = _("Please look: {warning}").format(warning=text)
        self.ui.templateWarningLabel.visible = bool(text)


def _item(entry, why, best):
    """Thumbnail, name, spacing and HU, and why it fits."""
    title = _("{name}  (best match)").format(name=entry.id) if best else entry.id
    facts = entry.problem or entry.line().removeprefix(f"{entry.id}: ")
    item = qt.QListWidgetItem("\n".join(line for line in (title, facts, why) if line))
    if png := templates.thumbnail(entry):
        pixmap = qt.QPixmap()
        pixmap.loadFromData(qt.QByteArray(png))
        item.setIcon(qt.QIcon(pixmap))
    if not entry.usable:
        item.setFlags(qt.Qt.NoItemFlags)
    return item
