"""The vessel surface coloured by how unsure the model was there."""

import numpy as np
import slicer
import vtk

from StructDiffCore.config.presets import CONFIDENCE_WINDOW_HU

from .colourLegend import showLegend
from .grids import fill, geometryOf
from .labelmaps import readLabels

ARRAY = "standard deviation HU"
ROLE = "StructDiff.Role"
PAD = 2
SOFTNESS_VOXELS = 0.7
LEVEL = 0.3
"""Below one half, so that a vessel one voxel wide keeps its surface."""
MODEL_REFERENCE = "StructDiff.confidenceSurface"


def colourSurface(scene, segmentationNode, confidenceNode, on=True, windowHU=CONFIDENCE_WINDOW_HU[1], colourNode=None):
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
    showLegend(scene, modelNode)
    segmentationNode.GetDisplayNode().SetVisibility3D(False)
    return modelNode


def probedSurface(segmentationNode, confidenceNode):
    """The joined surface of the vessels, in world mm, with the confidence at each point (linear) as point data.

    Drawn from the voxels, softened a little: Slicer's own smoothing makes vessels of one or two voxels vanish.
    """
    labelMap = readLabels(segmentationNode)
    values = [value for value in labelMap.present if labelMap.scheme[value].thin] or list(labelMap.present)
    inside = np.isin(labelMap.voxels, values)
    box = _boxAround(inside)
    grid = labelMap.geometry.cropped(tuple(side.start - PAD for side in box), tuple(s.stop - s.start + 2 * PAD for s in box))
    return _probed(_surface(np.pad(inside[box], PAD)), grid, confidenceNode)


def _boxAround(inside):
    sides = []
    for axis in range(3):
        held = np.flatnonzero(inside.any(axis=tuple(other for other in range(3) if other != axis)))
        sides.append(slice(int(held[0]), int(held[-1]) + 1))
    return tuple(sides)


def _surface(inside):
    """Surface of a boolean array (i, j, k), in its index space."""
    image = vtk.vtkImageData()
    fill(image, inside.astype(np.float32))
    soften = vtk.vtkImageGaussianSmooth()
    soften.SetInputData(image)
    soften.SetStandardDeviation(SOFTNESS_VOXELS)
    contour = vtk.vtkFlyingEdges3D()
    contour.SetInputConnection(soften.GetOutputPort())
    contour.SetValue(0, LEVEL)
    contour.ComputeNormalsOn()
    contour.ComputeScalarsOff()
    contour.Update()
    return contour.GetOutput()


def _probed(surface, grid, confidenceNode):
    """vtkProbeFilter works in the confidence's index space, where its image lies on an axis-parallel unit grid."""
    world = _carried(surface, grid.affine)
    probe = vtk.vtkProbeFilter()
    probe.SetInputData(_carried(world, np.linalg.inv(geometryOf(confidenceNode).affine)))
    probe.SetSourceData(confidenceNode.GetImageData())
    probe.Update()
    values = probe.GetOutput().GetPointData().GetScalars()
    values.SetName(ARRAY)
    world.GetPointData().AddArray(values)
    world.GetPointData().SetActiveScalars(ARRAY)
    return world


def _carried(surface, affine):
    """The surface moved by a 4x4 matrix."""
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(np.asarray(affine, float).ravel())
    transform = vtk.vtkTransform()
    transform.SetMatrix(matrix)
    carry = vtk.vtkTransformPolyDataFilter()
    carry.SetTransform(transform)
    carry.SetInputData(surface)
    carry.Update()
    moved = vtk.vtkPolyData()
    moved.ShallowCopy(carry.GetOutput())
    return moved


def _colour(displayNode, colourNode, windowHU):
    state = displayNode.StartModify()
    displayNode.SetActiveScalar(ARRAY, vtk.vtkAssignAttribute.POINT_DATA)
    displayNode.SetScalarVisibility(True)
    displayNode.SetScalarRangeFlag(slicer.vtkMRMLDisplayNode.UseManualScalarRange)
    displayNode.SetScalarRange(0.0, windowHU)
    if colourNode is not None:
        displayNode.SetAndObserveColorNodeID(colourNode.GetID())
    displayNode.EndModify(state)
