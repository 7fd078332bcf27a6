"""Stand-ins for the few ctk and qMRML widgets of the .ui files: same names, properties and signals, no more than is used."""

import slicer
from PySide6.QtCore import Property, QSize, Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QSizePolicy,
    QSlider,
    QToolButton,
    QWidget,
)
from shiboken6 import isValid

from .segmentEditor import qMRMLSegmentEditorWidget


class ctkCollapsibleButton(QWidget):
    """A titled section that opens and closes."""

    contentsCollapsed = Signal(bool)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._head = QToolButton(self)
        self._head.setToolButtonStyle(Qt.ToolButtonTextBesideIcon)
        self._head.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Fixed)
        self._head.clicked.connect(lambda: self._collapse(not self._collapsed))
        self._collapsed = False
        self._show()

    def _show(self):
        """Closed, the contents are clipped away below the title."""
        self._head.setArrowType(Qt.RightArrow if self._collapsed else Qt.DownArrow)
        height = self._head.sizeHint().height()
        self.setContentsMargins(0, height, 0, 0)
        self.setMaximumHeight(height if self._collapsed else 16777215)
        self.updateGeometry()

    def resizeEvent(self, event):
        self._head.setGeometry(0, 0, self.width(), self._head.sizeHint().height())

    def sizeHint(self):
        return self._head.sizeHint() if self._collapsed else super().sizeHint()

    def minimumSizeHint(self):
        return QSize(0, self._head.sizeHint().height()) if self._collapsed else super().minimumSizeHint()

    def _collapse(self, on):
        if on == self._collapsed:
            return
        self._collapsed = on
        self._show()
        self.contentsCollapsed.emit(on)

    def _setText(self, text):
        self._head.setText(text)

    text = Property(str, lambda self: self._head.text(), _setText)
    collapsed = Property(bool, lambda self: self._collapsed, _collapse)


class ctkSliderWidget(QWidget):
    """A slider with a spin box for real numbers."""

    valueChanged = Signal(float)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._slider, self._box = QSlider(Qt.Horizontal, self), QDoubleSpinBox(self)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._slider)
        layout.addWidget(self._box)
        self._slider.valueChanged.connect(lambda step: self._box.setValue(self._box.minimum() + step * self._box.singleStep()))
        self._box.valueChanged.connect(self._onBox)

    def _onBox(self, value):
        self._slider.setValue(round((value - self._box.minimum()) / self._box.singleStep()))
        self.valueChanged.emit(value)

    def _ranged(self):
        self._slider.setMaximum(round((self._box.maximum() - self._box.minimum()) / self._box.singleStep()))
        self._onBox(self._box.value())

    def _setMinimum(self, value):
        self._box.setMinimum(value)
        self._ranged()

    def _setMaximum(self, value):
        self._box.setMaximum(value)
        self._ranged()

    def _setStep(self, value):
        self._box.setSingleStep(value)
        self._ranged()

    value = Property(float, lambda self: self._box.value(), lambda self, value: self._box.setValue(value))
    minimum = Property(float, lambda self: self._box.minimum(), _setMinimum)
    maximum = Property(float, lambda self: self._box.maximum(), _setMaximum)
    singleStep = Property(float, lambda self: self._box.singleStep(), _setStep)
    decimals = Property(int, lambda self: self._box.decimals(), lambda self, value: self._box.setDecimals(value))
    suffix = Property(str, lambda self: self._box.suffix(), lambda self, value: self._box.setSuffix(value))


class ctkPathLineEdit(QWidget):
    """A path with a button to browse for it."""

    Files, Dirs, Readable, Writable = 0x002, 0x001, 0x010, 0x020
    currentPathChanged = Signal(str)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._filters = self.Files
        self._line, browse = QLineEdit(self), QToolButton(self)
        browse.setText("…")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._line)
        layout.addWidget(browse)
        self._line.textChanged.connect(self.currentPathChanged)
        browse.clicked.connect(self.browse)

    def browse(self):
        path = QFileDialog.getExistingDirectory(self)
        if path:
            self._line.setText(path)

    def _setFilters(self, filters):
        self._filters = filters

    currentPath = Property(str, lambda self: self._line.text(), lambda self, path: self._line.setText(path))
    filters = Property(int, lambda self: self._filters, _setFilters)


class qMRMLWidget(QWidget):
    """A widget that knows the scene."""

    mrmlSceneChanged = Signal(object)

    def setMRMLScene(self, scene):
        self._scene = scene
        self.mrmlSceneChanged.emit(scene)

    def mrmlScene(self):
        return self._scene


class qMRMLNodeComboBox(QWidget):
    """Chooses a node of the scene; follows nodes that come and go."""

    currentNodeChanged = Signal(object)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._scene, self._types, self._none, self._nodes, self._tags = None, [], "None", [None], []
        self._box = QComboBox(self)
        self._box.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Fixed)
        self._box.setMinimumContentsLength(12)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._box)
        self._box.currentIndexChanged.connect(lambda index: self.currentNodeChanged.emit(self.currentNode()))
        self._fill()

    def setMRMLScene(self, scene):
        for tag in self._tags:
            self._scene.RemoveObserver(tag)
        self._scene = scene
        events = (slicer.vtkMRMLScene.NodeAddedEvent, slicer.vtkMRMLScene.NodeRemovedEvent, slicer.vtkMRMLScene.EndCloseEvent)
        self._tags = [scene.AddObserver(event, lambda caller, event: self._fill()) for event in events] if scene else []
        self._fill()

    def _fill(self):
        if not isValid(self._box):  # the panel is gone, the scene still calls
            return
        current = self._nodes[self._box.currentIndex()] if self._box.count() else None
        nodes = [] if self._scene is None else [self._scene.GetNthNode(n) for n in range(self._scene.GetNumberOfNodes())]
        shown = [node for node in nodes if node.GetClassName() in self._types and not node.GetHideFromEditors()]
        was = self._box.blockSignals(True)
        self._nodes = [None, *shown]
        self._box.clear()
        self._box.addItems([self._none, *(node.GetName() for node in shown)])
        self._box.setCurrentIndex(self._nodes.index(current) if current in self._nodes else 0)
        self._box.blockSignals(was)
        if current is not None and current not in self._nodes:
            self.currentNodeChanged.emit(None)

    def currentNode(self):
        return self._nodes[self._box.currentIndex()]

    def setCurrentNode(self, node):
        if node is not None and node not in self._nodes:
            self._fill()
        self._box.setCurrentIndex(self._nodes.index(node) if node in self._nodes else 0)

    def _setTypes(self, types):
        self._types = list(types)
        self._fill()

    def _setNone(self, words):
        self._none = words
        self._fill()

    def _ignore(self, value):
        """Adding and removing nodes is not part of the stand-in."""

    nodeTypes = Property("QStringList", lambda self: self._types, _setTypes)
    noneDisplay = Property(str, lambda self: self._none, _setNone)
    noneEnabled = Property(bool, lambda self: True, _ignore)
    addEnabled = Property(bool, lambda self: False, _ignore)
    removeEnabled = Property(bool, lambda self: False, _ignore)


KINDS = (ctkCollapsibleButton, ctkSliderWidget, ctkPathLineEdit, qMRMLWidget, qMRMLNodeComboBox, qMRMLSegmentEditorWidget)
