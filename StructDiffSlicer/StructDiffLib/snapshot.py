"""Snapshot: what a thread may read while the user goes on painting: copies outside the scene, made in milliseconds."""

import slicer
import vtk

from .grids import geometryOf, voxelsOf
from .labelmaps import readLabels
from .segmentMeaning import SCHEME_ATTRIBUTE


def copyOfMask(segmentationNode):
    """A segmentation node of its own with the same segments; its parent transform stays behind."""
    copy = slicer.vtkMRMLSegmentationNode()
    copy.SetName(segmentationNode.GetName())
    copy.GetSegmentation().DeepCopy(segmentationNode.GetSegmentation())
    if scheme := segmentationNode.GetAttribute(SCHEME_ATTRIBUTE):
        copy.SetAttribute(SCHEME_ATTRIBUTE, scheme)
    return copy


class MaskSnapshot:
    """A segmentation as it was when this was made; ``labelMap()`` reads it and may be called in a thread."""

    def __init__(self, bridge, segmentationNode, geometry=None):
        """Raises where the node is gone or has no voxels."""
        grid = bridge.gridOf(segmentationNode)
        if segmentationNode.GetParentTransformNode() is not None:
            labelMap = bridge.labelMapOf(segmentationNode, geometry)
            self._read = lambda: labelMap
            return
        copy = copyOfMask(segmentationNode)
        self._read = lambda: readLabels(copy, geometry or grid)

    def labelMap(self):
        """The core LabelMap."""
        return self._read()


class VolumeSnapshot:
    """A volume as it was when this was made; its voxels are shared, since volumes are replaced, not painted on."""

    def __init__(self, volumeNode):
        self.geometry = geometryOf(volumeNode)
        self._image = vtk.vtkImageData()
        self._image.ShallowCopy(volumeNode.GetImageData())

    def volume(self):
        """The core Volume."""
        from StructDiffCore.domain import Volume

        return Volume(voxelsOf(self._image), self.geometry)
