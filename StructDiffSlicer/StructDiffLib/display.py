"""Display: outline of the mask, confidence over the volume with its legend, volume rendering, the next uncertain spot."""

import numpy as np

from StructDiffCore.config.presets import CONFIDENCE_WINDOW_HU
from StructDiffCore.domain import StructDiffError

from .colourLegend import showLegend
from .comparison import compareLayout, restoreLayout
from .grids import geometryOf, voxelsOf
from .labelmaps import SURFACE
from .segmentMeaning import labelsOfSegments
from .surfaceColours import colourSurface
from .translation import _

COLOURS_NAME = "StructDiff confidence"
THRESHOLD_HU = round(CONFIDENCE_WINDOW_HU[1] / 3)
"""Standard deviation below which nothing is drawn over the volume."""
WINDOW_HU = CONFIDENCE_WINDOW_HU[1]
"""Standard deviation that has the brightest colour, the same for all volumes, so that pictures can be compared."""
STEPS = 256
SPOT_MM = 8.0
"""Uncertain places nearer to each other count as one spot."""
STOPS = (
    (0.0, (0.27, 0.0, 0.33)),
    (0.25, (0.55, 0.06, 0.45)),
    (0.5, (0.86, 0.24, 0.30)),
    (0.75, (0.98, 0.56, 0.10)),
    (1.0, (0.99, 0.96, 0.55)),
)
"""Dark violet (sure) to light yellow (unsure), rising in lightness, so that it reads without colour vision."""


def showOutline(segmentationNode, on=True):
    """Masks as outlines, so that the image under them is seen; ``on=False`` fills them again."""
    displayNode = segmentationNode.GetDisplayNode()
    if displayNode is None:
        segmentationNode.CreateDefaultDisplayNodes()
        displayNode = segmentationNode.GetDisplayNode()
    displayNode.SetVisibility2DFill(not on)
    displayNode.SetVisibility2DOutline(True)
    displayNode.SetSliceIntersectionThickness(2)


def showSurface(segmentationNode, on=True, vesselsOnly=True):
    """The mask in 3D: its vessels alone where it has any, or everything."""
    segmentation, displayNode = segmentationNode.GetSegmentation(), segmentationNode.GetDisplayNode()
    if on and not segmentation.ContainsRepresentation(SURFACE):
        segmentation.CreateRepresentation(SURFACE)
    labels, _scheme = labelsOfSegments(segmentationNode)
    someThin = any(label.thin for label, _known in labels.values())
    for name, (label, _known) in labels.items():
        displayNode.SetSegmentVisibility3D(name, label.thin or not (vesselsOnly and someThin))
    displayNode.SetVisibility3D(on)


def confidenceColours(scene):
    """The scene's colour node for standard deviations, made on the first call."""
    found = scene.GetFirstNode(COLOURS_NAME, "vtkMRMLColorTableNode")
    if found is not None:
        return found
    node = scene.AddNewNodeByClass("vtkMRMLColorTableNode", COLOURS_NAME)
    node.SetTypeToUser()
    node.SetNumberOfColors(STEPS)
    places, colours = np.array([place for place, _colour in STOPS]), np.array([colour for _place, colour in STOPS])
    for n in range(STEPS):
        red, green, blue = (float(np.interp(n / (STEPS - 1), places, colours[:, c])) for c in range(3))
        node.SetColor(n, str(n), red, green, blue, 1.0)
    return node


def showConfidence(
    scene, imageNode, confidenceNode, compositeNodes=None, thresholdHU=THRESHOLD_HU, windowHU=WINDOW_HU, opacity=0.6
):
    """The volume in the background, its confidence over it where the standard deviation is at least ``thresholdHU``."""
    if not 0 <= thresholdHU < windowHU:
        raise StructDiffError(
            _("a threshold of {low} HU in a window of {high} HU shows nothing").format(low=thresholdHU, high=windowHU),
            _("choose a threshold below the window"),
        )
    displayNode = confidenceNode.GetDisplayNode()
    state = displayNode.StartModify()
    displayNode.SetAndObserveColorNodeID(confidenceColours(scene).GetID())
    displayNode.SetAutoWindowLevel(False)
    displayNode.SetWindowLevelMinMax(0.0, windowHU)
    displayNode.SetInterpolate(False)
    displayNode.SetLowerThreshold(thresholdHU)
    displayNode.SetUpperThreshold(1e6)
    displayNode.SetApplyThreshold(True)
    displayNode.EndModify(state)
    for composite in sliceComposites(scene) if compositeNodes is None else compositeNodes:
        composite.SetBackgroundVolumeID(imageNode.GetID())
        composite.SetForegroundVolumeID(confidenceNode.GetID())
        composite.SetForegroundOpacity(opacity)


