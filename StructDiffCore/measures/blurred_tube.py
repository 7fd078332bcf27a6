"""Blurred tube: what a straight vessel looks like once the scanner's point spread and the voxel grid have passed over it.

Across a straight tube a Gaussian blur is a blur of its disc, so the share of lumen at a distance from the axis has a closed
form: the chance that a two-dimensional normal falls into the disc (a non-central chi-square with two degrees of freedom).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import ncx2

Floats = NDArray[np.float64]
VOXEL_VARIANCE = 1 / 12
"""Of a voxel's own box, in squared voxels."""
INTERPOLATION_VARIANCE = 1 / 6
"""Mean of f (1 - f): what reading between voxels by linear interpolation adds, in squared voxels."""
THICK_SIGMAS = 6.0
"""Beyond this radius the centre is full and half of it lies at the wall."""


def sampled_sigma_mm(psf_sigma_mm: ArrayLike, spacing_mm: ArrayLike) -> Floats:
    """Standard deviation (3,) in mm along the grid's axes of point spread (one sigma or three), voxel and linear reading."""
    spacing = np.asarray(spacing_mm, float)
    grid = (VOXEL_VARIANCE + INTERPOLATION_VARIANCE) * spacing**2
    return np.sqrt(np.broadcast_to(np.asarray(psf_sigma_mm, float), (3,)) ** 2 + grid)


def sigma_across(tangents: Floats, sigma_mm: Floats) -> Floats:
    """Geometric mean (n,) of the two sigmas in mm across unit directions (n, 3), both in the grid's own axes.

    The blur of a tube along it changes nothing; the determinant of the covariance in the plane across is t' adj(C) t.
    """
    variance = np.asarray(sigma_mm, float) ** 2
    adjugate = np.prod(variance) / variance
    return np.asarray((tangents**2 @ adjugate) ** 0.25)


def lumen_share(distance_mm: ArrayLike, radius_mm: ArrayLike, sigma_mm: ArrayLike) -> Floats:
    """Share of lumen, 0 to 1, seen at distances in mm from the axis of a tube; the arrays broadcast. On the axis it is
    1 - exp(-r² / 2 sigma²).
    """
    scale = np.maximum(np.asarray(sigma_mm, float), 1e-6)
    distance, radius = np.asarray(distance_mm, float) / scale, np.asarray(radius_mm, float) / scale
    return np.asarray(ncx2.cdf(radius**2, 2, distance**2))


def apparent_radius(radius_mm: ArrayLike, sigma_mm: ArrayLike) -> Floats:
    """Distance in mm from the axis at which half of the centre's share is left: 1.18 sigma for a thread, the radius for a
    thick vessel.
    """
    scale = np.maximum(np.asarray(sigma_mm, float), 1e-6)
    radius = np.asarray(radius_mm, float) / scale
    known, half = _half_widths()
    return np.asarray(np.where(radius > THICK_SIGMAS, radius, np.interp(radius, known, half)) * scale)


@lru_cache(maxsize=1)
def _half_widths() -> tuple[Floats, Floats]:
    """Radius and half width, both in sigmas, by bisection."""
    radius = np.linspace(0.02, THICK_SIGMAS, 150)
    wanted = 0.5 * lumen_share(0.0, radius, 1.0)
    low, high = np.zeros_like(radius), radius + 3.0
    for _ in range(40):
        middle = 0.5 * (low + high)
        above = lumen_share(middle, radius, 1.0) > wanted
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return radius, 0.5 * (low + high)
