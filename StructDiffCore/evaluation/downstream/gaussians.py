"""SynthSeg-style pictures (Billot 2023): each region a Gaussian of random mean and spread, then blur, bias field and full window.

No template's intensities enter. Unlabelled tissue is split into the regions of the aligned template's pseudo-labels, as SynthSeg
splits it into clusters, so that lung, fat and bone get Gaussians of their own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, zoom

from StructDiffCore.domain import Geometry, Volume

PICTURES = 8
"""Of each mask: SynthSeg draws a new one at every step."""
MEAN_HU = (-200.0, 800.0)
"""The window that segmenters see."""
DARKEST_BRIGHTEST = (0.001, 0.999)
"""Quantiles of a picture that become the window's ends."""
SPREAD_HU = (2.0, 80.0)
BLUR_VOXELS = (0.3, 1.2)
BIAS = 0.2
"""Standard deviation of the bias field's logarithm at its coarse points."""
BIAS_POINTS = 4


def gaussian_picture(regions: NDArray[np.integer], geometry: Geometry, rng: np.random.Generator) -> Volume:
    """A picture of a region map (i, j, k) in random contrast."""
    values, numbers = np.unique(regions, return_inverse=True)
    means, spreads = rng.uniform(*MEAN_HU, len(values)), rng.uniform(*SPREAD_HU, len(values))
    noise = rng.standard_normal(regions.shape, dtype=np.float32)
    numbers = numbers.reshape(regions.shape)
    picture = gaussian_filter((means[numbers] + spreads[numbers] * noise).astype(np.float32), rng.uniform(*BLUR_VOXELS))
    coarse = rng.normal(0, BIAS, (BIAS_POINTS,) * 3)
    field = np.exp(zoom(coarse, np.array(regions.shape) / BIAS_POINTS, order=3))
    return Volume(_normalised((picture - MEAN_HU[0]) * field), geometry)


def _normalised(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """The picture over the whole window, as SynthSeg ends with every one over [0, 1]."""
    darkest, brightest = np.quantile(picture, DARKEST_BRIGHTEST)
    low, high = MEAN_HU
    return np.clip(low + (picture - darkest) / (brightest - darkest) * (high - low), -1024, 3071)
