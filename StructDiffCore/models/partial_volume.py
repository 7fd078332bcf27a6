"""Inversion of partial volume: the HU a thin label would have if the scanner did not blur it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from StructDiffCore.measures.distance import distance_to, nearest_seed

from .painted_prior import DEFAULT_SOFTNESS_MM, paint, soften
from .pseudo_labels import PSEUDO_BASE

REACH_MM = 4.0
WINDOW_MM = 1.4
"""Standard deviation of the window in which excess and label are summed."""
WALL_MM = 1.0
"""What lies this near to a vessel's lumen and has no label of its own is wall, plaque or a mixture."""
CORE_SHARE = 0.05
"""With fewer voxels than this wholly inside the label, its HU cannot be told from its wall's."""
SHARE_FLOOR = 0.03
WIDEST_PSF_MM = 0.8
"""A point spread read wider than this is taken for walls and jagged masks."""
ROBUST_ROUNDS = 4


@dataclass(frozen=True, eq=False)
class _Neighbourhood:
    """A label and what surrounds it, all (i, j, k) on the box around it."""

    hu: NDArray[np.float32]
    labels: NDArray[np.integer]
    inside: NDArray[np.bool_]
    distance: NDArray[np.float32]
    """mm to the nearest voxel of the label."""
    spacing: NDArray[np.float64]
    psf_sigma: NDArray[np.float64]
    """Point spread and voxel box together, mm per axis."""

    def painted_without(self, left_out: NDArray[np.bool_], medians: Mapping[int, float]) -> NDArray[np.float32]:
        """HU of the nearest voxel that is not left out, each painted with its label's median."""
        return paint(nearest_seed(~left_out, self.labels, self.spacing).value, medians)

    def blurred(self, field: NDArray, extra: ArrayLike = 0.0) -> NDArray[np.float32]:
        return soften(np.asarray(field, np.float32), self.spacing, np.sqrt(self.psf_sigma**2 + np.square(extra)))


def unblurred_hu(
    image: NDArray[np.float32],
    labels: NDArray[np.integer],
    value: int,
    medians: Mapping[int, float],
    spacing_mm: ArrayLike,
    psf_sigma_mm: float = DEFAULT_SOFTNESS_MM,
) -> float:
    """HU of label ``value`` in ``labels`` (i, j, k, pseudo-labels where unlabelled), given the other labels' ``medians``.

    A label with a core is fitted together with its wall, since both reach into each other's voxels; one without a core is
    weighed instead, which neither a jagged mask nor a wrong point spread disturbs, but which counts a wall as lumen.
    """
    spacing = np.asarray(spacing_mm, float)
    box = _box_around(labels == value, np.ceil(REACH_MM / spacing).astype(int))
    part = labels[box]
    inside = part == value
    if inside.all():
        return float(np.median(image[box]))
    sigma = np.sqrt(min(psf_sigma_mm, WIDEST_PSF_MM) ** 2 + spacing**2 / 12)
    hood = _Neighbourhood(image[box].astype(np.float32), part, inside, distance_to(inside, spacing), spacing, sigma)
    core = ndimage.binary_erosion(inside).sum()
    return _fitted_with_wall(hood, medians) if core >= CORE_SHARE * inside.sum() else _weighed(hood, medians)


def _weighed(hood: _Neighbourhood, medians: Mapping[int, float]) -> float:
    """Median over the label of (image beyond its blurred surroundings) / (blurred label), both summed in a window."""
    share = hood.blurred(hood.inside)
    excess = hood.hu - hood.blurred(np.where(hood.inside, 0, hood.painted_without(hood.inside, medians)))
    excess -= _shift(excess, hood.distance, share) * (1 - share)
    summed, weight = (soften(field, hood.spacing, WINDOW_MM)[hood.inside] for field in (excess, share))
    return float(np.median(summed / np.maximum(weight, 1e-6)))


def _fitted_with_wall(hood: _Neighbourhood, medians: Mapping[int, float]) -> float:
    """Robust least squares of the image against the blurred label and its blurred wall, two unknown HU.

    Image and masks are smoothed by another half voxel, so that the jagged mask does not attenuate the answer.
    """
    half = 0.5 * hood.spacing
    reach = max(WALL_MM, float(hood.spacing.max()))
    wall = ~hood.inside & (hood.distance <= reach) & (hood.labels >= PSEUDO_BASE)
    share, wall_share = hood.blurred(hood.inside, half), hood.blurred(wall, half)
    rest = np.where(hood.inside | wall, 0, hood.painted_without(hood.inside | wall, medians))
    left = soften(hood.hu, hood.spacing, half) - hood.blurred(rest, half)
    left -= _shift(left, hood.distance, share + wall_share) * (1 - share - wall_share)
    near = share > SHARE_FLOOR
    columns = np.stack([share[near], wall_share[near]], 1).astype(float)
    return float(_robust_fit(columns, left[near].astype(float))[0])


def _shift(misfit: NDArray[np.float32], distance: NDArray[np.float32], share: NDArray[np.float32]) -> float:
    """Median misfit in the shell that the label's blur no longer reaches: how far the surroundings' medians are off."""
    ring = (share < 0.01) & (distance < REACH_MM)
    return float(np.median(misfit[ring])) if ring.any() else 0.0


def _robust_fit(columns: NDArray[np.float64], seen: NDArray[np.float64]) -> NDArray[np.float64]:
    """Least squares with Huber weights."""
    weight = np.ones(len(seen))
    for _ in range(ROBUST_ROUNDS):
        root = np.sqrt(weight)[:, None]
        answer = np.linalg.lstsq(columns * root, seen * root[:, 0], rcond=None)[0]
        misfit = np.abs(seen - columns @ answer)
        limit = max(2 * 1.4826 * float(np.median(misfit)), 1e-3)
        weight = np.minimum(1, limit / np.maximum(misfit, 1e-9))
    return np.asarray(answer)


def _box_around(mask: NDArray[np.bool_], margin: NDArray[np.int64]) -> tuple[slice, ...]:
    found = ndimage.find_objects(mask.astype(np.uint8))[0]
    return tuple(slice(max(0, s.start - int(m)), s.stop + int(m)) for s, m in zip(found, margin))
