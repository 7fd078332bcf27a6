"""SceneBridge: the only writer of MRML data. Core nouns in, nodes out, and back; scene and logics are given to it."""

import numpy as np
import vtk

from StructDiffCore.domain import StructDiffError, Volume

from . import markups, results
from .grids import fill, geometryOf, placeVolume, voxelsOf
from .history import SegmentationHistory
from .inputs import InputFiles
from .labelmaps import gridOfSegmentation, readLabels, writeLabels
from .segmentMeaning import SegmentLabel, describe, labelsOfSegments
from .translation import _

SMOOTHING = "Smoothing factor"
THIN_VESSELS_STAY = "0.2"
"""Slicer's default of 0.5 makes the surface of a vessel one or two voxels wide vanish."""


class SceneBridge:
    """Translates between the scene (MRML) and the core (Geometry, Volume, LabelMap), both RAS+ in mm.

    ``logics``: mapping of module logics by name ("segmentations", "volumes", "colors", "sequences", "volumeRendering"), any of
    which may be absent. ``history`` keeps states for undo; in the application, the Segment Editor's (EditorHistory).
    """

    def __init__(self, scene, logics=None, history=None):
        self.scene = scene
        self.logics = dict(logics or {})
        self.history = history or SegmentationHistory()

    def volumeOf(self, volumeNode):
        """The core Volume (float32 HU) of a scalar volume node, on its grid in the world."""
        self._refuseGone(volumeNode, _("the image"))
        geometry = geometryOf(volumeNode)
        return Volume(voxelsOf(volumeNode.GetImageData()), geometry)

    def labelMapOf(self, segmentationNode, referenceGeometry=None, scheme=None):
        """The core LabelMap of a segmentation, on ``referenceGeometry`` or on its own reference grid."""
        self._refuseGone(segmentationNode, _("the mask"))
        return readLabels(segmentationNode, referenceGeometry, scheme)

    def gridOf(self, segmentationNode):
        """The Geometry that ``labelMapOf`` would have; no voxel is read."""
        self._refuseGone(segmentationNode, _("the mask"))
        return gridOfSegmentation(segmentationNode)

    def addVolume(self, volume, name, integer=False):
        """A new scalar volume node with default display; ``integer`` stores rounded HU in two bytes."""
        node = self.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
        image = vtk.vtkImageData()
        fill(image, np.rint(volume.voxels).clip(-32768, 32767).astype(np.int16) if integer else volume.voxels)
        node.SetAndObserveImageData(image)
        placeVolume(node, volume.geometry)
        node.CreateDefaultDisplayNodes()
        return node

    def addSegmentation(self, labelMap, name):
        """A new segmentation node: one segment per label present, with the scheme's names, colours and terminology."""
        node = self.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
        node.CreateDefaultDisplayNodes()
        node.GetSegmentation().SetConversionParameter(SMOOTHING, THIN_VESSELS_STAY)
        writeLabels(node, labelMap)
        return node

    def replaceLabels(self, segmentationNode, labelMap):
        """Let the segmentation hold this label map; its state before is kept for ``undo``."""
        self._refuseGone(segmentationNode, _("the mask"))
        self.history.saveState(segmentationNode)
        writeLabels(segmentationNode, labelMap)

    def undo(self, segmentationNode):
        """Take the last edit back; whether there was one."""
        self._refuseGone(segmentationNode, _("the mask"))
        return self.history.undo(segmentationNode)

    def redo(self, segmentationNode):
        """Make the last undone edit again; whether there was one."""
        self._refuseGone(segmentationNode, _("the mask"))
        return self.history.redo(segmentationNode)

    def segmentLabels(self, segmentationNode, scheme=None):
        """What each segment stands for: one SegmentLabel per segment, in their order."""
        self._refuseGone(segmentationNode, _("the mask"))
        labels, _scheme = labelsOfSegments(segmentationNode, scheme)
        return [
            SegmentLabel(name, label.name, label.value, label.snomed, label.thin, known)
            for name, (label, known) in labels.items()
        ]

    def mapSegment(self, segmentationNode, segmentId, label):
        """Say what a segment means: the label's name, colour, terminology, value and thinness are written into it."""
        self._refuseGone(segmentationNode, _("the mask"))
        segment = segmentationNode.GetSegmentation().GetSegment(segmentId)
        if segment is None:
            raise StructDiffError(_("the segment is gone"), _("choose another"))
        describe(segment, label)

    def exportInputs(self, maskNode, templateImage, templateMask, folder):
        """Write a run's inputs (nodes, or paths, which are taken as they are); answers Job.inputs. All of them or none."""
        for source, what in ((maskNode, _("the mask")), (templateImage, _("the template")), (templateMask, _("its mask"))):
            if not isinstance(source, str) and not hasattr(source, "__fspath__"):
                self._refuseGone(source, what)
        return InputFiles(folder).write(self, maskNode, templateImage, templateMask)

    def loadResults(self, finishedEvent, name, scheme=None, read=None):
        """Nodes for what a ``synthesize`` run left: volumes, confidence, mask, in one folder; several samples as a Sequence."""
        return results.load(self, finishedEvent, name, scheme, read)

    def addFindings(self, findings, name=None, replace=None):
        """A point list with one point per finding that has a place; ``replace``: the list of an earlier look, emptied first."""
        if replace is not None:
            self._refuseGone(replace, _("the list of findings"))
        return markups.addFindings(self.scene, findings, name or _("Topology findings"), replace)

    def refuseGone(self, imageNode):
        """Raise where an image was deleted since it was chosen."""
        self._refuseGone(imageNode, _("the image"))

    def _refuseGone(self, node, what):
        """A node that was deleted, or whose scene was closed, is refused instead of written to."""
        if node is None or node.GetScene() is not self.scene or self.scene.GetNodeByID(node.GetID() or "") is not node:
            raise StructDiffError(_("{what} is no longer in the scene").format(what=what), _("choose it again"))
