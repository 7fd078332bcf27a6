"""Coarse labels: a template label that holds several tissues (a whole heart) is split by intensity into parts (blood, muscle)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from StructDiffCore.measures.distance import nearest_seed

PART_BASE = 200_000
"""A part's value is PART_BASE + MOST_PARTS * label + rank: beyond every label and pseudo-label."""
MOST_PARTS = 4
SMOOTHING_MM = 0.9
"""Noise is smoothed away before the split, else parts speckle."""
FEWEST_VOXELS = 2000
SMALLEST_SHARE = 0.05
"""A part with less of its label than this is not worth a code."""
SEPARATION_HU = 150.0
"""Parts whose medians lie nearer than this are one tissue with its texture."""
SEPARABILITY = 0.7
"""Share of the variance a split must explain (Otsu 1979, eta); half a Gaussian's explains 0.64."""
SETTLED = 0.6
"""A target label that shares its source with others takes one part when this share of its voxels lies in it."""

Borders = Mapping[int, tuple[float, ...]]
"""Coarse label -> rising HU between its parts."""


def part_borders(
    image: NDArray[np.float32], labels: NDArray[np.integer], spacing_mm: ArrayLike, thin_values: Iterable[int] = ()
) -> dict[int, tuple[float, ...]]:
    """Borders of every label of a template that holds several tissues: ``image`` (i, j, k) in HU on the grid of ``labels``."""
    found: dict[int, tuple[float, ...]] = {}
    thin = set(thin_values)
    for value, box in _boxes(labels, FEWEST_VOXELS):
        if value in thin:
            continue
        inside = labels[box] == value
        core = ndimage.binary_erosion(inside)
        borders = _split(np.sort(_smoothed(image[box], inside, spacing_mm)[core]), splits=2)
        if borders:
            found[value] = tuple(borders)
    return found


def part_labels(
    image: NDArray[np.float32], labels: NDArray[np.integer], borders: Borders, spacing_mm: ArrayLike
) -> NDArray[np.int32]:
    """``labels`` (i, j, k) with the voxels of coarse labels renumbered as their parts."""
    parts = labels.astype(np.int32)
    for value, box in _boxes(labels, 1):
        if value in borders:
            inside = labels[box] == value
            rank = np.digitize(_smoothed(image[box], inside, spacing_mm), borders[value])
            parts[box][inside] = (PART_BASE + MOST_PARTS * value + rank)[inside]
    return parts


def source_of(part: int) -> int:
    """The label a part belongs to."""
    return (part - PART_BASE) // MOST_PARTS


def inherited_parts(
    target_labels: NDArray[np.integer], parts: NDArray[np.int32], looks_like: Mapping[int, int], spacing_mm: ArrayLike
) -> NDArray[np.int32]:
    """The part (i, j, k) each target voxel inherits from the aligned template's ``parts``, 0 where its label is not coarse there.

    A voxel takes the nearest part of the label it looks like. Where several target labels look like one coarse label (the
    walls and the chambers like "heart"), a label that mostly lies in one part takes that part as a whole: the mask is obeyed.
    """
    inherited = np.zeros(target_labels.shape, np.int32)
    for source in {source_of(v) for v in np.unique(parts[parts >= PART_BASE]).tolist()}:
        values = [value for value, like in looks_like.items() if like == source]
        wanted = np.isin(target_labels, values)
        if not wanted.any():
            continue
        seeds = (parts >= PART_BASE) & ((parts - PART_BASE) // MOST_PARTS == source)
        nearest = nearest_seed(seeds, parts, spacing_mm).value
        inherited[wanted] = nearest[wanted]
        if len(values) > 1:
            _settle(inherited, target_labels, values)
    return inherited


def _settle(inherited: NDArray[np.int32], target_labels: NDArray[np.integer], values: list[int]) -> None:
    for value in values:
        inside = target_labels == value
        found, counts = np.unique(inherited[inside], return_counts=True)
        if len(found) > 1 and counts.max() >= SETTLED * counts.sum():
            inherited[inside] = found[np.argmax(counts)]


def _boxes(labels: NDArray[np.integer], fewest: int) -> list[tuple[int, tuple[slice, ...]]]:
    """Labels of at least that many voxels with the boxes around them."""
    values = [v for v in np.flatnonzero(np.bincount(labels.ravel()) >= fewest).tolist() if v != 0]
    found = ndimage.find_objects(labels.astype(np.int32)) if values else []
    return [(value, found[value - 1]) for value in values]


def _split(hu: NDArray[np.float32], splits: int) -> list[float]:
    """Borders within sorted values: Otsu's, then each half's."""
    if splits == 0 or len(hu) < FEWEST_VOXELS:
        return []
    at = _otsu(hu)
    below, above = hu[:at], hu[at:]
    left = (below.var() * len(below) + above.var() * len(above)) / max(hu.var() * len(hu), 1e-6)
    apart = np.median(above) - np.median(below) >= SEPARATION_HU
    if min(len(below), len(above)) < SMALLEST_SHARE * len(hu) or not apart or 1 - left < SEPARABILITY:
        return []
    return [*_split(below, splits - 1), float(hu[at]), *_split(above, splits - 1)]


def _otsu(hu: NDArray[np.float32]) -> int:
    """Index in sorted values of the split that explains most variance."""
    count = np.arange(1, len(hu))
    total = np.cumsum(hu, dtype=np.float64)
    mean_below = total[:-1] / count
    mean_above = (total[-1] - total[:-1]) / (len(hu) - count)
    return int(np.argmax(count * (len(hu) - count) * (mean_above - mean_below) ** 2)) + 1


def _smoothed(image: NDArray[np.float32], inside: NDArray[np.bool_], spacing_mm: ArrayLike) -> NDArray[np.float32]:
    """Mean HU (i, j, k) over the label's own voxels."""
    sigma = SMOOTHING_MM / np.asarray(spacing_mm, float)
    weight = ndimage.gaussian_filter(inside.astype(np.float32), sigma, truncate=2.5)
    total = ndimage.gaussian_filter(np.where(inside, image, 0).astype(np.float32), sigma, truncate=2.5)
    return total / np.maximum(weight, 1e-6)
