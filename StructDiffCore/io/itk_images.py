"""SimpleITK images and our nouns: the one place where LPS (ITK, DICOM) becomes RAS+ and back."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from numpy.typing import ArrayLike, NDArray

from StructDiffCore.domain import Geometry

sitk.ProcessObject_SetGlobalWarningDisplay(False)

LPS_RAS = np.diag([-1.0, -1.0, 1.0])
"""Its own inverse: turns LPS+ positions into RAS+ ones and back."""


def geometry_from_lps(shape: tuple[int, int, int], spacing: ArrayLike, origin: ArrayLike, direction: ArrayLike) -> Geometry:
    """The grid given by spacing (mm), origin (LPS+, mm) and a 3x3 matrix whose columns are LPS+ axis directions."""
    matrix = LPS_RAS @ np.asarray(direction, float).reshape(3, 3)
    return Geometry(shape, tuple(np.asarray(spacing, float)), tuple(LPS_RAS @ np.asarray(origin, float)), matrix)


def geometry_of(image: sitk.Image) -> Geometry:
    """The grid of a 3D image; refuses shear and spacings <= 0."""
    return geometry_from_lps(image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection())


def voxels_of(image: sitk.Image) -> NDArray:
    """Voxels (i, j, k); components, where there are any, come last (i, j, k, c)."""
    stored = sitk.GetArrayFromImage(image)
    return stored.transpose(2, 1, 0) if stored.ndim == 3 else stored.transpose(2, 1, 0, 3)


def image_of(voxels: NDArray, geometry: Geometry) -> sitk.Image:
    """A SimpleITK image (LPS+) of voxels (i, j, k) on a grid; carries no metadata."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(voxels.transpose(2, 1, 0)))
    image.SetSpacing(geometry.spacing)
    image.SetOrigin((LPS_RAS @ np.asarray(geometry.origin)).tolist())
    image.SetDirection((LPS_RAS @ np.asarray(geometry.direction)).ravel().tolist())
    return image


def reason_of(error: RuntimeError) -> str:
    """The last line of an ITK exception, which holds the fact."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:200] if lines else "unknown reason"


def resampled(
    voxels: NDArray,
    source: Geometry,
    target: Geometry,
    interpolator: int,
    outside: float,
    to_source: ArrayLike | None = None,
    displaced: tuple[NDArray, Geometry] | None = None,
) -> NDArray:
    """Voxels of ``source`` sampled on the grid ``target``; ``outside`` where the source has none.

    ``to_source``: 4x4 matrix from target world to source world (RAS+, mm), identity if None. ``displaced``: a displacement
    (3, a, b, c) in mm along world axes (RAS+) with its grid, applied before the matrix.
    """
    matrix = np.eye(4) if to_source is None else np.asarray(to_source, float)
    image = sitk.Resample(
        image_of(voxels, source),
        target.shape,
        _affine(matrix) if displaced is None else _deformable(matrix, *displaced),
        interpolator,
        (LPS_RAS @ np.asarray(target.origin)).tolist(),
        target.spacing,
        (LPS_RAS @ np.asarray(target.direction)).ravel().tolist(),
        outside,
    )
    return voxels_of(image)


def _deformable(matrix: NDArray[np.float64], displacement_mm: NDArray, grid: Geometry) -> sitk.CompositeTransform:
    """First the displacement, then the matrix (a composite begins with what was added last)."""
    lps = np.einsum("wv,vijk->kjiw", LPS_RAS, displacement_mm)
    image = sitk.GetImageFromArray(np.ascontiguousarray(lps, np.float64), isVector=True)
    image.SetSpacing(grid.spacing)
    image.SetOrigin((LPS_RAS @ np.asarray(grid.origin)).tolist())
    image.SetDirection((LPS_RAS @ np.asarray(grid.direction)).ravel().tolist())
    return sitk.CompositeTransform([_affine(matrix), sitk.DisplacementFieldTransform(image)])


def _affine(matrix: NDArray[np.float64]) -> sitk.AffineTransform:
    transform = sitk.AffineTransform(3)
    transform.SetMatrix((LPS_RAS @ matrix[:3, :3] @ LPS_RAS).ravel().tolist())
    transform.SetTranslation((LPS_RAS @ matrix[:3, 3]).tolist())
    return transform
