"""Calibre: sub-voxel centreline and radius of a traced vessel, from the voxels that belong to each centreline point."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.spatial import cKDTree

from StructDiffCore.domain import Triple

Floats = NDArray[np.float64]
OVERSAMPLED = 2.0
"""Points per voxel size along a centreline."""


def centred(paths: Sequence[Floats], voxels: Floats, depth: Sequence[Floats], step_mm: float) -> list[Floats]:
    """Curves (n, 3) in mm moved to the middle of the voxels (m, 3) around them; the first and last points stay.

    Each path is resampled, every voxel is given to the nearest point (power distance with the point's depth), and a point
    moves across the curve to the mean of the voxels within about one depth along it.
    """
    fine = [_resampled(path, d, step_mm / OVERSAMPLED) for path, d in zip(paths, depth)]
    owner, place = _owners(fine, voxels)
    moved = []
    for number, (points, radii) in enumerate(fine):
        mine = owner == number
        sigma = max(1.0, float(np.median(radii)) / (step_mm / OVERSAMPLED))
        count = np.bincount(place[mine], minlength=len(points)).astype(float)
        sums = np.stack([np.bincount(place[mine], voxels[mine, a], minlength=len(points)) for a in range(3)], axis=1)
        along = np.stack([np.bincount(place[mine], points[place[mine], a], minlength=len(points)) for a in range(3)], axis=1)
        weight = np.maximum(_blurred(count, sigma), 1e-6)
        shift = (_blurred(sums - along, sigma)) / weight[:, None]
        shift -= (shift * _tangents(points)).sum(axis=1, keepdims=True) * _tangents(points)
        shift[[0, -1]] = 0
        moved.append(_smoothed(points + shift, sigma))
    return moved


def radii_of(paths: Sequence[Floats], voxels: Floats, spacing: Triple, depth: Sequence[Floats]) -> list[Floats]:
    """Radius (n,) in mm at the points of every path: the disc whose area is the local volume per length.

    Voxels beyond a path's open ends do not count; points inside another, thicker vessel take the value from where they leave it.
    """
    given = list(zip(paths, depth))
    owner, place = _owners(given, voxels)
    found = []
    for number, (points, rough) in enumerate(given):
        tangent = _tangents(points)
        mine = owner == number
        at, offset = place[mine], voxels[mine] - points[place[mine]]
        lead = (offset * tangent[at]).sum(axis=1)
        steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
        length = 0.5 * (np.concatenate([[0], steps]) + np.concatenate([steps, [0]]))
        inside = ~(((at == 0) & (lead < 0)) | ((at == len(points) - 1) & (lead > 0)))
        volume = float(np.prod(spacing)) * np.bincount(at[inside], minlength=len(points))
        found.append(_profile(volume, length, np.maximum(rough, max(spacing))))
    return found


def drawn_out(end: Floats, behind: Floats, voxels: Floats, largest_step_mm: float) -> Floats:
    """An open end (3,) moved on along its direction until one radius before the last of its voxels (n, 3); never back.

    Voxels beyond an empty stretch longer than ``largest_step_mm`` belong to something else.
    """
    heading = (end - behind) / max(float(np.linalg.norm(end - behind)), 1e-9)
    ahead = (voxels - end) @ heading
    reached = np.sort(np.concatenate([[0.0], ahead[ahead > 0]]))
    stretches = np.flatnonzero(np.diff(reached) > largest_step_mm)
    last_mm = float(reached[stretches[0] if len(stretches) else -1])
    mine = ahead <= last_mm
    across = np.linalg.norm(voxels - end - ahead[:, None] * heading, axis=1)[mine]
    beyond = last_mm - across.max(initial=0.0)
    if beyond <= 0:
        return end
    tip = voxels[mine & (ahead > beyond)]
    return np.asarray(tip.mean(axis=0)) if len(tip) else end + beyond * heading


def _profile(volume: NDArray, length: Floats, window_mm: Floats) -> Floats:
    """Radius from volume and length per point, both averaged over about one radius (or slice) along the path."""
    step = max(float(np.median(length)), 1e-6)
    sigma = max(1.0, 0.75 * float(np.median(window_mm)) / step)
    area = _blurred(volume, sigma) / np.maximum(_blurred(length, sigma), 1e-9)
    return np.sqrt(np.maximum(area, 0.0) / np.pi)


def _owners(paths: Sequence[tuple[Floats, Floats]], voxels: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For every voxel (m, 3) the path and the point on it that is nearest by power distance |x - p|^2 - r^2.

    A fourth coordinate sqrt(R^2 - r^2), R the largest radius, turns the power distance into the ordinary one.
    """
    points = np.concatenate([path for path, _ in paths])
    radii = np.concatenate([radius for _, radius in paths])
    lift = np.sqrt(np.maximum(radii.max() ** 2 - radii**2, 0))
    tree = cKDTree(np.column_stack([points, lift]))
    nearest = tree.query(np.column_stack([voxels, np.zeros(len(voxels))]))[1]
    first = np.concatenate([[0], np.cumsum([len(path) for path, _ in paths])])
    owner = np.searchsorted(first, nearest, side="right") - 1
    return owner, nearest - first[owner]


def _resampled(points: Floats, values: Floats, step: float) -> tuple[Floats, Floats]:
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    at = np.linspace(0, along[-1], max(2, int(np.ceil(along[-1] / step)) + 1))
    return np.stack([np.interp(at, along, points[:, a]) for a in range(3)], axis=1), np.interp(at, along, values)


def _tangents(points: Floats) -> Floats:
    if len(points) < 2:
        return np.zeros_like(points)
    slope = np.gradient(points, axis=0)
    return slope / np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-12)


def _blurred(values: NDArray, sigma: float) -> Floats:
    return np.asarray(gaussian_filter1d(values, sigma, axis=0, mode="constant"))


def _smoothed(points: Floats, sigma: float) -> Floats:
    """Gaussian smoothing with odd reflection at the ends, which stay."""
    margin = min(len(points) - 1, int(np.ceil(4 * sigma)))
    if margin < 1:
        return points
    head, tail = 2 * points[0] - points[margin:0:-1], 2 * points[-1] - points[-2 : -margin - 2 : -1]
    smooth = gaussian_filter1d(np.concatenate([head, points, tail]), sigma, axis=0, mode="nearest")
    return np.asarray(smooth[margin : margin + len(points)])
