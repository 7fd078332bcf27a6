"""Denoise: a real scan split into anatomy and noise, by non-local means under the scan's own noise amplitude."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from StructDiffCore.config.compiled import njit

from .noise import AIR_BELOW_HU, NoiseModel, fit_noise, squared_offsets

GUIDE_SIGMA = (1.0, 1.0, 0.4)
"""Voxels of smoothing, in plane and axial, of the image that patches are compared in."""
REACH = (5, 5, 1)
"""Voxels searched on each side."""
SOFTNESS = 0.4
"""Fall of the weight: exp(-(d² - 1) / SOFTNESS) for patches d² times as far apart as noise alone makes them."""
OPEN_AIR_HU = -990.0
LOUDNESS_MM = 9.0


@dataclass(frozen=True, eq=False)
class Split:
    """image = clean + noise, both float32 (i, j, k) in HU."""

    clean: NDArray[np.float32]
    noise: NDArray[np.float32]
    amplitude: NDArray[np.float32]
    """Standard deviation of the noise expected at each voxel."""


def split_noise(image: NDArray[np.float32], regions: NDArray[np.integer], spacing_mm: ArrayLike, axial_axis: int = 2) -> Split:
    """Split ``image`` (i, j, k) in HU; ``regions`` (i, j, k) name homogeneous tissue for reading the noise (0 is not read).

    Buades 2005, with the noise level known: patches are compared in a slightly smoothed guide, relative to twice its noise
    variance, so that what differs by no more than noise does is averaged and an edge is not. The third axis is searched least:
    it is taken to be the one with thick slices (``axial_axis``).
    """
    moved = np.moveaxis(image, axial_axis, 2)
    order = np.moveaxis(regions, axial_axis, 2)
    spacing = np.asarray(spacing_mm, float)[[a for a in range(3) if a != axial_axis] + [axial_axis]]
    guide = ndimage.gaussian_filter(moved, GUIDE_SIGMA, truncate=3.0)
    model, calm = fit_noise(moved, order, spacing), fit_noise(guide, order, spacing)
    amplitude = _amplitude(moved, guide, model, spacing)
    ratio = calm.amplitude_hu / model.amplitude_hu
    clean = _averaged(moved, guide, amplitude * np.float32(ratio), np.asarray(REACH))
    back = [np.ascontiguousarray(np.moveaxis(a, 2, axial_axis)) for a in (clean, moved - clean, amplitude)]
    return Split(*back)


def _amplitude(
    image: NDArray[np.float32], guide: NDArray[np.float32], model: NoiseModel, spacing: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Noise amplitude (i, j, k): the model's law in tissue; in lung scaled by how much quieter its calm parts are."""
    law = model.amplitude_at(*squared_offsets(image.shape, spacing, 2)) * np.ones(image.shape, np.float32)
    fine = (image - guide) ** 2
    block = np.maximum(1, np.round(LOUDNESS_MM / spacing)).astype(int)
    loud = np.sqrt(np.maximum(ndimage.uniform_filter(fine, block), 0))
    inside = image > OPEN_AIR_HU
    airy = ndimage.gaussian_filter(image, 2.0 / spacing) < AIR_BELOW_HU
    calm = [float(np.quantile((loud / law)[part], 0.25)) for part in (airy & inside, ~airy) if part.any()]
    return np.where(airy, law * min(1.0, calm[0] / calm[-1]), law).astype(np.float32)


@njit(cache=True, fastmath=True)
def _averaged(image: Any, guide: Any, amplitude: Any, reach: Any) -> Any:
    """Weighted mean of the voxels around whose guide patches (a cross of five in plane) differ by no more than noise."""
    ni, nj, nk = image.shape
    out = image.copy()
    ri, rj, rk = reach[0], reach[1], reach[2]
    for i in range(1, ni - 1):
        for j in range(1, nj - 1):
            for k in range(nk):
                if image[i, j, k] <= OPEN_AIR_HU:
                    continue
                scale = np.float32(1.0) / (np.float32(10.0) * amplitude[i, j, k] * amplitude[i, j, k] + np.float32(1e-3))
                total, weights = np.float32(0.0), np.float32(0.0)
                c0, c1, c2 = guide[i, j, k], guide[i - 1, j, k], guide[i + 1, j, k]
                c3, c4 = guide[i, j - 1, k], guide[i, j + 1, k]
                for z in range(max(0, k - rk), min(nk, k + rk + 1)):
                    for x in range(max(1, i - ri), min(ni - 1, i + ri + 1)):
                        for y in range(max(1, j - rj), min(nj - 1, j + rj + 1)):
                            apart = (guide[x, y, z] - c0) ** 2
                            apart += (guide[x - 1, y, z] - c1) ** 2 + (guide[x + 1, y, z] - c2) ** 2
                            apart += (guide[x, y - 1, z] - c3) ** 2 + (guide[x, y + 1, z] - c4) ** 2
                            excess = max(np.float32(0.0), apart * scale - np.float32(1.0))
                            if excess < np.float32(2.5):
                                weight = np.exp(-excess / np.float32(SOFTNESS))
                                total += weight * image[x, y, z]
                                weights += weight
                out[i, j, k] = total / weights
    return out
