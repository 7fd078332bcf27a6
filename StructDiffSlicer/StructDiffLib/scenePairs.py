"""ScenePairs: the synthetic volumes of a scene with their masks, also of a scene that was saved and opened again."""

from dataclasses import dataclass

import slicer
import vtk

from .results import ROLE, manifestOf


@dataclass(frozen=True, eq=False)
class ScenePair:
    """Nodes of one run, found together in its folder."""

    imageNode: object
    maskNode: object
    confidenceNode: object
    manifest: dict

    def exportPair(self, bridge):
        """The core's ExportPair of what the nodes show now."""
        from .exporting import pairFromNodes

        return pairFromNodes(bridge, self.imageNode, self.maskNode, self.confidenceNode, self.manifest)


def pairsOf(scene):
    """A ScenePair for every synthetic volume whose folder has a mask too."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    images = [
        node for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode", scene) if node.GetAttribute(ROLE) == "image"
    ]
    found = [_pairAround(image, _siblings(hierarchy, image)) for image in images]
    return [pair for pair in found if pair is not None]


def _pairAround(image, siblings):
    def first(className, role=None):
        alike = (node for node in siblings if node.IsA(className) and node.GetAttribute(ROLE) == role)
        return next(alike, None)

    mask = first("vtkMRMLSegmentationNode")
    if mask is None:
        return None
    browser = first("vtkMRMLSequenceBrowserNode")
    return ScenePair(image, mask, first("vtkMRMLScalarVolumeNode", "confidence"), manifestOf(image, browser))


def _siblings(hierarchy, node):
    """Nodes in the same folder of the subject hierarchy."""
    items = vtk.vtkIdList()
    hierarchy.GetItemChildren(hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)), items)
    nodes = (hierarchy.GetItemDataNode(items.GetId(n)) for n in range(items.GetNumberOfIds()))
    return [node for node in nodes if node is not None]
