"""Stand-in for slicer.parameterNodeWrapper: typed fields kept in a real vtkMRMLScriptedModuleNode, bound to widgets."""

import enum
import json
import pathlib
import typing
from dataclasses import dataclass

import slicer
import vtk
from PySide6.QtWidgets import QCheckBox, QComboBox, QLineEdit, QSpinBox, QWidget

from .widgets import ctkPathLineEdit, ctkSliderWidget, qMRMLNodeComboBox


@dataclass(frozen=True)
class WithinRange:
    """Smallest and largest value of a number."""

    minimum: float
    maximum: float


def parameterNodeWrapper(kind):
    """Turn the annotated fields of a class into properties over a parameter node."""
    fields = {name: _Field(name, hint, getattr(kind, name, None)) for name, hint in _hints(kind).items()}
    for name, field in fields.items():
        setattr(
            kind,
            name,
            property(lambda self, f=field: f.read(self.parameterNode), lambda self, v, f=field: f.write(self.parameterNode, v)),
        )
    kind.__init__ = _begin
    kind.allParameters = fields
    kind.connectGui, kind.disconnectGui = _connectGui, _disconnectGui
    return kind


def _hints(kind):
    return typing.get_type_hints(kind, include_extras=True)


def _begin(self, parameterNode):
    self.parameterNode = parameterNode
    self._bound = {}


class _Field:
    """One parameter: how it is written into the node and read back."""

    def __init__(self, name, hint, default):
        self.name = name
        self.type = typing.get_args(hint)[0] if hasattr(hint, "__metadata__") else hint
        self.range = next((one for one in getattr(hint, "__metadata__", ()) if isinstance(one, WithinRange)), None)
        self.isNode = isinstance(self.type, type) and issubclass(self.type, slicer.vtkMRMLNode)
        self.default = default if default is not None or self.isNode else self.type()

    def read(self, node):
        if self.isNode:
            return node.GetNodeReference(self.name)
        kept = node.GetParameter(self.name)
        if not kept:
            return self.default
        if issubclass(self.type, enum.Enum):
            return self.type[kept]
        return self.type(kept) if issubclass(self.type, (str, pathlib.Path)) else self.type(json.loads(kept))

    def write(self, node, value):
        if self.isNode:
            node.SetNodeReferenceID(self.name, value.GetID() if value is not None else None)
            return
        if self.range and not self.range.minimum <= value <= self.range.maximum:
            raise ValueError(f"{self.name} is {value}, outside {self.range}")
        if issubclass(self.type, enum.Enum):
            value = value.name
        node.SetParameter(self.name, str(value) if isinstance(value, (str, pathlib.Path)) else json.dumps(value))


class _Binding:
    """One widget and one parameter, kept equal."""

    def __init__(self, field, widget):
        self.field, self.widget = field, widget
        self.get, self.set, self.changed = _handles(field, widget)


def _handles(field, widget):
    if isinstance(widget, qMRMLNodeComboBox) and field.isNode:
        return widget.currentNode, widget.setCurrentNode, widget.currentNodeChanged
    if isinstance(widget, ctkPathLineEdit) and field.type is pathlib.Path:
        return (
            (lambda: pathlib.Path(widget.currentPath)),
            (lambda v: setattr(widget, "currentPath", _text(v))),
            widget.currentPathChanged,
        )
    if isinstance(widget, ctkSliderWidget) and field.type in (float, int) and field.range:
        widget.minimum, widget.maximum = field.range.minimum, field.range.maximum
        return (lambda: widget.value), (lambda v: setattr(widget, "value", v)), widget.valueChanged
    if isinstance(widget, QSpinBox) and field.type is int:
        widget.setRange(int(field.range.minimum), int(field.range.maximum))
        return widget.value, widget.setValue, widget.valueChanged
    if isinstance(widget, QComboBox) and issubclass(field.type, enum.Enum):
        choices = list(field.type)
        widget.clear()
        widget.addItems([choice.label() for choice in choices])
        return (
            (lambda: choices[widget.currentIndex()]),
            (lambda v: widget.setCurrentIndex(choices.index(v))),
            widget.currentIndexChanged,
        )
    if isinstance(widget, QCheckBox) and field.type is bool:
        return widget.isChecked, widget.setChecked, widget.stateChanged
    if isinstance(widget, QLineEdit) and field.type is str:
        return widget.text, widget.setText, widget.textChanged
    raise RuntimeError(f"no way to connect {field.name} ({field.type}) with {type(widget).__name__}")


def _text(path):
    return "" if str(path) == "." else str(path)


def _connectGui(self, gui):
    bindings = []
    for widget in gui.findChildren(QWidget):
        name = widget.property("SlicerParameterName")
        if name:
            binding = _Binding(self.allParameters[name], widget)
            binding.set(getattr(self, name))
            binding.listener = lambda *told, b=binding: b.field.write(self.parameterNode, b.get())
            binding.changed.connect(binding.listener)
            bindings.append(binding)

    def show(caller, event):
        for binding in bindings:
            value = binding.field.read(self.parameterNode)
            if binding.get() != value:
                binding.set(value)

    tag = self.parameterNode.AddObserver(vtk.vtkCommand.ModifiedEvent, show)
    self._bound[tag] = bindings
    return tag


def _disconnectGui(self, tag):
    self.parameterNode.RemoveObserver(tag)
    for binding in self._bound.pop(tag, ()):
        binding.changed.disconnect(binding.listener)
