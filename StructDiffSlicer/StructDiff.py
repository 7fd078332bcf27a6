"""StructDiff for 3D Slicer: synthetic CT from edited vessel masks. The classes Slicer looks for; all else is StructDiffLib."""

import os

import slicer
import vtk
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin


class StructDiff(ScriptedLoadableModule):
    """What the module finder and the help section show."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("StructDiff: synthetic CT")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Image Synthesis")]
        parent.dependencies = ["Segmentations", "SegmentEditor", "Sequences", "VolumeRendering"]
        parent.contributors = ["The StructDiff developers"]
        parent.helpText = _(
            "Edit a vessel mask, press one button, and get a synthetic CT that obeys the mask and looks like a template, with a "
            "map of where the generator is unsure and a check of the vessels' topology. Synthetic images: not for diagnosis. "
            'See the <a href="https://github.com/StructDiff/StructDiff/blob/main/Resources/Docs/TUTORIAL.md">tutorial</a>.'
        )
        parent.acknowledgementText = _("Built after StructDiff (arXiv:2503.09560).")


class StructDiffWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The module panel: mask on top, then one section per step."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)

    def setup(self):
        """Called when the user opens the module for the first time."""
        from StructDiffLib.panels.desk import Desk

        ScriptedLoadableModuleWidget.setup(self)
        self.logic = StructDiffLogic()
        self._parameters = None
        self._guiTag = None
        self.uiWidget = slicer.util.loadUI(self.resourcePath("UI/StructDiff.ui"))
        self.layout.addWidget(self.uiWidget)
        self.ui = slicer.util.childWidgetVariables(self.uiWidget)
        self.session = self.logic.newSession()
        self.desk = Desk(self.session, self.ui, os.path.dirname(self.resourcePath("UI/StructDiff.ui")))
        environmentPanel = self.desk.panels["EnvironmentPanel"]
        environmentPanel.requirements = self.resourcePath("requirements.txt")
        self.logic.workers = lambda: environmentPanel.worker
        self.logic.useEditor(self.session, self.desk.panels["EditPanel"].ui.segmentEditor)
        self.uiWidget.setMRMLScene(slicer.mrmlScene)
        self.ui.maskSelector.setMRMLScene(slicer.mrmlScene)
        self.desk.setScene(slicer.mrmlScene)
        self.ui.sampleDataButton.clicked.connect(self.onSampleData)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndImportEvent, self.onSceneEndImport)
        self.initializeParameterNode()

    def cleanup(self):
        """Called when the application closes or the module is reloaded: nothing runs on."""
        self.setParameterNode(None)
        self.removeObservers()
        self.desk.cleanup()

    def enter(self):
        """Called each time the user opens this module."""
        self.initializeParameterNode()
        self.desk.enter()

    def exit(self):
        """Called each time the user opens another module."""
        self.desk.exit()

    def onSceneStartClose(self, caller, event):
        self.setParameterNode(None)
        self.session.onSceneClosed()

    def onSceneEndClose(self, caller, event):
        self.desk.setScene(slicer.mrmlScene)
        if self.parent.isEntered:
            self.initializeParameterNode()

    def onSceneEndImport(self, caller=None, event=None):
        """A scene was opened: its choices and pairs are taken up."""
        self.initializeParameterNode()
        self.session.adopt()

    def initializeParameterNode(self):
        """Ensure that a parameter node exists and is observed."""
        self.setParameterNode(self.logic.getParameterNode())
        if not self._parameters.maskNode:
            self._parameters.maskNode = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSegmentationNode")

    def setParameterNode(self, parameters):
        """Bind every widget with a SlicerParameterName to these parameters; None unbinds."""
        if self._parameters is not None:
            self._parameters.disconnectGui(self._guiTag)
            self.removeObserver(self._parameters.parameterNode, vtk.vtkCommand.ModifiedEvent, self.onParameters)
        self._parameters = self.session.parameters = parameters
        if parameters is not None:
            self._guiTag = parameters.connectGui(self.uiWidget)
            self.addObserver(parameters.parameterNode, vtk.vtkCommand.ModifiedEvent, self.onParameters)
        self.session.tell("parameters")

    def onParameters(self, caller=None, event=None):
        self.session.tell("parameters")

    def onSampleData(self):
        """A digital heart's mask and, in the library, its template."""
        with slicer.util.tryWithErrorDisplay(_("The sample data cannot be loaded."), waitCursor=True):
            mask, templateId = self.logic.loadSampleData(self.session.bridge)
            self._parameters.maskNode = mask
            self._parameters.templateId = templateId


