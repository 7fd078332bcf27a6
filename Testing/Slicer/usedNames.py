"""Reads StructDiffSlicer's code and .ui files: which name of which Qt, ctk or qMRML class is used, and how."""

import ast
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

MODULE = Path(__file__).resolve().parents[2] / "StructDiffSlicer"
UI = MODULE / "Resources" / "UI"
RETURNS = {
    "horizontalHeader": "QHeaderView",
    "verticalHeader": "QHeaderView",
    "scaledToWidth": "QPixmap",
    "clipboard": "QClipboard",
    "layout": "QVBoxLayout",
}
"""What a method answers, where the code goes on with it."""
PARAMETERS = {
    "table": "QTableWidget",
    "button": "QPushButton",
    "segmentEditor": "qMRMLSegmentEditorWidget",
    "settings": "QSettings",
}
"""Class of a function's parameter of that name."""
FIELDS = {"widget": "ctkCollapsibleButton", "uiWidget": "qMRMLWidget", "settings": "QSettings"}
"""Class of an object's field of that name (the root of a panel's .ui)."""


@dataclass(frozen=True)
class Use:
    """One use of a name: kind is "property", "set", "signal" or "call"."""

    where: str
    owner: str
    name: str
    kind: str


def widgetsOf(path):
    """Name -> class of every widget of a .ui file."""
    return {one.get("name"): one.get("class") for one in ElementTree.parse(path).iter("widget")}


def allWidgets():
    """Name -> class over all .ui files; a name stands for one class everywhere."""
    found = {}
    for path in sorted(UI.glob("*.ui")):
        found |= widgetsOf(path)
    return found


def uiProperties():
    """A Use for every property that a .ui file sets."""
    for path in sorted(UI.glob("*.ui")):
        for widget in ElementTree.parse(path).iter("widget"):
            for one in widget.findall("property"):
                if one.get("stdset") != "0":
                    yield Use(path.name, widget.get("class"), one.get("name"), "set")


def sources():
    """Every Python file that ships with the module."""
    return sorted(MODULE.rglob("*.py"))


def codeUses():
    """A Use for every attribute of a known widget or Qt object in the code."""
    for path in sources():
        yield from _Reader(path).uses()


class _Reader:
    """One file."""

    def __init__(self, path):
        self.path = path
        self.tree = ast.parse(path.read_text(encoding="utf-8"))
        self.widgets = allWidgets()
        self.fields = dict(FIELDS)
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Assign):
                self._noteFields(node)

    def _noteFields(self, node):
        for target in node.targets:
            if isinstance(target, ast.Attribute) and (kind := self._made(node.value)):
                self.fields[target.attr] = kind

    def _made(self, value):
        """Class of ``qt.QTimer()`` and the like."""
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and _name(value.func.value) in ("qt", "ctk"):
            return value.func.attr
        return None

    def uses(self):
        for function in [node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef)]:
            names = self._locals(function)
            parents = {child: node for node in ast.walk(function) for child in ast.iter_child_nodes(node)}
            for node in ast.walk(function):
                if isinstance(node, ast.Attribute) and (owner := self._class(node.value, names)):
                    yield Use(f"{self.path.name}:{node.lineno}", owner, node.attr, _kind(node, parents))
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Attribute) and _name(node.value) in ("qt", "ctk"):
                yield Use(f"{self.path.name}:{node.lineno}", "", node.attr, "class")

    def _locals(self, function):
        names = {one.arg: PARAMETERS[one.arg] for one in function.args.args if one.arg in PARAMETERS}
        for node in ast.walk(function):
            if isinstance(node, ast.Assign):
                for target, value in _pairs(node):
                    if isinstance(target, ast.Name) and (kind := self._made(value) or self._class(value, names)):
                        names[target.id] = kind
        return names

    def _class(self, node, names):
        """Class of an expression, None where it is no widget or Qt object."""
        if isinstance(node, ast.Name):
            return names.get(node.id)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            return RETURNS.get(node.func.attr) or self._made(node)
        if isinstance(node, ast.Attribute):
            if _name(node.value) == "qt":
                return node.attr
            if _isUi(node.value) and not node.attr.startswith("__"):
                return self.widgets.get(node.attr, f"no widget of that name: {node.attr}")
            if _name(node.value) == "self":
                return self.fields.get(node.attr)
            if _name(node.value) == "panel" and node.attr == "widget":
                return "ctkCollapsibleButton"
            if _name(node.value) == "slicer" and node.attr == "app":
                return "qSlicerApplication"
        return None


def _isUi(node):
    """``ui`` or ``something.ui``."""
    return _name(node) == "ui" or (isinstance(node, ast.Attribute) and node.attr == "ui")


def _name(node):
    return node.id if isinstance(node, ast.Name) else None


def _pairs(node):
    for target in node.targets:
        if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            yield from zip(target.elts, node.value.elts)
        else:
            yield target, node.value


def _kind(node, parents):
    parent = parents.get(node)
    if isinstance(node.ctx, ast.Store):
        return "set"
    if isinstance(parent, ast.Call) and parent.func is node:
        return "call"
    if isinstance(parent, ast.Attribute) and parent.attr in ("connect", "disconnect"):
        return "signal"
    return "property"


def slicerPythonUses():
    """(where, module, name) of every function of slicer.util, slicer.packaging ... that the code names."""
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute) and _name(node.value.value) == "slicer":
                yield f"{path.name}:{node.lineno}", f"slicer.{node.value.attr}", node.attr
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("slicer."):
                for one in node.names:
                    yield f"{path.name}:{node.lineno}", node.module, one.name
