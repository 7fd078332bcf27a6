"""Grids: MRML volumes and oriented images have the core's Geometry, exactly; both speak RAS+ in mm."""

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from StructDiffCore.domain import Geometry, StructDiffError

from .translation import _


def geometryOf(volumeNode):
    """The Geometry of a volume node in the world: its own axes, moved by its parent transform (which must be linear)."""
    image = volumeNode.GetImageData()
    if image is None or min(image.GetDimensions()) < 1:
        raise StructDiffError(_("'{name}' holds no voxels").format(name=volumeNode.GetName()), _("load it again"))
    directions = [[0.0] * 3 for _row in range(3)]
    volumeNode.GetIJKToRASDirections(directions)
    own = Geometry(image.GetDimensions(), volumeNode.GetSpacing(), volumeNode.GetOrigin(), directions)
    return moved(own, volumeNode)


def moved(geometry, node):
    """A node's own grid carried into the world by its parent transform; refuses one that is not linear."""
    if node.GetParentTransformNode() is None:
        return geometry
    return Geometry.from_affine(geometry.shape, _toWorld(node) @ geometry.affine)


def beforeMove(geometry, node):
    """The grid of a node's own that its parent transform carries to this one."""
    if node.GetParentTransformNode() is None:
        return geometry
    return Geometry.from_affine(geometry.shape, np.linalg.inv(_toWorld(node)) @ geometry.affine)


def _toWorld(node):
    """(4, 4) array of the parent transform; StructDiffError where it is not linear."""
    parent = node.GetParentTransformNode()
    if not parent.IsTransformToWorldLinear():
        raise StructDiffError(
            _("'{name}' lies under a non-linear transform").format(name=node.GetName()), _("harden the transform first")
        )
    toWorld = vtk.vtkMatrix4x4()
    parent.GetMatrixTransformToWorld(toWorld)
    return arrayOf(toWorld)


def placeVolume(volumeNode, geometry):
    """Give a volume node the grid's spacing, origin and directions, number by number."""
    volumeNode.SetSpacing(geometry.spacing)
    volumeNode.SetOrigin(geometry.origin)
    volumeNode.SetIJKToRASDirections([list(row) for row in geometry.direction])


def orientedImageOf(voxels, geometry):
    """A vtkOrientedImageData of voxels (i, j, k) on the grid."""
    image = slicer.vtkOrientedImageData()
    fill(image, voxels)
    image.SetSpacing(geometry.spacing)
    image.SetOrigin(geometry.origin)
    image.SetDirections([list(row) for row in geometry.direction])
    return image


def emptyImageOf(geometry):
    """A vtkOrientedImageData that says where the grid lies and holds no voxels."""
    image = slicer.vtkOrientedImageData()
    image.SetExtent(0, geometry.shape[0] - 1, 0, geometry.shape[1] - 1, 0, geometry.shape[2] - 1)
    image.SetSpacing(geometry.spacing)
    image.SetOrigin(geometry.origin)
    image.SetDirections([list(row) for row in geometry.direction])
    return image


def gridOfImage(image):
    """The Geometry of an oriented image, whose extent may begin anywhere: its first voxel becomes (0, 0, 0)."""
    directions = [[0.0] * 3 for _row in range(3)]
    image.GetDirections(directions)
    extent = image.GetExtent()
    whole = Geometry((1, 1, 1), image.GetSpacing(), image.GetOrigin(), directions)
    return whole.cropped((extent[0], extent[2], extent[4]), image.GetDimensions())


def fill(image, voxels):
    """Put voxels (i, j, k) into a vtkImageData whose extent then begins at 0."""
    if voxels.dtype == bool:
        voxels = voxels.astype(np.uint8)
    flat = np.ascontiguousarray(voxels.transpose(2, 1, 0)).ravel()
    image.SetDimensions(voxels.shape)
    image.GetPointData().SetScalars(numpy_to_vtk(flat, deep=True))


def voxelsOf(image):
    """Voxels (i, j, k) of a vtkImageData: a view, not a copy; refuses several values per voxel."""
    scalars = image.GetPointData().GetScalars()
    if scalars is None:
        return np.zeros(image.GetDimensions(), np.uint8)
    if scalars.GetNumberOfComponents() != 1:
        raise StructDiffError(_("the image has several values per voxel"), _("give a CT volume"))
    return vtk_to_numpy(scalars).reshape(image.GetDimensions()[::-1]).transpose(2, 1, 0)


def arrayOf(matrix):
    """(4, 4) array of a vtkMatrix4x4."""
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])
