"""History: the state of a segmentation before each edit, so that one undo takes the edit back."""

import slicer

MOST_STATES = 20


class SegmentationHistory:
    """One vtkSegmentationHistory per segmentation node; for use without the Segment Editor."""

    def __init__(self):
        self._histories = {}

    def saveState(self, segmentationNode):
        """To be called before an edit; what was undone before can then no longer be redone."""
        self._of(segmentationNode).SaveState()

    def undo(self, segmentationNode):
        """Whether there was an edit to take back."""
        return bool(self._of(segmentationNode).RestorePreviousState())

    def redo(self, segmentationNode):
        """Whether there was an undone edit to make again."""
        return bool(self._of(segmentationNode).RestoreNextState())

    def canUndo(self, segmentationNode):
        return bool(self._of(segmentationNode).IsRestorePreviousStateAvailable())

    def canRedo(self, segmentationNode):
        return bool(self._of(segmentationNode).IsRestoreNextStateAvailable())

    def forget(self):
        """Drop all states: the scene was closed."""
        self._histories.clear()

    def _of(self, segmentationNode):
        history = self._histories.get(segmentationNode.GetID())
        if history is None or history.GetSegmentation() is not segmentationNode.GetSegmentation():
            history = slicer.vtkSegmentationHistory()
            history.SetMaximumNumberOfStates(MOST_STATES)
            history.SetSegmentation(segmentationNode.GetSegmentation())
            self._histories[segmentationNode.GetID()] = history
        return history


class EditorHistory:
    """The Segment Editor's own history, so that its undo button takes back our edits too."""

    def __init__(self, segmentEditorWidget):
        self._widget = segmentEditorWidget

    def saveState(self, segmentationNode):
        self._widget.setSegmentationNode(segmentationNode)
        self._widget.saveStateForUndo()

    def undo(self, segmentationNode):
        self._widget.setSegmentationNode(segmentationNode)
        self._widget.undo()
        return True

    def redo(self, segmentationNode):
        self._widget.setSegmentationNode(segmentationNode)
        self._widget.redo()
        return True

    def canUndo(self, segmentationNode):
        return True

    def canRedo(self, segmentationNode):
        return True

    def forget(self):
        """The widget forgets by itself when its segmentation goes."""
