"""Stand-ins for slicer.app, slicer.modules, ScriptedLoadableModule and the few slicer.util calls that need Qt."""

import sys
import tempfile
import types
import unittest

import slicer
import slicer.util
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QVBoxLayout, QWidget

from . import parameterNode, widgets


class Application:
    """What the code asks of slicer.app."""

    applicationVersion = "5.12.0 (stand-in)"
    os = "linux"

    def __init__(self):
        self.temporaryPath = tempfile.mkdtemp(prefix="structdiff-tests-")
        self.tell = {}

    def clipboard(self):
        return QGuiApplication.clipboard()

    def processEvents(self):
        QApplication.processEvents()

    def testingEnabled(self):
        return True

    def connect(self, signal, slot):
        self.tell[signal] = slot

    def setOverrideCursor(self, cursor):
        QGuiApplication.setOverrideCursor(cursor)

    def restoreOverrideCursor(self):
        QGuiApplication.restoreOverrideCursor()


class ScriptedLoadableModule:
    def __init__(self, parent):
        self.parent = parent
        self.moduleName = type(self).__name__


class ScriptedLoadableModuleWidget:
    def __init__(self, parent=None):
        self.moduleName = type(self).__name__.removesuffix("Widget")
        self.parent = parent or widgets.qMRMLWidget()
        if self.parent.layout() is None:
            self.parent.setLayout(QVBoxLayout())
        self.parent.isEntered = True
        self.layout = self.parent.layout()

    def setup(self):
        """The developer section is not part of the stand-in."""

    def resourcePath(self, name):
        from . import MODULE_FOLDER

        return str(MODULE_FOLDER / "Resources" / name)


class ScriptedLoadableModuleLogic:
    def __init__(self, parent=None):
        self.moduleName = type(self).__name__.removesuffix("Logic")

    def getParameterNode(self):
        node = slicer.mrmlScene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
        if node is None:
            node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
            node.UnRegister(None)
            node.SetSingletonTag(self.moduleName)
            node = slicer.mrmlScene.AddNode(node)
        node.SetAttribute("ModuleName", self.moduleName)
        return node


class ScriptedLoadableModuleTest(unittest.TestCase):
    def delayDisplay(self, message, requestedDelay=None, msec=None):
        QApplication.processEvents()


def childWidgetVariables(widget):
    """Named children as attributes, as slicer.util's does it in PythonQt."""
    found = types.SimpleNamespace()
    for child in widget.findChildren(QWidget):
        if child.objectName():
            setattr(found, child.objectName(), child)
    return found


def install():
    """Complete slicer-core's ``slicer`` to what a scripted module expects."""
    slicer.app = Application()
    slicer.modules = types.SimpleNamespace()
    slicer.mrmlScene = None
    for kind in widgets.KINDS:
        if kind.__name__.startswith("qMRML"):
            setattr(slicer, kind.__name__, kind)
    slicer.util.childWidgetVariables = childWidgetVariables
    _module("slicer.i18n", tr=lambda text: text, translate=lambda context, text: text)
    _module(
        "slicer.parameterNodeWrapper",
        parameterNodeWrapper=parameterNode.parameterNodeWrapper,
        WithinRange=parameterNode.WithinRange,
    )
    _module(
        "slicer.ScriptedLoadableModule",
        ScriptedLoadableModule=ScriptedLoadableModule,
        ScriptedLoadableModuleWidget=ScriptedLoadableModuleWidget,
        ScriptedLoadableModuleLogic=ScriptedLoadableModuleLogic,
        ScriptedLoadableModuleTest=ScriptedLoadableModuleTest,
    )


def _module(name, **names):
    module = types.ModuleType(name)
    module.__dict__.update(names)
    sys.modules[name] = module
    setattr(slicer, name.rpartition(".")[2], module)
