"""Speckle: single voxels far from everything around them, which no scan without noise has."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .scores import Scores

FAR_HU = 100.0
"""From the median of the voxel and its 26 neighbours."""


def specks(clean: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Voxels of a noise-free image (i, j, k; HU) that lie ``FAR_HU`` and more from the median of their 3^3 neighbourhood."""
    far: NDArray[np.bool_] = np.abs(clean - ndimage.median_filter(clean, 3)) >= FAR_HU
    return far


def speckle_shares(clean: NDArray[np.float32], labels: NDArray[np.integer]) -> Scores:
    """Percent of the voxels of a noise-free image (i, j, k; HU) that lie 100 HU and more from the median around them, inside and
    outside the labels. Thin vessels and edges have some too: compare with the truth's.
    """
    far = specks(clean)
    places = {"labelled": labels > 0, "unlabelled": labels == 0}
    return {
        f"speckle {name} %": 100 * float(far[place].mean()) if place.any() else float("nan") for name, place in places.items()
    }
