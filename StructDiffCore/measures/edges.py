"""Edge width: how far an image takes to change across a label's surface, and the point spread that explains it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage, optimize, special

from .distance import signed_distance

REACH_MM = 3.5
STEP_MM = 0.25
PLATEAU_MM = 1.0
"""Both ends of a profile that must be flat."""
LEAST_CONTRAST_HU = 100.0
FEWEST_PROFILES = 40
MOST_PROFILES = 3000
TRUSTED_PROFILES = 200
WIDTH_PER_SIGMA = 2.5631
"""10 to 90 % of an error function spans this many sigmas."""


@dataclass(frozen=True)
class Edge:
    """The edge of one label's surface."""

    sigma_mm: float
    """Standard deviation of the Gaussian point spread that makes such an edge of a step."""
    profiles: int
    """Surface points it was read at."""

    @property
    def width_mm(self) -> float:
        """10 to 90 % width."""
        return WIDTH_PER_SIGMA * self.sigma_mm


def edge_widths(
    image: NDArray[np.float32],
    labels: NDArray[np.integer],
    spacing_mm: ArrayLike,
    values: Iterable[int] | None = None,
    rng: np.random.Generator | None = None,
) -> dict[int, Edge]:
    """Edge per label of ``labels`` (i, j, k) in ``image`` (i, j, k, HU), from profiles along the surface normals.

    Each profile is scaled by its own two plateaus and centred on its own half height (the mask may be off by a voxel); the
    median profile is fitted with an error function. Labels with fewer than 40 clean edges (thin vessels) are left out.
    ``rng`` picks the surface points where there are more than 3,000.
    """
    spacing = np.asarray(spacing_mm, float)
    wanted = [int(v) for v in np.unique(labels) if v != 0] if values is None else list(values)
    picked = np.random.default_rng(0) if rng is None else rng
    found = {v: _edge(image, labels == v, spacing, picked) for v in wanted}
    return {v: edge for v, edge in found.items() if edge is not None}


def point_spread_mm(edges: Iterable[Edge], default_mm: float = 0.6) -> float:
    """One sigma for a scan: its sharpest well-read edge, since walls, motion and masks only broaden edges."""
    sigmas = [edge.sigma_mm for edge in edges if edge.profiles >= TRUSTED_PROFILES]
    return min(sigmas, default=default_mm)


def _edge(image: NDArray[np.float32], mask: NDArray[np.bool_], spacing: NDArray, rng: np.random.Generator) -> Edge | None:
    if not mask.any():
        return None
    margin = np.ceil((REACH_MM + 1) / spacing).astype(int)
    box = tuple(slice(max(0, s.start - m), s.stop + m) for s, m in zip(ndimage.find_objects(mask.astype(np.uint8))[0], margin))
    points, normals = surface_points(mask[box], spacing, rng)
    if len(points) < FEWEST_PROFILES:
        return None
    offsets = np.arange(-REACH_MM, REACH_MM + STEP_MM / 2, STEP_MM)
    where = points[:, None, :] + offsets[None, :, None] * normals[:, None, :] / spacing
    profiles = ndimage.map_coordinates(image[box], where.reshape(-1, 3).T, order=3, mode="nearest").reshape(len(points), -1)
    clean = _scaled(profiles, offsets)
    if len(clean) < FEWEST_PROFILES:
        return None
    return Edge(_fitted_sigma(clean, offsets), len(clean))


def surface_points(
    mask: NDArray[np.bool_], spacing: NDArray, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fractional indices on the mask's surface and outward unit normals in mm, both (n, 3)."""
    distance = ndimage.gaussian_filter(signed_distance(mask, spacing), 1.0 / spacing)
    near = np.argwhere(np.abs(distance) < 0.5 * spacing.mean())
    far_enough = np.all((near > 0) & (near < np.asarray(mask.shape) - 1), axis=1)
    near = near[far_enough]
    if len(near) > MOST_PROFILES:
        near = near[rng.choice(len(near), MOST_PROFILES, replace=False)]
    index = tuple(near.T)
    slope = np.stack([_slope(distance, index, axis, spacing[axis]) for axis in range(3)], 1)
    normals = slope / np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-6)
    return near - distance[index][:, None] * normals / spacing, normals


def _slope(field: NDArray, index: tuple[NDArray, ...], axis: int, step: float) -> NDArray[np.float64]:
    ahead = tuple(i + (a == axis) for a, i in enumerate(index))
    behind = tuple(i - (a == axis) for a, i in enumerate(index))
    return (field[ahead] - field[behind]) / (2 * step)


def _scaled(profiles: NDArray, offsets: NDArray) -> NDArray[np.float64]:
    """Profiles with two flat ends apart by enough HU, brought to 1 inside and 0 outside."""
    ends = np.abs(offsets) > REACH_MM - PLATEAU_MM
    inner, outer = profiles[:, ends & (offsets < 0)], profiles[:, ends & (offsets > 0)]
    contrast = inner.mean(1) - outer.mean(1)
    flat = np.maximum(np.ptp(inner, axis=1), np.ptp(outer, axis=1)) < 0.35 * np.abs(contrast)
    good = flat & (np.abs(contrast) > LEAST_CONTRAST_HU)
    return (profiles[good] - outer[good].mean(1)[:, None]) / contrast[good][:, None]


def _fitted_sigma(profiles: NDArray[np.float64], offsets: NDArray[np.float64]) -> float:
    """Sigma of the error function through the median of the centred profiles."""
    shifts = np.array([_half_height(p, offsets) for p in profiles])
    centred = np.stack([np.interp(offsets + shift, offsets, p) for p, shift in zip(profiles, shifts)])
    median = np.median(centred, axis=0)
    inside = np.abs(offsets) < REACH_MM - PLATEAU_MM
    fit, _ = optimize.curve_fit(_error_function, offsets[inside], median[inside], p0=(0.0, 0.7), bounds=((-1, 0.05), (1, 4)))
    return float(fit[1])


def _error_function(offset: NDArray, centre: float, sigma: float) -> NDArray:
    return 0.5 * (1 - special.erf((offset - centre) / (sigma * np.sqrt(2))))


def _half_height(profile: NDArray, offsets: NDArray) -> float:
    """Where the profile crosses one half nearest to the surface; 0 where it does not."""
    crossings = np.flatnonzero((profile[:-1] >= 0.5) & (profile[1:] < 0.5))
    if not len(crossings):
        return 0.0
    n = crossings[np.argmin(np.abs(offsets[crossings]))]
    return float(offsets[n] + STEP_MM * (profile[n] - 0.5) / (profile[n] - profile[n + 1]))
