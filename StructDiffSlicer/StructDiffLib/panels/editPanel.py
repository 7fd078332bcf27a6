"""Step 2: change the mask, by proved edits of its vessels or by hand, with the topology in view."""

import qt
import slicer

from .. import display, maskEditing, topologyLine
from ..failure import Failure
from ..snapshot import MaskSnapshot, copyOfMask
from ..translation import _
from .panel import Panel, allow

EFFECTS = ("Paint", "Draw", "Erase", "Scissors", "Threshold", "Islands", "Margin", "Smoothing")
"""Segment Editor effects that vessels need, in this order."""
SETTLE_MS = 150
"""A stroke counts as over when nothing has changed for so long."""


class EditPanel(Panel, slicer.util.VTKObservationMixin):
    """MGM tools, undo, outlines, live topology line, and Slicer's own Segment Editor."""

    uiName = "EditPanel"

    def setup(self):
        slicer.util.VTKObservationMixin.__init__(self)
        self._branches = []
        self._lines = {}
        self._observed = None
        self._image = None
        self._changing = False
        self._measuring = False
        self._settle = qt.QTimer()
        self._settle.interval = SETTLE_MS
        self._settle.timeout.connect(self.showTopology)
        self._setupEditor()
        ui = self.ui
        ui.findBranchesButton.clicked.connect(self.onFindBranches)
        ui.outlineCheckBox.toggled.connect(self.onOutline)
        ui.vessels3DCheckBox.toggled.connect(self.onVessels3D)
        ui.undoEditButton.clicked.connect(self.onUndo)
        ui.redoEditButton.clicked.connect(self.onRedo)
        ui.lengthenButton.clicked.connect(self.onLengthen)
        ui.pruneButton.clicked.connect(self.onPrune)
        ui.moveButton.clicked.connect(self.onMove)
        ui.narrowButton.clicked.connect(self.onNarrow)
        ui.widenButton.clicked.connect(self.onWiden)
        ui.repairButton.clicked.connect(self.onRepair)
        ui.newMaskButton.clicked.connect(self.onNewMask)

    # -- the embedded Segment Editor -----------------------------------------------------------------------------------
    def _setupEditor(self):
        editor = self.ui.segmentEditor
        editor.setEffectNameOrder(list(EFFECTS))
        editor.unorderedEffectsVisible = False
        editor.maximumNumberOfUndoStates = 10
        editor.segmentationNodeSelectorVisible = False

    def setScene(self, scene):
        editor = self.ui.segmentEditor
        editor.setMRMLScene(scene)
        node = scene.GetSingletonNode("StructDiff", "vtkMRMLSegmentEditorNode") if scene else None
        if scene is not None and node is None:
            node = slicer.vtkMRMLSegmentEditorNode()
            node.SetSingletonTag("StructDiff")
            node = scene.AddNode(node)
        editor.setMRMLSegmentEditorNode(node)

    def enter(self):
        self.ui.segmentEditor.installKeyboardShortcuts()
        self.ui.segmentEditor.setupViewObservations()

    def exit(self):
        self.ui.segmentEditor.setActiveEffect(None)
        self.ui.segmentEditor.uninstallKeyboardShortcuts()
        self.ui.segmentEditor.removeViewObservations()

    def cleanup(self):
        self._settle.stop()
        self.removeObservers()

    # -- the mask ------------------------------------------------------------------------------------------------------
    @property
    def mask(self):
        return self.parameters.maskNode if self.parameters else None

    def update(self):
        if self.mask is not self._observed:
            self._observe(self.mask)
        image = self.parameters and (self.parameters.imageNode or self.parameters.templateImageNode)
        if image is not self._image:  # what Threshold and the like look at
            self._image = image
            self.ui.segmentEditor.setSourceVolumeNode(image)
        mask = "" if self.mask else _("Choose a mask first (top of the panel)")
        busy = _("A change is being made and proved: one moment") if self._changing else ""
        branch = mask or busy or ("" if self._branches else _("Find the branches of the mask first"))
        ui = self.ui
        allow(ui.findBranchesButton, mask or busy, _("Trace the vessels of the mask and list their branches"))
        allow(ui.lengthenButton, branch, _("Let the branch grow on by this length"))
        allow(ui.pruneButton, branch, _("Take the branch away, with all that grows from it"))
        allow(ui.moveButton, branch, _("Let the branch take off this much further down its parent"))
        allow(ui.narrowButton, branch, _("Narrow the branch (a stenosis) over this length"))
        allow(ui.widenButton, branch, _("Widen the branch (an ectasia) over this length"))
        allow(ui.repairButton, mask or busy, _("Close gaps and drop specks, so that the mask is one that edits can start from"))
        allow(ui.vessels3DCheckBox, mask, _("Show the vessels in the 3D view"))
        allow(ui.newMaskButton, mask or busy, _("Another heart of the same build: everything moves a little, vessels vary"))
        allow(ui.undoEditButton, mask or busy, _("Take the last change back"))
        allow(ui.redoEditButton, mask or busy, _("Make the last undone change again"))

    def _observe(self, mask):
        self.removeObservers()
        self._observed = mask
        self._lines, self._branches = {}, []
        self.ui.branchComboBox.clear()
        self.ui.segmentEditor.setSegmentationNode(mask)
        if mask is None:
            self.ui.topologyLabel.text = _("Choose a mask to see its topology")
            return
        segmentation = mask.GetSegmentation()
        events = ("SourceRepresentationModified", "SegmentModified", "SegmentAdded", "SegmentRemoved")
        for event in events:
            self.addObserver(segmentation, getattr(segmentation, event), self.onStroke)
        self.onOutline()
        self._settle.start()

    def onStroke(self, caller=None, event=None):
        """Something was painted, or a segment came or went."""
        self._settle.start()

    def showTopology(self):
        """Measure every vessel in the background; after a stroke only the segment that was painted."""
        self._settle.stop()
        if self.mask is None:
            return
        if self._measuring:  # once more when that has ended
            self._settle.start()
            return
        with self.guarded():
            vessels = [one for one in self.session.bridge.segmentLabels(self.mask) if one.thin]
            painted = self.ui.segmentEditor.currentSegmentID()
            stale = [one for one in vessels if one.segmentId == painted or painted not in self._lines]
            ids, mask, copy = [one.segmentId for one in stale], self.mask, copyOfMask(self.mask)
            kept = {one.segmentId: self._lines.get(one.segmentId, "") for one in vessels}
            self._measuring = True
            self.session.background.submit(
                lambda: {**kept, **{segment: topologyLine.lineOfSegment(copy, segment) for segment in ids}},
                lambda lines, error: self._showLines(mask, lines, error),
            )

    def _showLines(self, mask, lines, error):
        self._measuring = False
        if error is not None:
            self.session.fail(error)
        elif mask is self.mask:
            self._lines = lines
            self.ui.topologyLabel.text = "\n".join(lines.values()) or _("This mask has no vessel (thin structure).")

    def onOutline(self):
        if self.mask is not None:
            display.showOutline(self.mask, self.ui.outlineCheckBox.checked)

    def onVessels3D(self):
        with self.guarded():
            display.showSurface(self.mask, self.ui.vessels3DCheckBox.checked)

    # -- proved edits --------------------------------------------------------------------------------------------------
    def onFindBranches(self):
        with self.guarded():
            snapshot = MaskSnapshot(self.session.bridge, self.mask)
            self._start(lambda: maskEditing.branches(snapshot.labelMap()), self._listBranches)

    def _listBranches(self, rows):
        self._branches = rows
        self.ui.branchComboBox.clear()
        for row in rows:
            words = _("{tree}: {branch}, {length:.0f} mm long, {width:.1f} mm wide")
            text = words.format(tree=row.treeName, branch=row.branch, length=row.lengthMM, width=2 * row.radiusMM)
            self.ui.branchComboBox.addItem(text)

    def _branch(self):
        row = self._branches[max(0, self.ui.branchComboBox.currentIndex)]
        return row, {"tree": row.tree, "branch": row.branch}

    def onLengthen(self):
        self._edit("lengthen", **self._branch()[1], byMM=self.ui.amountSlider.value)

    def onPrune(self):
        self._edit("prune", **self._branch()[1])

    def onMove(self):
        self._edit("move", **self._branch()[1], byMM=self.ui.amountSlider.value)

    def onNarrow(self):
        self._edit("narrow", **self._branch()[1], **self._stretch())

    def onWiden(self):
        self._edit("widen", **self._branch()[1], **self._stretch())

    def _stretch(self):
        centre = self._branch()[0].lengthMM * self.ui.placeSlider.value / 100
        return {"centreMM": centre, "lengthMM": self.ui.amountSlider.value, "percent": self.ui.percentSlider.value}

    def onRepair(self):
        self._edit("repair")

    def onNewMask(self):
        self._edit("newMask", seed=self.parameters.seed, strength=self.ui.strengthSlider.value)

    def _edit(self, kind, **options):
        """Prove the edit in the background, then put it into the scene unless the mask has changed meanwhile."""
        with self.guarded():
            mask = self.mask
            snapshot, stamp = MaskSnapshot(self.session.bridge, mask), mask.GetSegmentation().GetMTime()
            self.ui.editMessageLabel.text = _("Changing and proving…")
            self._start(
                lambda: maskEditing.edited(snapshot.labelMap(), kind, **options), lambda result: self._put(mask, stamp, result)
            )

    def _put(self, mask, stamp, result):
        if mask is not self.mask or mask.GetSegmentation().GetMTime() != stamp:
            remedy = _("nothing was replaced; make the change again")
            self.session.fail(Failure("bad_input", _("the mask was changed while the edit was being proved"), remedy))
            return
        self.session.bridge.replaceLabels(mask, result.labelMap)
        self._lines, self._branches = {}, []
        self.ui.branchComboBox.clear()
        self.ui.editMessageLabel.text = result.message
        self.session.tell("mask")

    def _start(self, work, done):
        self._changing = True
        self.update()

        def ended(result, error):
            self._changing = False
            if error is not None:
                self.ui.editMessageLabel.text = _("Nothing was changed.")
                self.session.fail(error)
            else:
                with self.guarded():
                    done(result)
            self.update()

        self.session.background.submit(work, ended)

    def onUndo(self):
        with self.guarded():
            undone = self.session.bridge.undo(self.mask)
            self.ui.editMessageLabel.text = _("Taken back.") if undone else _("There is nothing to take back.")
        self.session.tell("mask")

    def onRedo(self):
        with self.guarded():
            again = self.session.bridge.redo(self.mask)
            self.ui.editMessageLabel.text = _("Made again.") if again else _("There is nothing to make again.")
        self.session.tell("mask")
