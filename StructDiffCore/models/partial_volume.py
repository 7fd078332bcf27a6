"""Inversion of partial volume: the HU a thin label would have if the scanner did not blur it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from StructDiffCore.measures.distance import distance_to, nearest_seed

from .painted_prior import DEFAULT_SOFTNESS_MM, paint, soften

MARGIN_MM = 3.5
WINDOW_MM = 1.4
"""Standard deviation of the window in which excess and label are summed."""


def unblurred_hu(
    image: NDArray[np.float32],
    labels: NDArray[np.integer],
    value: int,
    medians: Mapping[int, float],
    spacing_mm: ArrayLike,
    psf_sigma_mm: float = DEFAULT_SOFTNESS_MM,
) -> float:
    """HU of label ``value`` in ``labels`` (i, j, k): what the image holds beyond its blurred surroundings, per blurred label.

    Both are summed in a window wider than the point spread, which a wrong ``psf_sigma_mm`` and a jagged mask hardly change;
    the median over the label shrugs off plaque and wrongly labelled neighbours. ``medians`` are the surroundings' HU.
    """
    spacing = np.asarray(spacing_mm, float)
    box = _box_around(labels == value, np.ceil(MARGIN_MM / spacing).astype(int))
    part, hu = labels[box], image[box].astype(np.float32)
    label = part == value
    if label.all():
        return float(np.median(hu))
    around = paint(nearest_seed(~label, part, spacing).value, medians)
    blur = np.sqrt(psf_sigma_mm**2 + spacing**2 / 12)
    share = soften(label.astype(np.float32), spacing, blur)
    surroundings = soften(np.where(label, 0, around).astype(np.float32), spacing, blur)
    shift = _shift_around(hu - surroundings, label, share, spacing)
    excess = hu - surroundings - shift * (1 - share)
    local = soften(excess, spacing, WINDOW_MM)[label] / np.maximum(soften(share, spacing, WINDOW_MM)[label], 1e-6)
    return float(np.median(local))


def _shift_around(
    misfit: NDArray[np.float32], label: NDArray[np.bool_], share: NDArray[np.float32], spacing: NDArray[np.float64]
) -> float:
    """Median misfit in the shell around the label that its blur no longer reaches: how far the medians there are off."""
    ring = (share < 0.01) & (distance_to(label, spacing) < MARGIN_MM)
    return float(np.median(misfit[ring])) if ring.any() else 0.0


def _box_around(mask: NDArray[np.bool_], margin: NDArray[np.int64]) -> tuple[slice, ...]:
    found = ndimage.find_objects(mask.astype(np.uint8))[0]
    return tuple(slice(max(0, s.start - int(m)), s.stop + int(m)) for s, m in zip(found, margin))
