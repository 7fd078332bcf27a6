"""Label maps and segmentations: one shared labelmap holds all segments; nothing moves by a fraction of a voxel."""

import numpy as np
import slicer

from StructDiffCore.domain import LabelMap, StructDiffError

from .grids import beforeMove, emptyImageOf, gridOfImage, moved, orientedImageOf, voxelsOf
from .segmentMeaning import describe, labelsOfSegments, rememberScheme
from .translation import _

BINARY = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()
SURFACE = slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
GRID = slicer.vtkSegmentationConverter.GetReferenceImageGeometryParameterName()
NEAR_VOXEL = 1e-3
"""How far, in voxels, two grids may be apart to count as one."""


def readLabels(segmentationNode, geometry=None, scheme=None):
    """The LabelMap of a segmentation on ``geometry`` (its own reference grid without one); refuses overlapping segments."""
    labels, foundScheme = labelsOfSegments(segmentationNode, scheme)
    if not labels:
        raise StructDiffError(
            _("'{name}' has no segments").format(name=segmentationNode.GetName()), _("add a segment or choose another mask")
        )
    geometry = geometry or _referenceGrid(segmentationNode, _layersOf(segmentationNode))
    return LabelMap(layLabels(segmentationNode, geometry, labels), geometry, foundScheme)


def gridOfSegmentation(segmentationNode):
    """The segmentation's reference grid in the world."""
    return _referenceGrid(segmentationNode, _layersOf(segmentationNode))


def layLabels(segmentationNode, geometry, labels):
    """The label values (i, j, k) of all segments on a grid; ``labels`` as labelsOfSegments gives them."""
    values = {name: label.value for name, (label, _known) in labels.items()}
    flat = np.zeros(geometry.shape, np.uint8 if max(values.values()) <= 255 else np.uint16, order="F")
    for number, (image, names) in enumerate(_layersOf(segmentationNode)):
        wanted = {segmentationNode.GetSegmentation().GetSegment(name).GetLabelValue(): values[name] for name in names}
        _lay(flat, geometry, _inWorld(image, segmentationNode), wanted, number == 0)
    return flat


def writeLabels(segmentationNode, labelMap):
    """Let a segmentation hold exactly this label map; segments that stay keep their ids and how they are shown.

    A parent transform stays: the voxels are laid where it carries them to the label map's place.
    """
    segmentation = segmentationNode.GetSegmentation()
    meant = labelsOfSegments(segmentationNode, labelMap.scheme)[0]
    idOfValue = {label.value: name for name, (label, known) in meant.items() if known}
    hadSurface = segmentation.ContainsRepresentation(SURFACE)
    image = orientedImageOf(labelMap.voxels, beforeMove(labelMap.geometry, segmentationNode))
    state = segmentationNode.StartModify()
    try:
        segmentation.SetSourceRepresentationName(BINARY)
        for name in set(meant) - {idOfValue.get(value) for value in labelMap.present}:
            segmentation.RemoveSegment(name)
        segmentation.RemoveRepresentation(SURFACE)
        for value in labelMap.present:
            _putSegment(segmentation, idOfValue.get(value), labelMap.scheme[value], image)
        segmentation.SetConversionParameter(GRID, slicer.vtkSegmentationConverter.SerializeImageGeometry(image))
        rememberScheme(segmentationNode, labelMap.scheme)
    finally:
        segmentationNode.EndModify(state)
    if hadSurface:
        segmentation.CreateRepresentation(SURFACE)


def _putSegment(segmentation, segmentId, label, image):
    segment = segmentation.GetSegment(segmentId) if segmentId else slicer.vtkSegment()
    segment.SetLabelValue(label.value)
    if segmentId:
        segment.AddRepresentation(BINARY, image)
        return
    describe(segment, label)
    segment.AddRepresentation(BINARY, image)
    segmentation.AddSegment(segment, segmentation.GenerateUniqueSegmentID(f"Segment_{label.value}"))


def _layersOf(segmentationNode):
    """(oriented image, ids of its segments) of every layer; made from the surfaces where these are the source."""
    segmentation = segmentationNode.GetSegmentation()
    if not segmentation.ContainsRepresentation(BINARY) and not segmentation.CreateRepresentation(BINARY):
        raise StructDiffError(
            _("'{name}' cannot be turned into voxels").format(name=segmentationNode.GetName()), _("give a segmentation of voxels")
        )
    count = segmentation.GetNumberOfLayers(BINARY)
    return [(segmentation.GetLayerDataObject(n, BINARY), segmentation.GetSegmentIDsForLayer(n, BINARY)) for n in range(count)]


