"""The painted prior P: every label painted with its template median, edges as soft as the scanner's and free of voxel stairs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

DEFAULT_SOFTNESS_MM = 0.6
"""Standard deviation of a typical cardiac CT's point spread."""
STAIRLESS_VOXELS = 0.75
"""A Gaussian of this many voxels leaves no stairs of a label's voxels."""
REACH_SIGMAS = 3.0


def paint_prior(
    labels: NDArray[np.integer],
    medians: Mapping[int, float],
    spacing_mm: ArrayLike,
    softness_mm: ArrayLike = DEFAULT_SOFTNESS_MM,
    thin: Iterable[int] = (),
    wall: NDArray[np.float32] | None = None,
    wall_hu: float = 0.0,
) -> NDArray[np.float32]:
    """Prior (i, j, k) in HU of labels (i, j, k); a label without a median raises KeyError.

    ``softness_mm`` is the point spread's standard deviation, one number or one per axis. ``thin`` labels, and walls (share of
    each voxel, HU) where they would lie in something darker, are laid over the others and softened by the point spread alone,
    which gives them their partial volume.
    """
    hard = paint(labels, medians)
    inside = np.isin(labels, list(thin))
    base = _edged(labels, medians, hard, inside, spacing_mm, softness_mm)
    if not inside.any():
        return base
    laid = np.where(inside, hard - base, 0)
    if wall is not None:
        laid += wall * np.maximum(np.float32(wall_hu) - base, 0)
    return base + soften(laid, spacing_mm, softness_mm)


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
    return _gaussian(image.astype(np.float32, copy=False), _voxels(sigma_mm, spacing_mm))


def _edged(
    labels: NDArray[np.integer],
    medians: Mapping[int, float],
    hard: NDArray[np.float32],
    left_out: NDArray[np.bool_],
    spacing_mm: ArrayLike,
    softness_mm: ArrayLike,
) -> NDArray[np.float32]:
    """HU of all labels but those left out, each voxel shared between them.

    Each label's share is a Gaussian g of its voxels, wide enough to have no stairs. Across a flat edge g is an error function;
    g^k / sum g^k is close to one k times as steep, so that the edge has the point spread's width again. Where voxels are not
    cubes, k is the least of the three axes': no axis is made sharper than the point spread.
    """
    sigma = _voxels(softness_mm, spacing_mm)
    wide = np.maximum(sigma, STAIRLESS_VOXELS)
    steeper = float((wide / np.maximum(sigma, 0.1)).min())
    if steeper == 1 and not left_out.any():
        return _gaussian(hard, sigma)
    total, weight = np.zeros(labels.shape, np.float32), np.zeros(labels.shape, np.float32)
    for value in np.unique(labels[~left_out]).tolist():
        box, share = _share((labels == value) & ~left_out, wide)
        share **= np.float32(steeper)
        total[box] += np.float32(medians[value]) * share
        weight[box] += share
    return np.where(weight > 1e-12, total / np.maximum(weight, 1e-12), hard)


def _share(mask: NDArray[np.bool_], sigma: NDArray[np.float64]) -> tuple[tuple[slice, ...], NDArray[np.float32]]:
    """The mask's Gaussian in the box where it is not zero."""
    reach = np.ceil(REACH_SIGMAS * sigma).astype(int) + 1
    found = ndimage.find_objects(mask.astype(np.uint8))[0]
    box = tuple(slice(max(0, s.start - int(r)), s.stop + int(r)) for s, r in zip(found, reach))
    return box, np.maximum(_gaussian(mask[box].astype(np.float32), sigma), 0)


def _gaussian(image: NDArray[np.float32], sigma: NDArray[np.float64]) -> NDArray[np.float32]:
    return ndimage.gaussian_filter(image, sigma, mode="nearest", truncate=REACH_SIGMAS)


def _voxels(length_mm: ArrayLike, spacing_mm: ArrayLike) -> NDArray[np.float64]:
    return np.broadcast_to(np.asarray(length_mm, float), 3) / np.asarray(spacing_mm, float)
