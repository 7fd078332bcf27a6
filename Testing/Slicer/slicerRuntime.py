"""Slicer's real MRML runtime without the application: a scene, its application logic and the module logics."""

import tempfile

import slicer
import vtk

LOGICS = {
    "data": ("Data", "vtkSlicerDataModuleLogic"),
    "colors": ("Colors", "vtkSlicerColorLogic"),
    "segmentations": ("Segmentations", "vtkSlicerSegmentationsModuleLogic"),
    "sequences": ("Sequences", "vtkSlicerSequencesLogic"),
    "subjectHierarchy": ("SubjectHierarchy", "vtkSlicerSubjectHierarchyModuleLogic"),
    "volumeRendering": ("VolumeRendering", "vtkSlicerVolumeRenderingLogic"),
    "volumes": ("Volumes", "vtkSlicerVolumesLogic"),
    "markups": ("Markups", "vtkSlicerMarkupsLogic"),
}


class SlicerRuntime:
    """What the application would give SceneBridge; needs slicer-core alone."""

    def __init__(self):
        window = vtk.vtkOutputWindow()
        window.SetDisplayModeToAlwaysStdErr()
        vtk.vtkOutputWindow.SetInstance(window)
        self.scene = slicer.vtkMRMLScene()
        self.appLogic = slicer.vtkSlicerApplicationLogic()
        self.appLogic.SetMRMLScene(self.scene)
        self.appLogic.GetColorLogic().SetMRMLScene(self.scene)
        self.appLogic.GetColorLogic().AddDefaultColorNodes()
        self.appLogic.SetSliceLogics(vtk.vtkCollection())
        self.appLogic.SetViewLogics(vtk.vtkCollection())
        slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(self.scene, True)
        self._letItReadBundles()
        self.logics = {name: self._logic(*kind) for name, kind in LOGICS.items()}

    def _letItReadBundles(self):
        """MRB files are unpacked through the remote cache, a folder that the application provides."""
        self._cache = tempfile.TemporaryDirectory()
        self._remoteIO = slicer.vtkMRMLRemoteIOLogic()
        self._remoteIO.SetMRMLScene(self.scene)
        self._remoteIO.SetMRMLApplicationLogic(self.appLogic)
        self._remoteIO.GetCacheManager().SetRemoteCacheDirectory(self._cache.name)
        self._remoteIO.AddDataIOToScene()

    def _logic(self, name, kind):
        logic = getattr(slicer, kind)()
        logic.SetMRMLApplicationLogic(self.appLogic)
        logic.SetMRMLScene(self.scene)
        self.appLogic.SetModuleLogic(name, logic)
        return logic