def hideConfidence(scene, compositeNodes=None):
    """Take the confidence away from the slices; the volume under it stays."""
    for composite in sliceComposites(scene) if compositeNodes is None else compositeNodes:
        composite.SetForegroundVolumeID(None)


def renderVolume(volumeRenderingLogic, volumeNode, on=True, presetName="CT-Cardiac3"):
    """Volume rendering on demand; answers its display node. The preset is taken where the application has it."""
    displayNode = volumeRenderingLogic.GetFirstVolumeRenderingDisplayNode(volumeNode)
    if displayNode is None and on:
        displayNode = volumeRenderingLogic.CreateDefaultVolumeRenderingNodes(volumeNode)
        preset = volumeRenderingLogic.GetPresetByName(presetName)
        if preset is not None:
            displayNode.GetVolumePropertyNode().Copy(preset)
    if displayNode is not None:
        displayNode.SetVisibility(on)
    return displayNode


def nextUncertainSpot(confidenceNode, fromRAS=None, thresholdHU=THRESHOLD_HU):
    """The place (RAS, mm) of the next uncertain spot, the least sure first, after the one at ``fromRAS``.

    None where no voxel reaches the threshold. After the last spot comes the first one again.
    """
    spots = uncertainSpots(confidenceNode, thresholdHU)
    if len(spots) == 0:
        return None
    if fromRAS is None:
        return tuple(spots[0])
    here = int(np.linalg.norm(spots - np.asarray(fromRAS, float), axis=1).argmin())
    return tuple(spots[(here + 1) % len(spots)])


def uncertainSpots(confidenceNode, thresholdHU=THRESHOLD_HU, most=50):
    """World positions (n, 3) of the least sure voxels, at least ``SPOT_MM`` apart, the least sure first."""
    voxels, geometry = voxelsOf(confidenceNode.GetImageData()), geometryOf(confidenceNode)
    block = np.maximum(1, np.rint(SPOT_MM / np.asarray(geometry.spacing))).astype(int)
    peaks = _blockMaxima(voxels, block)
    order = np.argsort(-peaks, axis=None, kind="stable")
    spots = np.empty((0, 3))
    for corner in np.stack(np.unravel_index(order, peaks.shape), axis=1) * block:
        part = voxels[tuple(slice(c, c + b) for c, b in zip(corner, block))]
        if len(spots) == most or part.max() < thresholdHU:
            break
        place = geometry.to_world(corner + np.unravel_index(int(part.argmax()), part.shape))
        if len(spots) == 0 or np.linalg.norm(spots - place, axis=1).min() >= SPOT_MM:
            spots = np.vstack([spots, place])
    return spots


def _blockMaxima(voxels, block):
    """The largest value of every block (i, j, k) of the volume; reduced along k first, as the voxels lie in memory."""
    for axis in (2, 1, 0):
        voxels = np.maximum.reduceat(voxels, np.arange(0, voxels.shape[axis], block[axis]), axis=axis)
    return voxels


def sliceComposites(scene):
    """The composite nodes of all slice views."""
    found = scene.GetNodesByClass("vtkMRMLSliceCompositeNode")
    found.UnRegister(None)
    return [found.GetItemAsObject(n) for n in range(found.GetNumberOfItems())]


__all__ = [
    "colourSurface",
    "compareLayout",
    "confidenceColours",
    "hideConfidence",
    "nextUncertainSpot",
    "renderVolume",
    "restoreLayout",
    "showConfidence",
    "showLegend",
    "showOutline",
    "showSurface",
    "sliceComposites",
    "uncertainSpots",
]