class StructDiffLogic(ScriptedLoadableModuleLogic):
    """Everything but the panel; also for scripts: ``logic.newSession()`` and ``session.synthesize``."""

    LOGICS = ("segmentations", "volumes", "colors", "sequences", "volumeRendering")
    """Modules whose logic the bridge uses."""

    def __init__(self):
        ScriptedLoadableModuleLogic.__init__(self)
        self.workers = None

    def getParameterNode(self):
        from StructDiffLib.parameters import StructDiffParameters

        return StructDiffParameters(super().getParameterNode())

    def newSession(self):
        """A session over the application's scene; its worker is found when a run starts."""
        from StructDiffLib.jobs import JobRunner
        from StructDiffLib.SceneBridge import SceneBridge
        from StructDiffLib.session import Session

        bridge = SceneBridge(slicer.mrmlScene, self.moduleLogics())
        session = Session(bridge, JobRunner(lambda jobFile: self.worker().start(jobFile)), self.runsFolder())
        session.report = f"Slicer {slicer.app.applicationVersion}, {slicer.app.os}"
        session.machine = self.knownMachine()
        return session

    def worker(self):
        """The Python that runs jobs."""
        import qt
        from StructDiffLib.environment import chosenWorker

        return self.workers() if self.workers else chosenWorker(qt.QSettings())

    def useEditor(self, session, segmentEditor):
        """Let the Segment Editor's undo button take back our edits too."""
        from StructDiffLib.history import EditorHistory

        session.bridge.history = EditorHistory(segmentEditor)

    def moduleLogics(self):
        """Logics of Slicer's modules, without those that this Slicer does not have."""
        found = {name: getattr(slicer.modules, name.lower(), None) for name in self.LOGICS}
        return {name: module.logic() for name, module in found.items() if module is not None}

    def runsFolder(self):
        """Where runs keep their inputs and results, below Slicer's temporary folder."""
        return os.path.join(slicer.app.temporaryPath, "StructDiff")

    def knownMachine(self):
        """What the last check of the installation measured on this computer, None before the first."""
        from StructDiffCore.pipelines.estimate import stored_machine

        return stored_machine()

    def loadSampleData(self, bridge):
        """The shipped mask to edit as a node, and the id of the shipped template. Nothing is downloaded."""
        from StructDiffCore.domain import CARDIAC
        from StructDiffCore.io.files import read_label_map
        from StructDiffCore.preprocess.template_library import shipped_mask_to_edit

        path = shipped_mask_to_edit()
        mask = bridge.addSegmentation(read_label_map(path, CARDIAC), _("Digital heart"))
        return mask, path.parent.name


class StructDiffTest(ScriptedLoadableModuleTest):
    """The self-test for a person inside the application (Reload and Test): sample data, one quick run, its nodes."""

    def runTest(self):
        self.setUp()
        self.test_sampleDataToLoadedNodes()

    def setUp(self):
        slicer.mrmlScene.Clear()

    def test_sampleDataToLoadedNodes(self):
        """Load the sample data, synthesise with the quick preset, expect a volume, a confidence map and a mask."""
        from StructDiffLib import templates
        from StructDiffLib.parameters import Preset

        logic = StructDiffLogic()
        session = logic.newSession()
        session.parameters = logic.getParameterNode()
        session.entries = templates.library()
        session.parameters.maskNode, session.parameters.templateId = logic.loadSampleData(session.bridge)
        session.parameters.preset = Preset.QUICK
        self.delayDisplay(_("Sample data loaded; a quick run begins"))
        session.synthesize()
        while session.running:
            session.poll()
            slicer.app.processEvents()
        assert session.failure is None, session.failure.report()
        assert len(session.loaded.imageNodes) == 1
        assert len(session.loaded.confidenceNodes) == 1
        assert session.loaded.maskNode is not None
        self.delayDisplay(_("Test passed"))
