"""The painted prior P: every label painted with its template median, softened like a scanner's edge."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

DEFAULT_SOFTNESS_MM = 0.6
"""Standard deviation of a typical cardiac CT's point spread."""


def paint_prior(
    labels: NDArray[np.integer], medians: Mapping[int, float], spacing_mm: ArrayLike, softness_mm: float = DEFAULT_SOFTNESS_MM
) -> NDArray[np.float32]:
    """Prior (i, j, k) in HU of labels (i, j, k); a label without a median raises KeyError.

    A Gaussian of the piecewise constant paint equals erf of the signed distance at flat edges, and gives thin vessels
    their partial volume.
    """
    return soften(paint(labels, medians), spacing_mm, softness_mm)


def paint(labels: NDArray[np.integer], medians: Mapping[int, float]) -> NDArray[np.float32]:
    """Hard paint (i, j, k) in HU: the median of each voxel's label."""
    highest = int(labels.max(initial=0))
    table = np.full(highest + 1, np.nan, np.float32)
    for value, median in medians.items():
        if 0 <= value <= highest:
            table[value] = median
    painted = table[labels]
    if np.isnan(painted).any():
        raise KeyError(f"no median for the labels {sorted(set(np.unique(labels).tolist()) - set(medians))}")
    return painted


def soften(image: NDArray[np.float32], spacing_mm: ArrayLike, sigma_mm: ArrayLike) -> NDArray[np.float32]:
    """Gaussian of standard deviation ``sigma_mm`` (one number or one per axis)."""
    sigma = np.broadcast_to(np.asarray(sigma_mm, float), 3) / np.asarray(spacing_mm, float)
    return ndimage.gaussian_filter(image.astype(np.float32, copy=False), sigma, mode="nearest", truncate=3.0)