def _inWorld(image, segmentationNode):
    """The image, or a copy moved by the node's parent transform."""
    if segmentationNode.GetParentTransformNode() is None:
        return image
    return orientedImageOf(voxelsOf(image), moved(gridOfImage(image), segmentationNode))


def _referenceGrid(segmentationNode, layers):
    """The segmentation's reference grid in the world; the smallest one around all segments where it names none.

    Its text form is rounded, so the numbers of a layer on the same lattice are taken where there is one.
    """
    text = segmentationNode.GetSegmentation().GetConversionParameter(GRID)
    reference = slicer.vtkOrientedImageData()
    if text and slicer.vtkSegmentationConverter.DeserializeImageGeometry(text, reference, False):
        grid = gridOfImage(reference)
    else:
        grid = _aroundAll([gridOfImage(image) for image, _names in layers if min(image.GetDimensions()) > 0])
    for image, _names in layers:
        own = gridOfImage(image)
        offset = _offset(own, grid)
        if offset is not None:
            exact = own.cropped(tuple(-int(n) for n in offset), grid.shape)
            return moved(exact if exact.same_as(grid) else grid, segmentationNode)
    return moved(grid, segmentationNode)


def _aroundAll(grids):
    """The smallest grid on the first one's lattice that holds all of them."""
    if not grids:
        raise StructDiffError(_("the mask is empty"), _("give a mask with at least one labelled structure"))
    first = grids[0]
    corners = [first.to_index(grid.to_world(corner)) for grid in grids for corner in ((0, 0, 0), np.array(grid.shape) - 1)]
    low, high = np.floor(np.min(corners, axis=0) + NEAR_VOXEL), np.ceil(np.max(corners, axis=0) - NEAR_VOXEL)
    return first.cropped(tuple(int(n) for n in low), tuple(int(n) for n in high - low + 1))


def _offset(grid, reference):
    """Index in ``reference`` of the first voxel of ``grid``; None where the two do not share one lattice."""
    first = reference.to_index(grid.to_world((0, 0, 0)))
    last = reference.to_index(grid.to_world(np.array(grid.shape) - 1))
    whole = np.rint(first)
    apart = max(np.abs(first - whole).max(), np.abs(last - whole - (np.array(grid.shape) - 1)).max())
    return whole.astype(int) if apart <= NEAR_VOXEL else None


def _lay(flat, geometry, image, wanted, first):
    """Write the layer's voxels, with the values wanted for each of its label values, into the flat map."""
    if min(image.GetDimensions()) < 1 or image.GetPointData().GetScalars() is None:
        return
    offset = _offset(gridOfImage(image), geometry)
    if offset is None:
        image, offset = _resampled(image, geometry), np.zeros(3, int)
    voxels = voxelsOf(image)
    low, high = np.maximum(offset, 0), np.minimum(offset + voxels.shape, flat.shape)
    if np.any(high <= low):
        return
    there = tuple(slice(a, b) for a, b in zip(low, high))
    here = tuple(slice(a - o, b - o) for a, b, o in zip(low, high, offset))
    inside = voxels[here]
    table = np.zeros(max(int(inside.max()), *wanted) + 1, flat.dtype)
    for value, label in wanted.items():
        table[value] = label
    fresh = np.take(table, inside.T).T
    if first:
        flat[there] = fresh
        return
    _refuseOverlap(flat[there], fresh)
    np.maximum(flat[there], fresh, out=flat[there])


def _refuseOverlap(before, fresh):
    both = (before != 0) & (fresh != 0)
    if both.any():
        raise StructDiffError(
            _("segments overlap in {count} voxels").format(count=int(both.sum())),
            _("make them disjoint in the Segment Editor (Masking: no overlap) first"),
        )


def _resampled(image, geometry):
    """The layer on another grid, by nearest neighbour."""
    result = slicer.vtkOrientedImageData()
    resample = slicer.vtkOrientedImageDataResample.ResampleOrientedImageToReferenceOrientedImage
    if not resample(image, emptyImageOf(geometry), result, False, False):
        raise StructDiffError(_("the mask cannot be brought onto the image's grid"), _("resample it in Slicer first"))
    return result
