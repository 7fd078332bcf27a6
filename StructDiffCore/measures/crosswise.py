"""Crosswise: an image read across a vessel at equal steps along its centreline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from StructDiffCore.domain import Volume

from .blurred_tube import apparent_radius, lumen_share, sampled_sigma_mm, sigma_across

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
STEP_MM = 0.25
ANGLES = 24
WALL_SIGMAS = 2.0
"""The ring of surroundings begins this many sigmas of blur outside the wall,"""
WALL_MM = 1.0
"""and at least this far (a vessel wall is no surroundings),"""
RING_MM = (0.0, 0.7, 1.4)
"""and is read at these distances from there."""
FEWEST_IN_RING = 12
"""Of ANGLES x RING_MM readings."""
PROFILE_STEPS = 25
PROFILE_MM = 1.0
"""The profile across is averaged over this length along the vessel before its half width is read."""
SMOOTH_MM = 1.0
"""So is the direction of the centreline."""


class Centreline(Protocol):
    """A vessel's axis: points (n, 3) in RAS mm with the lumen's radius (n,) in mm."""

    @property
    def points_mm(self) -> Floats: ...
    @property
    def radii_mm(self) -> Floats: ...


@dataclass(frozen=True, eq=False)
class Crossing:
    """Readings (n,) at equal steps along one centreline."""

    step_mm: float
    radius_mm: Floats
    """Nominal."""
    share: Floats
    """Of lumen in what the centre of a blurred tube of that radius shows."""
    lumen_hu: Floats
    """On the centreline."""
    around_hu: Floats
    """Median of the ring; NaN where too little of it can be read."""
    apparent_mm: Floats
    """Half width at half of the centre's contrast; NaN where the profile does not fall to it."""
    expected_apparent_mm: Floats

    @property
    def known(self) -> Mask:
        """Where centre and surroundings could be read."""
        return np.isfinite(self.lumen_hu) & np.isfinite(self.around_hu)

    @property
    def contrast_hu(self) -> Floats:
        return self.lumen_hu - self.around_hu


def crossing(
    image: Volume, line: Centreline, psf_sigma_mm: ArrayLike, surroundings: Mask | None = None, step_mm: float = STEP_MM
) -> Crossing:
    """Read ``image`` along and across a centreline; steps outside the grid are NaN.

    ``psf_sigma_mm`` (one or three along the grid's axes) is the point spread that the image should have. ``surroundings``
    (i, j, k) says which voxels may serve as the ring (no other vessel, no chamber); all by default.
    """
    points, radius = _at_steps(line, step_mm)
    tangent = _directions(points, step_mm)
    inner_tangent = tangent @ np.asarray(image.geometry.direction)
    sigma = sigma_across(inner_tangent, sampled_sigma_mm(psf_sigma_mm, image.geometry.spacing))
    spokes = _spokes(tangent)
    around = _around(image, surroundings, points, spokes, radius + np.maximum(WALL_SIGMAS * sigma, WALL_MM))
    centre = _read(image.voxels, image, points)
    apparent = _half_width(image, points, spokes, around, 2.0 * radius + 3.0 * sigma, step_mm)
    return Crossing(step_mm, radius, lumen_share(0.0, radius, sigma), centre, around, apparent, apparent_radius(radius, sigma))


def _at_steps(line: Centreline, step_mm: float) -> tuple[Floats, Floats]:
    """Points (n, 3) and radii (n,) every ``step_mm`` from the line's first point on."""
    lengths = np.linalg.norm(np.diff(line.points_mm, axis=0), axis=1)
    along = np.concatenate([[0.0], np.cumsum(lengths)])
    at = np.arange(0.0, along[-1] + 1e-9, step_mm)
    points = np.stack([np.interp(at, along, line.points_mm[:, axis]) for axis in range(3)], axis=1)
    return points, np.interp(at, along, line.radii_mm)


def _directions(points: Floats, step_mm: float) -> Floats:
    """Unit tangents (n, 3) of the smoothed line."""
    if len(points) < 2:
        return np.tile([0.0, 0.0, 1.0], (len(points), 1))
    smooth = ndimage.gaussian_filter1d(points, SMOOTH_MM / step_mm, axis=0, mode="nearest")
    slope = np.gradient(smooth, axis=0)
    return np.asarray(slope / np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-12))


def _spokes(tangent: Floats) -> Floats:
    """Unit directions (n, ANGLES, 3) all round, across the tangents (n, 3)."""
    least = np.eye(3)[np.abs(tangent).argmin(axis=1)]
    first = np.cross(tangent, least)
    first /= np.maximum(np.linalg.norm(first, axis=1, keepdims=True), 1e-12)
    second = np.cross(tangent, first)
    angle = 2 * np.pi * np.arange(ANGLES) / ANGLES
    return np.asarray(np.cos(angle)[None, :, None] * first[:, None] + np.sin(angle)[None, :, None] * second[:, None])


def _around(image: Volume, surroundings: Mask | None, points: Floats, spokes: Floats, inner_mm: Floats) -> Floats:
    """Median HU (n,) of the ring that begins ``inner_mm`` (n,) from the axis; NaN where fewer than FEWEST_IN_RING can be read."""
    distance = inner_mm[:, None] + np.asarray(RING_MM)
    ring = points[:, None, None] + distance[:, :, None, None] * spokes[:, None]
    hu = _read(image.voxels, image, ring).reshape(len(points), -1)
    if surroundings is not None:
        usable = _read(surroundings.view(np.uint8), image, ring, order=0).reshape(hu.shape) == 1
        hu = np.where(usable, hu, np.nan)
    enough = np.isfinite(hu).sum(axis=1) >= FEWEST_IN_RING
    found = np.full(len(points), np.nan)
    if enough.any():
        found[enough] = np.nanmedian(hu[enough], axis=1)
    return found


def _half_width(image: Volume, points: Floats, spokes: Floats, around: Floats, reach_mm: Floats, step_mm: float) -> Floats:
    """Distance (n,) in mm at which the mean profile all round first falls to half of the centre's contrast."""
    distance = np.linspace(0.0, 1.0, PROFILE_STEPS) * reach_mm[:, None]
    hu = _read(image.voxels, image, points[:, None, None] + distance[:, :, None, None] * spokes[:, None]).mean(axis=2)
    profile = np.nan_to_num(hu - around[:, None])
    profile = ndimage.uniform_filter1d(profile, max(1, round(PROFILE_MM / step_mm)), axis=0, mode="nearest")
    below = profile < 0.5 * profile[:, :1]
    first = below.argmax(axis=1)
    rows = np.arange(len(points))
    high, low = profile[rows, first - 1], profile[rows, first]
    share = (high - 0.5 * profile[:, 0]) / np.maximum(high - low, 1e-9)
    found = (first - 1 + share) * reach_mm / (PROFILE_STEPS - 1)
    return np.where(below.any(axis=1) & (profile[:, 0] > 0) & np.isfinite(around), found, np.nan)


def _read(voxels: NDArray, on: Volume, points_mm: Floats, order: int = 1) -> Floats:
    """Values (...) at points (..., 3) by linear interpolation (or the nearest voxel); NaN outside the grid."""
    index = np.moveaxis(on.geometry.to_index(points_mm), -1, 0)
    size = np.asarray(on.geometry.shape).reshape((3,) + (1,) * (index.ndim - 1))
    inside = np.all((index >= -0.5) & (index <= size - 0.5), axis=0)
    values = ndimage.map_coordinates(voxels, index, output=np.float64, order=order, mode="nearest")
    return np.where(inside, values, np.nan)
