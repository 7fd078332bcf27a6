"""A stand-in for Slicer's Segment Editor: the calls that the module makes, no more."""

import slicer
from PySide6.QtCore import Property, Qt
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget


class qMRMLSegmentEditorWidget(QWidget):
    """A placeholder with Segment Editor's calls; remembers them, and keeps undo states as the real one does."""

    def __init__(self, parent=None):
        super().__init__(parent)
        layout = QVBoxLayout(self)
        note = QLabel("Segment Editor (Slicer's own widget stands here in the application)")
        note.setAlignment(Qt.AlignCenter)
        note.setWordWrap(True)
        note.setMinimumHeight(90)
        note.setEnabled(False)
        layout.addWidget(note)
        self.order, self.shortcuts, self.observing, self.node, self.segmentation = [], False, False, None, None
        self.source, self._columns, self._unordered, self._undoStates, self._selector = None, 4, True, 6, True
        self._history = None

    def setMRMLScene(self, scene):
        self.scene = scene

    def setMRMLSegmentEditorNode(self, node):
        self.node = node

    def setSegmentationNode(self, node):
        if node is not self.segmentation:
            self._history = None
        self.segmentation = node

    def setSourceVolumeNode(self, node):
        self.source = node

    def setEffectNameOrder(self, names):
        self.order = names

    def setActiveEffect(self, effect):
        self.effect = effect

    def installKeyboardShortcuts(self):
        self.shortcuts = True

    def uninstallKeyboardShortcuts(self):
        self.shortcuts = False

    def setupViewObservations(self):
        self.observing = True

    def removeViewObservations(self):
        self.observing = False

    def currentSegmentID(self):
        return self.node.GetSelectedSegmentID() or "" if self.node else ""

    def saveStateForUndo(self):
        if self._history is None and self.segmentation is not None:
            self._history = slicer.vtkSegmentationHistory()
            self._history.SetMaximumNumberOfStates(self._undoStates)
            self._history.SetSegmentation(self.segmentation.GetSegmentation())
        if self._history is not None:
            self._history.SaveState()

    def undo(self):
        if self._history is not None:
            self._history.RestorePreviousState()

    def redo(self):
        if self._history is not None:
            self._history.RestoreNextState()

    def _setColumns(self, value):
        self._columns = value

    def _setUnordered(self, value):
        self._unordered = value

    def _setStates(self, value):
        self._undoStates = value

    def _setSelector(self, value):
        self._selector = value

    effectColumnCount = Property(int, lambda self: self._columns, _setColumns)
    unorderedEffectsVisible = Property(bool, lambda self: self._unordered, _setUnordered)
    maximumNumberOfUndoStates = Property(int, lambda self: self._undoStates, _setStates)
    segmentationNodeSelectorVisible = Property(bool, lambda self: self._selector, _setSelector)
