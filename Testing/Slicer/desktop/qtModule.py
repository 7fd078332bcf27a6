"""PythonQt's flat module ``qt`` from PySide6, with PythonQt's properties (label.text = "...") in the module's own files."""

import sys
import types

TRUE_PROPERTY = 0x02
"""PySide's number of the feature that ``from __feature__ import true_property`` chooses."""
METHODS = 0x00
"""Getters and setters as methods: how PySide is by itself, and how tests speak."""


def install(moduleFolder):
    """Make ``import qt`` and ``import ctk`` work."""
    from PySide6 import QtCore, QtGui, QtWidgets
    from PySide6.QtUiTools import QUiLoader

    qt = types.ModuleType("qt")
    for part in (QtCore, QtGui, QtWidgets):
        for name in dir(part):
            if not name.startswith("_"):
                setattr(qt, name, getattr(part, name))
    qt.application = QtWidgets.QApplication.instance() or QtWidgets.QApplication(["structdiff-tests"])
    QtCore.QCoreApplication.setOrganizationName("StructDiffTests")
    QtCore.QCoreApplication.setApplicationName("StructDiffTests")
    sys.modules["qt"] = qt
    from . import widgets

    class Loader(QUiLoader):
        """Knows the stand-ins, as Slicer's knows the designer plugins."""

        def __init__(self):
            super().__init__()
            for kind in widgets.KINDS:
                self.registerCustomWidget(kind)

    qt.QUiLoader = Loader
    ctk = types.ModuleType("ctk")
    for kind in widgets.KINDS:
        if kind.__name__.startswith("ctk"):
            setattr(ctk, kind.__name__, kind)
    sys.modules["ctk"] = ctk
    _usePropertyStyle(moduleFolder)


def _usePropertyStyle(moduleFolder):
    from shibokensupport import feature

    for path in moduleFolder.rglob("*.py"):
        name = ".".join(path.relative_to(moduleFolder).with_suffix("").parts).removesuffix(".__init__")
        feature.set_selection(TRUE_PROPERTY, name)
    for name in ("application", "parameterNode", "segmentEditor", "widgets"):
        useMethodStyle(f"{__package__}.{name}")
    useMethodStyle("slicer.util")


def useMethodStyle(name):
    """Let the module of that name (a test) call Qt's methods, whatever ran before it."""
    from shibokensupport import feature

    feature.set_selection(METHODS, name)
