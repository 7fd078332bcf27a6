"""Pseudo-labels: unlabelled template tissue split by intensity, and the holes of the template's own labels filled."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from StructDiffCore.measures.distance import nearest_seed

PSEUDO_BASE = 100_000
"""Pseudo-label values are PSEUDO_BASE + class: beyond every label a mask may hold (at most 65535)."""
PSEUDO_NAMES = ("air", "lung", "fat", "soft tissue", "bright", "dense")
"""Classes of rising HU; 'bright' is contrast, calcium or spongy bone, 'dense' is strong contrast or compact bone."""
SOFT_TISSUE = PSEUDO_NAMES.index("soft tissue")
CLASS_BORDERS_HU = (-940.0, -300.0, -25.0, 115.0, 350.0)
TYPICAL_HU = (-1000.0, -850.0, -90.0, 45.0, 200.0, 500.0)
"""What a class is painted with where the template shows nothing of it."""
SMOOTHING_MM = 0.9
"""Noise is smoothed away before the split, else classes speckle."""


def pseudo_labels(
    image: NDArray[np.float32],
    labels: NDArray[np.integer],
    spacing_mm: ArrayLike,
    covered: NDArray[np.bool_] | None = None,
) -> NDArray[np.int32]:
    """Pseudo-label (i, j, k) of every voxel: by intensity where the template is unlabelled, else that of the nearest voxel
    that is no brighter than soft tissue (nobody wants bone invented).

    ``image`` in HU and ``labels`` lie on one grid. Voxels beside a label are left out of the evidence (their HU is a mixture);
    those outside ``covered`` (the template's field of view) take the nearest class, and soft tissue where nothing is unlabelled.
    """
    trusted = _unmixed(labels)
    if covered is not None:
        trusted &= covered
    if not trusted.any():
        return np.full(labels.shape, PSEUDO_BASE + SOFT_TISSUE, np.int32)
    smooth, supported = _smoothed_where(image, trusted, spacing_mm)
    classes = np.digitize(smooth, CLASS_BORDERS_HU).astype(np.int32)
    if not supported.all():
        plain = supported & (classes <= SOFT_TISSUE)
        filled = nearest_seed(plain if plain.any() else supported, classes, spacing_mm).value
        classes = np.where(supported, classes, filled)
    return classes + np.int32(PSEUDO_BASE)


def _unmixed(labels: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Unlabelled voxels without a labelled neighbour."""
    return ~ndimage.binary_dilation(labels != 0, ndimage.generate_binary_structure(3, 1))


def _smoothed_where(
    image: NDArray[np.float32], trusted: NDArray[np.bool_], spacing_mm: ArrayLike
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Mean HU of the trusted neighbourhood (i, j, k), and where there is enough of one."""
    sigma = SMOOTHING_MM / np.asarray(spacing_mm, float)
    weight = ndimage.gaussian_filter(trusted.astype(np.float32), sigma, truncate=2.5)
    total = ndimage.gaussian_filter(np.where(trusted, image, 0).astype(np.float32), sigma, truncate=2.5)
    return total / np.maximum(weight, 1e-6), weight > 0.05
