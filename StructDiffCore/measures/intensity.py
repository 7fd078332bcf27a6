"""Intensity per label: median, interquartile range, distance between two distributions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import wasserstein_distance


@dataclass(frozen=True)
class Intensity:
    """HU of one label."""

    median_hu: float
    p25_hu: float
    p75_hu: float
    voxels: int

    @property
    def iqr_hu(self) -> float:
        return self.p75_hu - self.p25_hu


def intensities(image: NDArray, labels: NDArray[np.integer], values: Iterable[int] | None = None) -> dict[int, Intensity]:
    """Median and quartiles of ``image`` (i, j, k) in HU per label of ``labels``; absent labels are left out, 0 is background."""
    wanted = _present(labels) if values is None else list(values)
    return {v: intensity_of(image[labels == v]) for v in wanted if (labels == v).any()}


def wasserstein_hu(
    image: NDArray, labels: NDArray[np.integer], other_image: NDArray, other_labels: NDArray[np.integer]
) -> dict[int, float]:
    """Per label present in both: HU that an average voxel must change for the two distributions to agree (1-Wasserstein)."""
    shared = [v for v in _present(labels) if (other_labels == v).any()]
    return {v: float(wasserstein_distance(image[labels == v], other_image[other_labels == v])) for v in shared}


def intensity_of(hu: NDArray) -> Intensity:
    """Of a sample (n,) of HU, n > 0."""
    p25, median, p75 = (float(q) for q in np.percentile(hu, (25, 50, 75)))
    return Intensity(median, p25, p75, int(hu.size))


def _present(labels: NDArray[np.integer]) -> list[int]:
    return [int(v) for v in np.unique(labels) if v != 0]
