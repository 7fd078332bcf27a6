"""Volumes and label maps brought onto another grid or into another orientation."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np
import SimpleITK as sitk
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter1d

from StructDiffCore.domain import Geometry, LabelMap, StructDiffError, Volume
from StructDiffCore.io.itk_images import resampled

AIR_HU = -1024.0
FWHM = 2.355
"""Full width at half maximum of a Gaussian of sigma 1."""
AXES = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}

OnGrid = TypeVar("OnGrid", Volume, LabelMap)


def resample_volume(
    volume: Volume,
    geometry: Geometry,
    outside: float = AIR_HU,
    to_source: ArrayLike | None = None,
    antialias: bool = True,
    displaced: tuple[NDArray, Geometry] | None = None,
) -> Volume:
    """The image on another grid by linear interpolation; ``outside`` HU where it has no voxels.

    ``to_source``: 4x4 matrix from the new grid's world to the volume's world (RAS+, mm), identity if None; ``displaced``:
    displacement (3, a, b, c) in mm (RAS+) with its grid, applied before the matrix.
    A coarser grid is preceded by a Gaussian as wide as its voxels, unless ``antialias`` is off.
    """
    if to_source is None and volume.geometry.same_as(geometry):
        return Volume(volume.voxels, geometry)
    voxels = _smoothed_for(volume, geometry) if antialias else volume.voxels
    return Volume(resampled(voxels, volume.geometry, geometry, sitk.sitkLinear, outside, to_source, displaced), geometry)


def _smoothed_for(volume: Volume, geometry: Geometry) -> NDArray[np.float32]:
    """Blur each axis that the new grid samples more coarsely."""
    voxels = volume.voxels
    cosines = np.abs(np.asarray(volume.geometry.direction).T @ np.asarray(geometry.direction))
    for axis, step in enumerate((cosines * geometry.spacing).max(axis=1)):
        ratio = step / volume.geometry.spacing[axis]
        if ratio > 1.05:
            voxels = gaussian_filter1d(voxels, np.sqrt(ratio**2 - 1) / FWHM, axis=axis, mode="nearest")
    return voxels


def resample_labels(
    label_map: LabelMap,
    geometry: Geometry,
    to_source: ArrayLike | None = None,
    smooth: bool = False,
    displaced: tuple[NDArray, Geometry] | None = None,
) -> LabelMap:
    """The mask on another grid; background where it has no voxels.

    Nearest neighbour keeps thin labels best; ``smooth`` (the label with the largest linearly interpolated share) gives
    rounder surfaces on a finer grid. ``to_source`` and ``displaced`` as in ``resample_volume``.
    """
    if to_source is None and label_map.geometry.same_as(geometry):
        return LabelMap(label_map.voxels, geometry, label_map.scheme)
    interpolator = sitk.sitkLabelLinear if smooth else sitk.sitkNearestNeighbor
    voxels = resampled(label_map.voxels, label_map.geometry, geometry, interpolator, 0, to_source, displaced)
    return LabelMap(voxels, geometry, label_map.scheme)


def orientation_of(geometry: Geometry) -> str:
    """Three letters: where i, j and k lead, e.g. "RAS" or "LPS" (nearest anatomical axes)."""
    return "".join(_letter(axis, sign) for axis, sign in _leading_axes(geometry))


def to_orientation(thing: OnGrid, codes: str = "RAS") -> OnGrid:
    """The same voxels at the same places, stored along the anatomical axes ``codes``; nothing is interpolated."""
    wanted = [_axis(code) for code in codes.upper()]
    if sorted(axis for axis, _ in wanted) != [0, 1, 2]:
        raise StructDiffError(f"'{codes}' is no orientation", "give three letters such as RAS or LPS")
    leading = _leading_axes(thing.geometry)
    order = [next(n for n, (axis, _) in enumerate(leading) if axis == target) for target, _ in wanted]
    flips = [leading[n][1] != sign for n, (_, sign) in zip(order, wanted)]
    voxels = thing.voxels.transpose(order)[tuple(slice(None, None, -1) if flip else slice(None) for flip in flips)]
    return replace(thing, voxels=voxels, geometry=_reordered(thing.geometry, order, flips))


def _axis(code: str) -> tuple[int, int]:
    if code not in AXES:
        raise StructDiffError(f"'{code}' is no anatomical direction", "use R, L, A, P, S or I")
    return AXES[code]


def _letter(axis: int, sign: int) -> str:
    return next(letter for letter, meaning in AXES.items() if meaning == (axis, sign))


def _leading_axes(geometry: Geometry) -> list[tuple[int, int]]:
    """For i, j, k: the world axis they follow most (each used once) and the sign."""
    direction = np.asarray(geometry.direction)
    left = np.abs(direction)
    found: dict[int, tuple[int, int]] = {}
    for _ in range(3):
        world, index = (int(n) for n in np.unravel_index(np.argmax(left), (3, 3)))
        found[index] = (world, 1 if direction[world, index] > 0 else -1)
        left = left.copy()
        left[world, :] = left[:, index] = -1
    return [found[n] for n in range(3)]


def _reordered(geometry: Geometry, order: list[int], flips: list[bool]) -> Geometry:
    first = np.zeros(3)
    for n, flip in zip(order, flips):
        first[n] = geometry.shape[n] - 1 if flip else 0
    signs = np.where(flips, -1.0, 1.0)
    i, j, k = order
    return Geometry(
        (geometry.shape[i], geometry.shape[j], geometry.shape[k]),
        (geometry.spacing[i], geometry.spacing[j], geometry.spacing[k]),
        tuple(geometry.to_world(first)),
        np.asarray(geometry.direction)[:, order] * signs,  # type: ignore[arg-type]
    )
