"""The live topology line: what the vessel just edited is made of, in one line."""

import numpy as np

from StructDiffCore.domain import StructDiffError

from .grids import gridOfImage, voxelsOf
from .labelmaps import BINARY, layLabels
from .segmentMeaning import labelsOfSegments
from .translation import _

MARGIN = 3
"""Voxels of neighbours kept around the label."""


def topologyLine(labelMap, label):
    """Such as "LCA: 1 piece, 0 loops, 13 ends" for one label value of a label map; says so where the label is absent."""
    return _line(labelMap.voxels, label, labelMap.geometry, labelMap.scheme)


def lineOfSegment(segmentationNode, segmentId):
    """The same straight from the scene after a stroke: only the box around the segment is looked at."""
    labels, scheme = labelsOfSegments(segmentationNode)
    if segmentId not in labels:
        raise StructDiffError(_("the segment is gone"), _("choose another"))
    segment = segmentationNode.GetSegmentation().GetSegment(segmentId)
    image = segment.GetRepresentation(BINARY)
    label = labels[segmentId][0]
    box = None if image is None else boxAround(voxelsOf(image), segment.GetLabelValue())
    if box is None:
        return _("{name}: empty").format(name=label.name)
    grid = gridOfImage(image).cropped(tuple(side.start for side in box), tuple(side.stop - side.start for side in box))
    return _line(layLabels(segmentationNode, grid, labels), label.value, grid, scheme)


def boxAround(voxels, value):
    """Slices around all voxels of a value with a margin, None where there are none; ``voxels`` as voxelsOf gives them."""
    planes = voxels.transpose(2, 1, 0) == value
    sides = []
    for axis in (0, 1, 2):
        others = tuple(other for other in (0, 1, 2) if other != axis)
        inside = np.flatnonzero(planes.any(axis=others))
        if len(inside) == 0:
            return None
        cut = slice(max(0, int(inside[0]) - MARGIN), int(inside[-1]) + MARGIN + 1)
        planes = planes[(slice(None),) * axis + (slice(int(inside[0]), int(inside[-1]) + 1),)]
        sides.append(slice(cut.start, min(cut.stop, voxels.shape[2 - axis])))
    return sides[2], sides[1], sides[0]


def _line(voxels, value, geometry, scheme):
    from StructDiffCore.topology.line import line_of

    return line_of(voxels, value, geometry, scheme)
