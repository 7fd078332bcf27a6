"""The vessel surface coloured by how unsure the model was there."""

import slicer
import vtk

from .labelmaps import SURFACE
from .segmentMeaning import labelsOfSegments

ARRAY = "standard deviation HU"
ROLE = "StructDiff.Role"
MODEL_REFERENCE = "StructDiff.confidenceSurface"


def colourSurface(scene, segmentationNode, confidenceNode, on=True, windowHU=60.0, colourNode=None):
    """A model of the vessels' surface (all segments where none is thin) whose colours are the confidence probed on it.

    Answers the model node, None when turned off. The segmentation itself is hidden in 3D meanwhile, and shown again after.
    """
    modelNode = segmentationNode.GetNodeReference(MODEL_REFERENCE)
    if not on:
        if modelNode is not None:
            scene.RemoveNode(modelNode)
        segmentationNode.GetDisplayNode().SetVisibility3D(True)
        return None
    if modelNode is None:
        modelNode = scene.AddNewNodeByClass("vtkMRMLModelNode", f"{segmentationNode.GetName()} confidence surface")
        modelNode.SetAttribute(ROLE, "confidence surface")
        segmentationNode.SetNodeReferenceID(MODEL_REFERENCE, modelNode.GetID())
    modelNode.SetAndObservePolyData(probedSurface(segmentationNode, confidenceNode))
    modelNode.CreateDefaultDisplayNodes()
    _colour(modelNode.GetDisplayNode(), colourNode or confidenceNode.GetDisplayNode().GetColorNode(), windowHU)
    segmentationNode.GetDisplayNode().SetVisibility3D(False)
    return modelNode


def probedSurface(segmentationNode, confidenceNode):
    """The joined surface of the vessels, in world mm, with the confidence at each point (linear) as point data."""
    segmentation = segmentationNode.GetSegmentation()
    if not segmentation.ContainsRepresentation(SURFACE):
        segmentation.CreateRepresentation(SURFACE)
    append = vtk.vtkAppendPolyData()
    for name in _vessels(segmentationNode):
        surface = vtk.vtkPolyData()
        segmentationNode.GetClosedSurfaceRepresentation(name, surface)
        append.AddInputData(surface)
    append.Update()
    return _probed(append.GetOutput(), segmentationNode, confidenceNode)


def _vessels(segmentationNode):
    labels, _scheme = labelsOfSegments(segmentationNode)
    thin = [name for name, (label, _known) in labels.items() if label.thin]
    return thin or list(labels)


def _probed(surface, segmentationNode, confidenceNode):
    """vtkProbeFilter works in the volume's index space, where its image lies on an axis-parallel unit grid."""
    toIndex = vtk.vtkTransform()
    toIndex.SetMatrix(_worldToIndex(confidenceNode))
    toIndex.Concatenate(_nodeToWorld(segmentationNode))
    inIndex = vtk.vtkTransformPolyDataFilter()
    inIndex.SetTransform(toIndex)
    inIndex.SetInputData(surface)
    probe = vtk.vtkProbeFilter()
    probe.SetInputConnection(inIndex.GetOutputPort())
    probe.SetSourceData(confidenceNode.GetImageData())
    probe.Update()
    values = probe.GetOutput().GetPointData().GetScalars()
    values.SetName(ARRAY)
    coloured = vtk.vtkPolyData()
    coloured.ShallowCopy(surface)
    coloured.GetPointData().AddArray(values)
    coloured.GetPointData().SetActiveScalars(ARRAY)
    return _hardened(coloured, segmentationNode)


def _hardened(surface, segmentationNode):
    if segmentationNode.GetParentTransformNode() is None:
        return surface
    harden = vtk.vtkTransformPolyDataFilter()
    transform = vtk.vtkTransform()
    transform.SetMatrix(_nodeToWorld(segmentationNode))
    harden.SetTransform(transform)
    harden.SetInputData(surface)
    harden.Update()
    return harden.GetOutput()


def _worldToIndex(volumeNode):
    matrix = vtk.vtkMatrix4x4()
    volumeNode.GetRASToIJKMatrix(matrix)
    fromWorld = _nodeToWorld(volumeNode)
    fromWorld.Invert()
    vtk.vtkMatrix4x4.Multiply4x4(matrix, fromWorld, matrix)
    return matrix


def _nodeToWorld(node):
    matrix = vtk.vtkMatrix4x4()
    parent = node.GetParentTransformNode()
    if parent is not None:
        parent.GetMatrixTransformToWorld(matrix)
    return matrix


def _colour(displayNode, colourNode, windowHU):
    state = displayNode.StartModify()
    displayNode.SetActiveScalar(ARRAY, vtk.vtkAssignAttribute.POINT_DATA)
    displayNode.SetScalarVisibility(True)
    displayNode.SetScalarRangeFlag(slicer.vtkMRMLDisplayNode.UseManualScalarRange)
    displayNode.SetScalarRange(0.0, windowHU)
    if colourNode is not None:
        displayNode.SetAndObserveColorNodeID(colourNode.GetID())
    displayNode.EndModify(state)
