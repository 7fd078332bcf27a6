"""Slicer's real MRML runtime without the application: a scene, its application logic and the module logics."""

import slicer
import vtk

LOGICS = {
    "segmentations": "vtkSlicerSegmentationsModuleLogic",
    "sequences": "vtkSlicerSequencesLogic",
    "subjectHierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "volumeRendering": "vtkSlicerVolumeRenderingLogic",
    "volumes": "vtkSlicerVolumesLogic",
}


class SlicerRuntime:
    """What the application would give SceneBridge; needs slicer-core alone."""

    def __init__(self):
        self.scene = slicer.vtkMRMLScene()
        self.appLogic = slicer.vtkSlicerApplicationLogic()
        self.appLogic.SetMRMLScene(self.scene)
        self.appLogic.GetColorLogic().SetMRMLScene(self.scene)
        self.appLogic.GetColorLogic().AddDefaultColorNodes()
        self.appLogic.SetSliceLogics(vtk.vtkCollection())
        self.appLogic.SetViewLogics(vtk.vtkCollection())
        slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(self.scene, True)
        self.logics = {name: self._logic(kind) for name, kind in LOGICS.items()}

    def _logic(self, kind):
        logic = getattr(slicer, kind)()
        logic.SetMRMLScene(self.scene)
        logic.SetMRMLApplicationLogic(self.appLogic)
        self.appLogic.SetModuleLogic(kind.removeprefix("vtkSlicer").removesuffix("Logic").removesuffix("Module"), logic)
        return logic
